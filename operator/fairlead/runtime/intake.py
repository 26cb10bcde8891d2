"""From the object that asks for a run to what the engine is told of it, the same in every home."""

from __future__ import annotations

from fairlead.model.commands import Wish
from fairlead.model.manifests import ExecutionSpec

WISHES = ("suspend", "suspendTimeout", "cancel", "redrive")
"""The fields of a spec that may change while it runs."""


def wish_of(spec: ExecutionSpec) -> Wish:
    """What the part of a spec that may change wishes for."""
    cancel = spec.cancel
    return Wish(
        suspend=spec.suspend,
        suspend_timeout=spec.suspend_timeout,
        cancel=cancel is not None,
        cancel_reason=(cancel.reason or "") if cancel is not None else "",
        force=cancel is not None and cancel.force,
        redrive=spec.redrive,
    )
