"""The home of executions on a cluster.

home       watches, leadership, and a term for as long as this process leads
term       one term of a leader: all that it has in hand
tending    one execution in the care of a leader, from first sight until nothing is left to do for it
run        what a leader knows of one execution
starting   what it takes to begin a run, and what is shown while it cannot
clearing   what is left of an execution that is deleted
measuring  what commits mean to whoever measures, and a census of what is in hand
showing    statuses, written beside the runs
shelf      compiled definitions          pods    the pods that the watch shows, by execution
"""

from fairlead.kube.home.home import KubernetesHome

__all__ = ["KubernetesHome"]
