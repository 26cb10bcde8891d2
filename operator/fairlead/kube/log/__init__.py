"""The log of executions in ConfigMaps (protocol.md): one head each, the only commit point, and immutable records that it names.

forms      what is stored, and the checks that tell whether it fits together: pure
planning   where a batch goes, what is rolled and packed: pure
reading    heads and events, never with a gap or a double
log        the port EventLog: append by compare-and-set, claim by epoch, sweep of what no head names
finding    the heads of all live runs
"""

from fairlead.kube.log.finding import Found, heads
from fairlead.kube.log.log import KubernetesLog
from fairlead.kube.log.reading import ExecutionGone, LogMissing, LogRetired, head_name

__all__ = ["ExecutionGone", "Found", "KubernetesLog", "LogMissing", "LogRetired", "head_name", "heads"]
