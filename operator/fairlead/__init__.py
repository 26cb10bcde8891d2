"""Fairlead: a durable workflow engine; one pure engine, at home on a laptop and on Kubernetes."""
