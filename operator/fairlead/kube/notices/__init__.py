"""Kubernetes Events: what a person wants to see in `kubectl describe` of an execution (protocol.md 21).

notes     which events of a log are worth a note, and its words, pure
desk      which note is written when: series, rates, limits, pure
notices   writes them
"""

from fairlead.kube.notices.notes import Note, log_frozen, not_begun, notes_of
from fairlead.kube.notices.notices import Notices

__all__ = ["Note", "Notices", "log_frozen", "not_begun", "notes_of"]
