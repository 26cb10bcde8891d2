"""Bodies within a run: the passes of a while and of a loopback, the items of a forEach, branches, inlined workflows."""

from __future__ import annotations

from typing import Any

from fairlead.model.events.base import Error, Event, ResetNode


class LoopStarted(Event, frozen=True, kw_only=True, gc=False):
    """A while or forEach begins; `items` are those of a forEach.

    Or a loopback is taken for the first time: `loopback` is its id, `region` what it repeats, `node` where it leads to.
    """

    node: str
    path: str
    items: list[Any] | None = None
    stored: int = 0
    loopback: str = ""
    region: list[str] = []


class LoopIteration(Event, frozen=True, kw_only=True, gc=False):
    """A pass or an item begins in the scope `scope` with `nodes` instances, as path `path`.

    With `loopback`: the nodes of its region get a fresh pass, the `index`-th after the first, which starts with `node`.
    """

    node: str
    path: str
    scope: str
    index: int
    nodes: int
    entry: str = ""
    condition: bool | None = None
    loopback: str = ""


class BranchStarted(Event, frozen=True, kw_only=True, gc=False):
    """A branch of a parallel begins."""

    node: str
    path: str
    scope: str
    branch: str
    index: int
    nodes: int
    entry: str = ""


class InlineStarted(Event, frozen=True, kw_only=True, gc=False):
    """The node runs the graph of `workflow`, closed: with these inputs, and variables of its own."""

    node: str
    path: str
    workflow: str
    inputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    stored: int = 0


class BodyStarted(Event, frozen=True, kw_only=True, gc=False):
    """The graph of an inlined workflow begins; with `phase`, its `finally`: the phase that the rest ended with.

    `patient`: a failure lets the other paths end first. `deadline` is when a `finally` is given up.
    """

    node: str
    path: str
    scope: str
    nodes: int
    entry: str = ""
    patient: bool = False
    phase: str = ""
    deadline: int | None = None


class BodyTimedOut(Event, frozen=True, kw_only=True, gc=False):
    """The `finally` of an inlined workflow took longer than its `finallyTimeout` and is being ended."""

    node: str
    scope: str
    timeout: int


class BodyReopened(Event, frozen=True, kw_only=True, gc=False):
    """A pass, an item or a branch that ended badly goes on: the instances `reset` run again, the others stay as they are."""

    node: str
    scope: str
    index: int
    branch: str = ""
    reset: list[ResetNode] = []


class BodyEnded(Event, frozen=True, kw_only=True, gc=False):
    """A pass, an item or a branch ended: with `outputs`, or with the `error` that nothing in it handled.

    `handled`: the container takes that as it is (onItemError: continue, or a parallel that was decided), so it stays.
    """

    node: str
    scope: str
    index: int
    branch: str = ""
    outputs: dict[str, Any] = {}
    error: Error | None = None
    handled: bool = False
    stored: int = 0


class LoopCompleted(Event, frozen=True, kw_only=True, gc=False):
    """A while or forEach has no pass or item left; `failed` items have failed.

    With `loopback`: the node it leaves has ended without taking it, and no pass can follow.
    """

    node: str
    path: str
    iterations: int
    failed: int = 0
    condition: bool | None = None
    loopback: str = ""


BodyEvent = (
    LoopStarted
    | LoopIteration
    | BranchStarted
    | InlineStarted
    | BodyStarted
    | BodyTimedOut
    | BodyReopened
    | BodyEnded
    | LoopCompleted
)
