"""What everything else speaks of: manifests, events, commands, effects, state, ids, errors. Imports nothing of ours."""
