"""What each event does to the state, by what it is about: the run, its paths, its nodes. `engine.evolve` calls it."""
