"""What the store keeps of one execution, as the actor and all readers use it."""

from __future__ import annotations

from fairlead.local.store import Store
from fairlead.runtime.journal import Journal


def journal_of(store: Store, uid: str) -> Journal:
    """The log of an execution with its checkpoints and large values."""
    return Journal(uid, store, store, store)
