"""One execution in the care of a leader, from first sight until nothing is left to do for it.

    no log, never started   ──► begin ──► at work ──► ended ──► pods and finalizer let go
    a log                   ──► take up ──┘
    deleted, or going       ──► pods deleted, finalizers let go

Rules of this file
- Whatever happens to one execution stops no other: it is shown with a reason in the status, and tried again.
- The head is claimed before anything is decided (protocol.md 2). What was asked for before a crash is asked for again, by level:
  deliveries, children, the wish.
- A log that is damaged or missing, or that a newer release has written, freezes the execution: nothing is started, deleted or
  released for it (protocol.md 6).
- Deletion writes no more log: pods are deleted by uid and let go of, then the execution is (protocol.md 6, semantics 28).
"""

from __future__ import annotations

import asyncio
import contextlib
from random import uniform
from typing import TYPE_CHECKING

import msgspec
import structlog

from fairlead.engine.effects import outstanding
from fairlead.engine.graph import Graph
from fairlead.kube import executions as intake
from fairlead.kube import names
from fairlead.kube.client import Forbidden
from fairlead.kube.executions import Execution
from fairlead.kube.fence import NotLeader
from fairlead.kube.home.clearing import clear
from fairlead.kube.home.measuring import Meter
from fairlead.kube.home.run import Run
from fairlead.kube.home.starting import (
    Beginning,
    Waiting,
    beginning_of,
    cancelled_status,
    given_up,
    held_again,
    is_given_up,
    pending_status,
    spec_of,
    trouble,
    unbegun,
    waits_for,
)
from fairlead.kube.kinship import parent_of
from fairlead.kube.log.reading import ExecutionGone, LogMissing
from fairlead.kube.notices import log_frozen, not_begun, notes_of
from fairlead.kube.pods.manifests import pod_name
from fairlead.model import reasons, shown
from fairlead.model.commands import ChildLost
from fairlead.model.effects import StopAttempt
from fairlead.model.errors import Conflict, LogDamaged, NewerRelease, Unavailable
from fairlead.model.events import Event
from fairlead.model.ids import key_of
from fairlead.model.state import State
from fairlead.runtime.actor import Actor
from fairlead.runtime.caching import Caching
from fairlead.runtime.journal import Journal

if TYPE_CHECKING:
    from fairlead.kube.home.term import Term

SOON, LATER, AT_MOST = 1.0, 30.0, 300.0
"""Seconds until it is tried again: first, for what may have changed unseen, at most."""
SHOWN_AGAIN = 1.0
"""Seconds between two looks whether a run whose last status is refused was deleted."""

_log = structlog.get_logger(__name__)


class GivenUp(Exception):
    """A run that was cancelled before it began, and that nobody redrives."""


async def tend(term: Term, run: Run) -> Execution | None:
    """Look after an execution until nothing is left to do; what it is now if it has changed since. Raises NotLeader."""
    term.places.tell(run.place.uid, run.place)
    while True:
        pause = LATER
        try:
            if await _looked_after(term, run):
                break
            continue
        except NotLeader:
            raise
        except ExecutionGone:
            run.deleted = True
            continue
        except Waiting as waiting:
            if _show(term, run, waiting) and not run.begun:
                term.notices.notice(run.place, [not_begun(waiting.reason, waiting.message)])
        except LogDamaged as damage:
            term.runner.forget(run.place.uid)  # what it had asked for is asked for anew if the log is mended
            if _show(term, run, Waiting(_name_of(damage), str(damage), kind=shown.LOG)):
                term.notices.notice(run.place, [log_frozen(str(damage))])
        except (Unavailable, Conflict) as error:  # Conflict: somebody else has begun its log
            pause = min(LATER, SOON * 2**run.tries) * uniform(0.5, 1.0)  # noqa: S311 - spreads load
            reason = reasons.FORBIDDEN if isinstance(error, Forbidden) else reasons.CLUSTER_UNAVAILABLE
            _show(term, run, Waiting(reason, str(error), stalled=False))
        except Exception as error:  # noqa: BLE001 - one poisoned execution never stops the others
            pause = min(AT_MOST, SOON * 2**run.tries) * uniform(0.5, 1.0)  # noqa: S311
            _log.exception("an execution met an error of ours", execution=run.place.name, uid=run.place.uid)
            _show(term, run, Waiting(reasons.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))
        run.tries = min(run.tries + 1, 10)
        run.hears(None)  # the next go begins with what the log says
        await run.news(pause)
    _forget(term, run)
    return run.execution if run.wants_more else None


def _name_of(damage: LogDamaged) -> str:
    match damage:
        case LogMissing():
            return reasons.LOG_MISSING
        case NewerRelease():
            return reasons.NEWER_RELEASE
        case _:
            return reasons.LOG_DAMAGED


async def _looked_after(term: Term, run: Run) -> bool:
    """One go: whether nothing is left to do for it."""
    uid = run.place.uid
    if run.execution is None:
        run.execution = await intake.fetched(term.client, run.place)
        run.deleted = run.deleted or run.execution is None or run.execution.deleting
    if run.deleted:
        await clear(term, run.place)
        _lose(term, run)
        return True
    assert run.execution is not None
    if names.IMPORTING in run.execution.metadata.annotations:
        return True  # its head may be found before whoever writes it has let it go: it is seen again when they have
    run.place = run.execution.place
    term.places.tell(uid, run.place)
    try:
        actor = await _at_work(term, run)
    except GivenUp:
        await _stays_given_up(term, run)
        return True
    except Waiting:
        end = given_up(run.execution, term.clock.now())
        if run.begun or end is None:
            raise
        await _give_up(term, run, end)
        return True
    state = await actor.run(lambda state: run.is_over(state, actor))
    return await _let_go(term, run, actor.graph, state)


async def _at_work(term: Term, run: Run) -> Actor:
    """Have a run taken up, or begun. Raises Waiting."""
    uid = run.place.uid
    async with term.taking_up:
        await term.log.claim(uid)
        journal = Journal(uid, term.log, term.checkpoints, term.blobs)
        state, events = await journal.take_up()
        if state.seq:
            assert run.execution is not None
            await held_again(term.client, run.execution, state, run.wish)
            return await _taken_up(term, run, journal, state, events)
        if run.execution is not None and is_given_up(run.execution):
            raise GivenUp
        beginning = await _judged(term, run)
    # In a line of its own: of a crowd, whatever cannot begin says so before the last has begun.
    async with term.beginning:
        return await _begun(term, run, journal, beginning)


def _lose(term: Term, run: Run) -> None:
    """A deleted execution that somebody waits for is lost to its parent; one that has told its end already is not missed."""
    parent = parent_of(run.execution.metadata) if run.execution is not None else None
    if parent is not None and parent.wait:
        term.tell(parent.uid, ChildLost(node=parent.node, child=run.place.name, uid=run.place.uid))


def _actor(term: Term, run: Run, journal: Journal, graph: Graph, state: State) -> Actor:
    meter = Meter(term.client.observer, graph)
    meter.take_up(state)
    return Actor(
        journal,
        graph,
        runner=term.runner,
        children=term.children,
        status=term.statuses,
        caching=Caching(term.cache_of(run.place.namespace), run.place.namespace),
        clock=term.clock,
        listener=lambda events, state: _heard(term, run, meter, events, state),
    )


async def _judged(term: Term, run: Run) -> Beginning:
    """What a run is to begin with. Raises Waiting."""
    execution = run.execution
    assert execution is not None
    parent = parent_of(execution.metadata)
    return await beginning_of(execution, spec_of(execution), term.workflows, parent, run.wish())


async def _begun(term: Term, run: Run, journal: Journal, beginning: Beginning) -> Actor:
    """Begin a run. Raises Waiting, and ExecutionGone if it was deleted meanwhile."""
    assert run.execution is not None
    held = None if run.deleted else await intake.hold(term.client, run.execution)
    if held is None:
        raise ExecutionGone(f"{run.place.namespace}/{run.place.name} was deleted before it began")
    if held.unshown:
        term.statuses.begins(run.place.uid, held.metadata.resource_version)
    bundle = beginning.bundle
    await term.definitions.pin(run.place.uid, bundle.text)
    create = msgspec.structs.replace(beginning.create, wish=run.wish())  # as it is by now
    graph = term.graphs.put(create.digest, create.workflow, bundle.definition)
    actor = _actor(term, run, journal, graph, State())
    actor.tell(create, generation=run.execution.metadata.generation)
    run.hears(actor, create.wish)
    return actor


async def _give_up(term: Term, run: Run, end: State) -> None:
    """What could not begin is not wanted any more: its status is all that there is of it."""
    assert run.execution is not None
    with contextlib.suppress(Waiting):
        run.hears(None, run.wish())
    await term.statuses.publish(run.place.uid, cancelled_status(run.execution, end))
    term.client.observer.execution_ended(end.phase, None)
    await _until_shown(term, run)
    await term.ended(run, end)


async def _stays_given_up(term: Term, run: Run) -> None:
    """A cancel is latched (semantics 28): what it had ended before it began stays so, whatever becomes of the spec."""
    assert run.execution is not None
    with contextlib.suppress(Waiting):
        run.hears(None, run.wish())
    term.statuses.amend(run.place.uid, {"observedGeneration": run.execution.metadata.generation})
    await _until_shown(term, run)
    await term.ended(run, unbegun(run.execution, term.clock.now()))


async def _taken_up(term: Term, run: Run, journal: Journal, state: State, events: list[Event]) -> Actor:
    """Ask again for all that was asked for, hear what has come of it, and what is wished for now."""
    run.begun = True
    graph = await term.graphs.graph(run.place.uid, state.digest, state.workflow)
    actor = _actor(term, run, journal, graph, state)
    await actor.take_up(state, events)
    run.hears(actor)
    uid = run.place.uid
    _settle(term, run, actor.state)  # an append that had no answer may have been made
    pods = term.pods.of(uid)
    for effect in outstanding(actor.graph, actor.state):
        if isinstance(effect, StopAttempt):
            term.runner.stop(uid, effect)
        else:
            term.runner.take_up(uid, effect, pods.get(pod_name(effect.id)))
    term.runner.tell_again(uid)
    for pod in pods.values():
        if not term.runner.seen(pod):
            term.unwanted(uid, pod)
    await actor.ask_again()
    run.tell_wish()
    if run.execution is not None:
        stands = run.execution.status
        term.statuses.stands(uid, stands.phase, stands.observed_generation)
    actor.show_again()
    return actor


def _heard(term: Term, run: Run, meter: Meter, events: list[Event], state: State) -> None:
    """After each commit: what has ended is let go, what a person would want to know is said, and it is measured."""
    run.shown, run.tries, run.begun, run.ended = None, 0, True, False
    _settle(term, run, state)
    term.notices.notice(run.place, notes_of(events, state))
    meter.heard(events, state)


def _settle(term: Term, run: Run, state: State) -> None:
    """Let go of the deliveries whose end is in the log."""

    def wanted(node: str, attempt: int, delivery: int) -> bool:
        key = key_of(node)
        if key not in state.active or state.instance(key) != node:
            return False
        instance = state.node(key)
        return (instance.attempt, instance.delivery) == (attempt, delivery)

    term.runner.settled(run.place.uid, wanted)


async def _let_go(term: Term, run: Run, graph: Graph, state: State) -> bool:
    """The run has ended and its log is closed: let go of pods and of the execution. False if it was deleted before that."""
    if run.deleted:
        return False
    run.ended = True
    run.actor = None  # what is wished for from now on is for the next one
    uid = run.place.uid
    term.runner.settled(uid, lambda *_: False)
    for pod in term.pods.of(uid).values():
        if not term.runner.seen(pod):
            term.unwanted(uid, pod)
    await term.runner.idle(uid)
    await _until_shown(term, run)
    await term.ended(run, state, graph.spec.retention)
    return True


async def _until_shown(term: Term, run: Run) -> None:
    """Until the last status is written; that of a run which is being deleted is missed by nobody."""
    while not run.deleted:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHOWN_AGAIN):
                await term.statuses.flushed(run.place.uid)
                return


def _show(term: Term, run: Run, waiting: Waiting) -> bool:
    """Have the status of a run that has not ended say why it does not move, once; whether that is news."""
    if run.execution is None or run.shown == (waiting.reason, waiting.message):
        return False
    run.shown = (waiting.reason, waiting.message)
    _log.warning("an execution waits", execution=run.place.name, reason=waiting.reason, why=waiting.message)
    if run.ended:
        return False
    now, execution = term.clock.now(), run.execution
    if run.begun:
        conditions = trouble(waiting, now, execution.metadata.generation)
        waits = waits_for(waiting, now)
        term.statuses.amend(run.place.uid, {"conditions": conditions, "waitingFor": waits})
    else:
        term.statuses.amend(run.place.uid, pending_status(execution, waiting, now))
    return True


def _forget(term: Term, run: Run) -> None:
    uid = run.place.uid
    term.runner.forget(uid)
    term.log.forget(uid)
    term.statuses.forget(uid)
    term.notices.forget(uid)
    term.places.forget(uid)
