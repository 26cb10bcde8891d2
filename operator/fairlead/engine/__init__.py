"""The pure engine: graph, decide, evolve, joins and paths, retry, expressions, validation, summary."""
