"""Workflows on Kubernetes: what is said of them, and what is pinned when an execution starts.

verdicts    what is said of a Workflow in its status, pure
library     the Workflows of a cluster by name, looked up live
workflows   judging, writing, and finding what an execution needs
"""

from fairlead.kube.workflows.workflows import Bundle, Found, Unusable, Workflows

__all__ = ["Bundle", "Found", "Unusable", "Workflows"]
