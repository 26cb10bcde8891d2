"""What runs the engine anywhere: ports, the actor, virtual time."""
