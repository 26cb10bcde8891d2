"""The operator: Kopf as the shell around the cluster home. `fairlead operator` runs it.

settings   what an install says
serving    the pieces, wired; signals, and the order in which all ends
shell      Kopf: login, and the feed of Workflows and WorkflowExecutions
probes     /healthz and /readyz

`kopf run -m fairlead.apps.operator` works for trying it, with one replica: what Kopf calls then stands at the end of `shell`.
"""
