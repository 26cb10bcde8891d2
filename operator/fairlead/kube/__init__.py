"""The ports on Kubernetes: the log in ConfigMaps, statuses, watches, leadership; `client` is the one way to the API server."""
