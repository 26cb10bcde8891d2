"""Views: pure functions from what is known of an execution to what a person looks at. No IO, no terminal, no clock."""
