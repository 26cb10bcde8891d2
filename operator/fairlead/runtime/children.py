"""The Children port over a registry of executions: who may start what, what is taken up, and what is reported of it.

    the child is             asked to be there                              asked to hold still or to end
    not there                made and hosted; lost if it had been there     lost
    another node's           refused, lost if it had been there             lost
    there, and has not ended hosted                                         hosted, with what is wanted
    there, and has ended     reported, or hosted if it is to be redriven    the same

Rules of this file
- Nothing here decides: an answer follows from what exists, so every question may be asked twice or again after a crash.
- The end of a child is read from its log, never from its status; the first thing reported of a child is that it is there.
- A refusal leaves nothing behind, and says with value and expectation why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from fairlead.engine.validation import check_inputs
from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model.children import MAX_TREE, Parent
from fairlead.model.effects import StartChild, SteerChild
from fairlead.model.errors import LogDamaged, NewerRelease
from fairlead.model.manifests import WorkflowSpec
from fairlead.model.state import State
from fairlead.model.wording import nearest_name

Report = Callable[[str, c.Command], None]
"""Tells the execution of a uid something, if it is at work here."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """An execution as the registry knows it; one that a person started has no parent."""

    name: str
    uid: str
    parent: Parent | None = None


class Refused(Exception):
    """A child that cannot be started; `reason` is from the closed list."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Registry(Protocol):
    """The executions of a home. Its methods raise Unavailable when it cannot be reached."""

    async def find(self, name: str) -> Child | None:
        """The execution of a name."""

    async def workflow(self, uid: str, name: str) -> WorkflowSpec:
        """The workflow that an execution means by a name. Raises Refused."""

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: c.Wish
    ) -> Child:
        """Make an execution whose name is free. Raises Refused if its tree is full."""

    async def change_wish(self, child: Child, change: Callable[[c.Wish], c.Wish]) -> None:
        """Change what is wished for, in one step."""

    async def state(self, child: Child) -> State:
        """The fold of its log. Raises LogDamaged."""


class RegistryChildren:
    """A Children port; `host` has an execution at work here, or tells it what is wished for if it is."""

    def __init__(self, registry: Registry, report: Report, host: Callable[[Child], None]) -> None:
        self._registry = registry
        self._report = report
        self._host = host

    async def start(self, effect: StartChild) -> None:
        """Have a child at work."""
        child = await self._registry.find(effect.child)
        if child is None and not effect.uid:
            child = await self._made(effect)
            if child is None:
                return
        if child is None or not _is_the_same(child, effect):
            if effect.uid:
                self._lost(effect)
            else:
                message = f"an execution named {effect.child} is there, which {effect.node} did not start"
                self._refuse(effect, Refused(reasons.CHILD_NAME_TAKEN, message))
            return
        self._report(effect.parent.uid, c.ChildStarted(node=effect.node, child=child.name, uid=child.uid))
        await self._registry.change_wish(child, lambda wish: _asked(wish, effect))
        await self._see(child, effect)

    async def steer(self, effect: SteerChild) -> None:
        """Let a child hold still, go on, or end."""
        child = await self._registry.find(effect.child)
        if child is None or not _is_the_same(child, effect):
            self._lost(effect)
            return
        await self._registry.change_wish(child, lambda wish: _steered(wish, effect))
        await self._see(child, effect)

    async def _made(self, effect: StartChild) -> Child | None:
        try:
            spec = await self._registry.workflow(effect.parent.uid, effect.workflow)
            inputs = checked_inputs(effect, spec)
            wish = c.Wish(redrive=effect.redrive, held=effect.held)
            return await self._registry.create(effect, spec, inputs, wish)
        except Refused as refused:
            self._refuse(effect, refused)
            return None

    async def _see(self, child: Child, effect: StartChild | SteerChild) -> None:
        """Report a child that has ended as it was to; else have it at work. One whose log is damaged is lost."""
        try:
            state = await self._registry.state(child)
            if not state.ended or state.redrive < effect.redrive:
                self._host(child)
            elif effect.parent.wait:
                self._report(effect.parent.uid, end_of(effect.parent, state))
        except NewerRelease:
            self._host(child)  # it says so itself, and is waited for until that release is back
        except LogDamaged as damage:
            self._report(effect.parent.uid, lost_by(damage, effect.parent, child))

    def _refuse(self, effect: StartChild, refused: Refused) -> None:
        report = c.ChildRefused(
            node=effect.node,
            child=effect.child,
            attempt=effect.attempt,
            reason=refused.reason,
            message=str(refused),
        )
        self._report(effect.parent.uid, report)

    def _lost(self, effect: StartChild | SteerChild) -> None:
        lost = c.ChildLost(node=effect.node, child=effect.child, uid=effect.uid)
        self._report(effect.parent.uid, lost)


def _is_the_same(child: Child, effect: StartChild | SteerChild) -> bool:
    """Whether an execution is the one that the instance started, and the same as before if that is known."""
    if child.parent is None or effect.uid not in ("", child.uid):
        return False
    return (child.parent.uid, child.parent.node) == (effect.parent.uid, effect.parent.node)


def _asked(wish: c.Wish, effect: StartChild) -> c.Wish:
    return msgspec.structs.replace(wish, redrive=max(wish.redrive, effect.redrive), held=effect.held)


def _steered(wish: c.Wish, effect: SteerChild) -> c.Wish:
    redrive = max(wish.redrive, effect.redrive)
    changed = msgspec.structs.replace(wish, redrive=redrive, held=effect.held)
    if not effect.stop:
        return changed
    return msgspec.structs.replace(
        changed, stop=redrive + 1, stop_reason=effect.reason, stop_force=effect.force
    )


def end_of(parent: Parent, state: State) -> c.ChildEnded:
    """What the parent is told of a child that has ended."""
    return c.ChildEnded(
        node=parent.node,
        child=state.name,
        uid=state.uid,
        phase=state.phase,
        redrive=state.redrive,
        outputs=state.outputs,
        error=state.failure.error if state.failure is not None else None,
    )


def lost_by(damage: LogDamaged, parent: Parent, child: Child) -> c.ChildLost:
    """What the parent is told of a child whose log cannot be read: it stops nobody else."""
    message = f"execution {child.name} cannot go on: {damage}"
    return c.ChildLost(node=parent.node, child=child.name, uid=child.uid, message=message)


def checked_inputs(effect: StartChild, spec: WorkflowSpec) -> dict[str, Any]:
    """The inputs as the child's schema wants them. Raises Refused naming the field."""
    inputs, wrong = check_inputs(spec.inputs, effect.inputs)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        message = f"workflow {effect.workflow}: {wrong[0].path}: {wrong[0].message}{more}"
        raise Refused(reasons.INPUTS_INVALID, message)
    return inputs


BESIDE = "one in the file or folder that the run was started from"
"""Where a home without a cluster looks for workflows."""


def not_found(name: str, known: Iterable[str], expected: str = BESIDE) -> Refused:
    """There is no workflow of a name; `expected` says where one would have been found, if none is known at all."""
    names = sorted(known)
    near = nearest_name(name, names)
    few = ", ".join(names[:12]) or expected
    hint = f"did you mean {near}?" if near else f"expected {few}"
    return Refused(reasons.WORKFLOW_NOT_FOUND, f"there is no workflow {name!r}; {hint}")


def workflow_among(workflows: Mapping[str, WorkflowSpec | str], name: str) -> WorkflowSpec:
    """The workflow of a name; a text in its place says what is wrong with it. Raises Refused."""
    found = workflows.get(name)
    if found is None:
        raise not_found(name, workflows)
    if isinstance(found, str):
        raise Refused(reasons.WORKFLOW_INVALID, f"workflow {name} cannot run: {found}")
    return found


def demand_room(tree: int) -> None:
    """Whether a tree of so many executions may have one more. Raises Refused."""
    if tree >= MAX_TREE:
        message = f"the first execution and all that came from it are {tree:,}; expected at most {MAX_TREE:,}"
        raise Refused(reasons.TOO_MANY_CHILDREN, message)
