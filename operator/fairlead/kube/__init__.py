"""The ports on Kubernetes: what is pure (objects to events and back) apart from what talks to a server."""
