"""The home on one machine: a store in SQLite, subprocesses, no cluster."""
