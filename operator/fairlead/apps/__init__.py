"""The only place that wires: the command line, views, the operator."""
