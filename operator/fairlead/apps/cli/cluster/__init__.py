"""A Kubernetes cluster as a home of executions, with the rights of the person who asks.

    reaching     the client, its event loop, and errors as sentences
    objects      WorkflowExecution objects as they are read
    home         the home: what commands ask of it
    pod_logs     what pods printed
    submission   FILE to an execution that may be created, against what is in the cluster

Rules of this package
- Nothing is imported before a command looks in a cluster: `fairlead --help` knows nothing of it.
- It reads logs and never writes one: no head is claimed, nothing is appended or released. What people wish for is a patch of the
  spec, which the API server judges by their own rights.
"""

from fairlead.apps.cli.cluster.home import ClusterHome

__all__ = ["ClusterHome"]
