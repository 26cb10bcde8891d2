"""Retention on a laptop: runs that ended longer ago than their definition says are removed when a later run starts.

Rules of this file
- Removed is what `fairlead delete` removes: record, log, large values, checkpoints, and the files of its nodes. `retention.pods`
  means nothing here: what nodes printed stays as long as the run.
- Never the run that is named, nor any other of its tree; never one that a live process owns, or that has not ended.
- An execution that a node waited for goes with the one that started it, and not before.
- A bounded number at a time, the oldest first: starting a run must not take long. What cannot be removed stays for the next time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from fairlead.local.store import Store
from fairlead.model.errors import InvalidInput, LogDamaged, NotFound
from fairlead.model.manifests import Retention, parse_spec
from fairlead.model.state import CANCELLED, FAILED, SUCCEEDED

MOST = 200
"""Runs that are removed at a time."""


def remove_old(store: Store, now: int, but: Collection[str]) -> int:
    """Remove what is due at `now` (microseconds), but no tree with an execution named in `but`; how many. Raises Unavailable."""
    policies: dict[str, dict[str, int] | None] = {}
    spared = store.roots_of(but)
    removed = 0
    for run in store.ended_runs():
        if removed == MOST:
            break
        if run.root in spared:
            continue
        if run.digest not in policies:
            policies[run.digest] = _stays(store, run.digest)
        stays = policies[run.digest]
        if stays is None or now < run.finished_at + stays[run.phase]:
            continue
        with contextlib.suppress(NotFound, InvalidInput):  # somebody else was first, or works on it
            store.delete(run.name)
            removed += 1
    return removed


def _stays(store: Store, digest: str) -> dict[str, int] | None:
    """How long runs of a definition stay, by phase; None if that cannot be read: then they do."""
    try:
        policy: Retention = parse_spec(Retention, store.definition(digest).get("retention", {}))
    except (LogDamaged, NotFound, ValueError):
        return None
    return {SUCCEEDED: policy.succeeded, FAILED: policy.failed, CANCELLED: policy.cancelled}
