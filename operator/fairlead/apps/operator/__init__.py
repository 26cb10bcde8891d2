"""The operator: Kopf as the shell around the cluster home. `fairlead operator` runs it.

settings   what an install says
serving    the pieces, wired; signals, and the order in which all ends
shell      Kopf: login, and the feed of Workflows and WorkflowExecutions
probes     /healthz and /readyz                    logs   log lines
hearing    whether Kopf shows us anything
trying     `kopf run -m fairlead.apps.operator`, for trying it with one replica: it finds its handlers in Kopf's own registry
"""

import kopf

from fairlead.apps.operator.trying import register

register(kopf.get_default_registry())
