"""Pods: what is created for an attempt, and what is read from what became of it. Pure: nothing here talks to a server."""
