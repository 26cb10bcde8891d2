"""What the store keeps of an execution besides its log."""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

import msgspec

from fairlead.model.children import Parent


class ExecutionRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What was asked for, as it was asked; nothing of it changes later. Times are microseconds.

    `spec` is the WorkflowExecution's spec as given, `inputs` are the validated and normalised ones, `digest` pins the definition
    (`sha256:…` of its canonical form), `source` is the file that the definition came from. `bundle` is the digest of the
    workflows that it may start, empty if it starts none; `parent` is there if a node of another execution has started it.
    """

    uid: str
    name: str
    workflow: str
    digest: str
    created_at: int
    generation: int = 0
    spec: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    source: str = ""
    priority: int = 0
    bundle: str = ""
    parent: Parent | None = None


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list. Phase and times follow from the log; `status` is the last one published and may be older."""

    uid: str
    name: str
    workflow: str
    phase: str
    created_at: int
    started_at: int | None
    finished_at: int | None
    last_seq: int
    parent: str
    status: dict[str, Any]

    @property
    def progress(self) -> dict[str, Any]:
        """`status.progress`, empty before the first status."""
        progress: dict[str, Any] = self.status.get("progress") or {}
        return progress


class EndedRun(NamedTuple):
    """A run that has ended, as retention looks at it; `root` is the uid of the execution that its tree began with.

    One that came from another home has ended when it came.
    """

    name: str
    digest: str
    phase: str
    finished_at: int
    root: str


class WishChanges(TypedDict, total=False):
    """The fields of a Wish that people set; `redrive` is only ever raised."""

    suspend: bool
    suspend_timeout: int | None
    cancel: bool
    cancel_reason: str
    force: bool
