"""Retention: what is left of runs that have ended, and how long (api.md, semantics 9).

deciding   what is written down when a run ends, and what is due when: pure
tombs      one run after its time: its execution deleted, or left with its last status alone
sweeping   finds what is due, a bounded part of it at a time
"""

from fairlead.kube.retention.sweeping import Retention, Swept

__all__ = ["Retention", "Swept"]
