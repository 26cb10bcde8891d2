"""One term of a leader: all that it has in hand, from the moment it leads until it does not.

Rules of this file
- It joins the pieces: log, pods, statuses, children, caches, and one task per execution (`tending`). Nothing is decided here.
- A term begins with what the cluster has: the heads of all live runs, the highest epoch among them, then the executions.
- NotLeader ends the term, whoever met it; nothing else does. What a term knew is dropped with it.
- Every execution is looked at again from time to time, whatever became of the events about it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import msgspec
import structlog

from fairlead.kube import executions as intake
from fairlead.kube.blobs import KubernetesBlobs, PinnedDefinitions
from fairlead.kube.caches import KubernetesCache
from fairlead.kube.caches import sweep as sweep_caches
from fairlead.kube.checkpoints import KubernetesCheckpoints
from fairlead.kube.children import KubernetesChildren
from fairlead.kube.client import Client, Expired
from fairlead.kube.executions import Execution
from fairlead.kube.fence import NotLeader
from fairlead.kube.home.guarding import Guard
from fairlead.kube.home.pods import PodIndex
from fairlead.kube.home.run import Run
from fairlead.kube.home.shelf import GraphShelf
from fairlead.kube.home.showing import StatusQueue
from fairlead.kube.home.starting import unpermitted
from fairlead.kube.home.tending import tend
from fairlead.kube.lease import Leadership
from fairlead.kube.log import KubernetesLog
from fairlead.kube.log.finding import heads
from fairlead.kube.names import Place, shard_of
from fairlead.kube.notices import Notices
from fairlead.kube.places import Places
from fairlead.kube.pods.manifests import PodSettings
from fairlead.kube.pods.runner import PodRunner
from fairlead.kube.pods.views import Pod
from fairlead.kube.premises import Policies, unprotected
from fairlead.kube.retention import Retention
from fairlead.kube.statuses import KubernetesStatus
from fairlead.kube.workflows import Workflows
from fairlead.model import commands as c
from fairlead.model.children import Parent
from fairlead.model.errors import FairleadError, Unavailable
from fairlead.model.ids import key_of
from fairlead.model.manifests import Retention as Policy
from fairlead.model.state import State
from fairlead.runtime.children import Child, end_of
from fairlead.runtime.journal import Journal
from fairlead.runtime.ports import Clock

AT_ONCE, BEGINNING = 32, 4
"""Executions that are looked at or taken up at once, and that are begun at once; the others wait their turn."""
TOLD_AGAIN = 0.5
"""Seconds between two looks whether a parent has taken in the end of a child."""
SURVEYED_AGAIN = 2.0
"""Seconds until a survey that was cut short is made again, at most."""
SWEEP = 60.0
"""Seconds between two looks for what retention keeps no longer, on average."""
AUDIT = 300.0
"""Seconds between two looks at everything there is, on average."""

_log = structlog.get_logger(__name__)


class Term:
    """What a leader looks after."""

    def __init__(
        self,
        client: Client,
        leadership: Leadership,
        pods: PodIndex,
        workflows: Workflows,
        policies: Policies,
        clock: Clock,
        settings: PodSettings,
        namespace: str | None,
    ) -> None:
        self.client = client
        self.fence = leadership
        self.pods = pods
        self.workflows = workflows
        self.policies = policies
        self.clock = clock
        self._namespace = namespace
        self.taking_up, self.beginning = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(BEGINNING)
        self.guard = Guard(self, client, leadership, namespace)
        self.places = Places()
        self.log = KubernetesLog(client, self.places, leadership)
        self.checkpoints = KubernetesCheckpoints(
            client, self.places, leadership, lambda uid: self.log.segments(uid) > 0
        )
        self.blobs = KubernetesBlobs(client, self.places, leadership)
        self.definitions = PinnedDefinitions(client, self.places, leadership)
        self.graphs = GraphShelf(self.definitions)
        self.statuses = StatusQueue(
            KubernetesStatus(client, self.places, leadership, self.log.last),
            self.log.segments,
            self._lacking,
            busy=self.taking_up.locked,
        )
        self.runner = PodRunner(client, self.places, leadership, settings, self.tell)
        self.notices = Notices(client, leadership)
        self.children = KubernetesChildren(
            client, self.places, leadership, workflows, self._journal_of, self.tell, self.host
        )
        self.retention = Retention(client, leadership, self._pods_stay, namespace=namespace)
        self.runs: dict[str, Run] = {}
        self._shards: Collection[int] = leadership.shards
        self._group = asyncio.TaskGroup()
        self._open = False

    async def run(self, ready: Callable[[], None]) -> None:
        """Look after everything until cancelled; `ready` is called once all live runs are in hand. Raises NotLeader."""
        try:
            async with self.statuses, self.runner, self._group:
                self._open = True
                self.client.rights.when_changed = self._show_again
                self.policies.when_changed = partial(self._show_again, "")
                await self._take_over()
                self._group.create_task(self.notices.run())
                self._group.create_task(self._clean_up())
                self._group.create_task(self.guard.run())
                ready()
                await self._look_around()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            self._open = False

    # --- what comes in ---

    def seen(self, execution: Execution) -> None:
        """An execution as it is now; one that is at rest and unknown stays so."""
        run = self.runs.get(execution.uid)
        if run is not None:
            run.see(execution)
            if run.actor is not None and run.is_misrepresented:
                self.statuses.doubt(execution.uid)
                run.actor.show_again()
        elif not execution.at_rest and shard_of(execution.uid) in self._shards:
            self._begin(Run(execution.place, execution))

    def gone(self, uid: str) -> None:
        """An execution is not there any more."""
        run = self.runs.get(uid)
        if run is not None:
            run.is_gone()

    def workflow_changed(self, namespace: str, name: str) -> None:
        """Whoever waits for a Workflow of a namespace looks again."""
        for run in self.runs.values():
            if run.actor is None and run.place.namespace == namespace:
                run.wake()

    def tell(self, uid: str, command: c.Command) -> None:
        """What is reported to an execution; one that does not listen yet asks again when it does."""
        run = self.runs.get(uid)
        if run is not None and run.actor is not None:
            run.actor.tell(command)

    def pod_seen(self, uid: str, pod: Pod) -> None:
        """A pod as it is now."""
        run = self.runs.get(uid)
        if run is None:
            place = self.pods.place_of(pod)
            if place is not None:
                self._begin(Run(place, None))
        elif not self.runner.seen(pod) and run.actor is not None:
            self.unwanted(uid, pod)

    def pod_gone(self, uid: str, pod: Pod) -> None:
        """A pod is not there any more, or marked as done."""
        self.runner.vanished(pod)

    def unwanted(self, uid: str, pod: Pod) -> None:
        """A pod that the log does not want: if its end was told already it is let go, else it is ended, and never counted."""
        self.runner.let_go(uid, pod)

    def is_at_work(self, uid: str) -> bool:
        """Whether an execution has an actor here."""
        run = self.runs.get(uid)
        return run is not None and run.actor is not None

    def doubt(self, uid: str, found: FairleadError) -> None:
        """Something is wrong with the log of an execution."""
        run = self.runs.get(uid)
        if run is not None:
            run.is_in_doubt(found)

    def look_at(self, place: Place) -> None:
        """Have an execution looked after, whatever there is of it."""
        if place.uid not in self.runs:
            self._begin(Run(place, None))

    def host(self, namespace: str, child: Child) -> None:
        """Have a child at work, or see what its parent wants of it by now."""
        self._group.create_task(self._hosted(Place(namespace, child.name, child.uid)))

    async def ended(self, run: Run, state: State, policy: Policy | None = None) -> None:
        """A run has ended, and nothing is left of it that we hold: its parent hears of it, then the execution is let go.

        Without a `policy` there is no log to keep or to remove.
        """
        parent = state.parent
        if parent is not None and parent.wait:
            await self._told(run, parent, end_of(parent, state))
        if policy is not None:
            await self.retention.ended(
                run.place,
                policy,
                state.phase,
                state.finished_at,
                by_operator=parent is not None,
                seq=state.seq,
                parent=parent,
            )
        finalizers = run.execution.metadata.finalizers if run.execution is not None else ()
        await intake.release(self.client, run.place, finalizers)

    def cache_of(self, namespace: str) -> KubernetesCache:
        """The cache that the executions of a namespace share."""
        return KubernetesCache(self.client, namespace, self.fence)

    # --- inside ---

    async def _hosted(self, place: Place) -> None:
        if place.uid not in self.runs:
            self._begin(Run(place, None))
            return
        try:
            if (execution := await intake.fetched(self.client, place)) is not None:
                self.seen(execution)
        except Exception as error:  # noqa: BLE001 - one that makes no sense ends no term; the feed says the same, later
            _log.info("a child could not be read", execution=place.name, reason=str(error))

    async def _told(self, child: Run, parent: Parent, end: c.ChildEnded) -> None:
        """Tell a parent of the end of its child until it has taken that in, or is at work no more (protocol.md 10).

        A child that somebody deletes waits for nobody: its parent may be frozen, or not be there for long.
        """
        while not child.deleted and (run := self.runs.get(parent.uid)) is not None and not run.deleted:
            if run.actor is not None:
                if key_of(parent.node) not in run.actor.state.children:
                    return
                run.actor.tell(end)
            await asyncio.sleep(TOLD_AGAIN)

    def _journal_of(self, child: Child, namespace: str) -> Journal:
        """What is kept of an execution, for a reader: nothing of it is remembered here."""
        places = Places()
        places.tell(child.uid, Place(namespace, child.name, child.uid))
        log = KubernetesLog(self.client, places, self.fence)
        checkpoints = KubernetesCheckpoints(self.client, places, self.fence)
        return Journal(child.uid, log, checkpoints, KubernetesBlobs(self.client, places, self.fence))

    def _begin(self, run: Run) -> None:
        if self._open:
            self.runs[run.place.uid] = run
            run.task = self._group.create_task(self._tended(run))

    async def _tended(self, run: Run) -> None:
        again = await tend(self, run)
        del self.runs[run.place.uid]
        if again is not None:
            self.seen(again)

    async def _take_over(self) -> None:
        """Survey what there is until it was seen whole: an outage at this moment ends no term. Raises NotLeader."""
        while True:
            try:
                await self._survey()
                return
            except NotLeader:
                raise
            except (Unavailable, Expired) as error:
                _log.warning("what there is could not be listed; once more", reason=str(error))
            await asyncio.sleep(SURVEYED_AGAIN * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load

    async def _survey(self) -> None:
        """All live runs: found by their heads, taken up at once."""
        highest, found = 0, []
        async for head in heads(self.client, self._namespace, self._shards):
            found.append(head.place)
            if head.stored is not None:
                highest = max(highest, head.stored.head.epoch)
                self.log.adopt(head.place.uid, head.stored)
        await self.fence.rise_above(highest)
        await self._list()
        for place in found:  # of these the execution is gone, or its status says that it has ended
            self.look_at(place)
        for uid, pod in self.pods.all():
            self.pod_seen(uid, pod)

    def _lacking(self, uid: str, generation: int) -> list[dict[str, Any]]:
        """What the operator may not do where an execution is, and what does not guard it."""
        missing = self.client.rights.of(self.places.of(uid).namespace)
        permitted = [unpermitted(missing, generation)] if missing else []
        return [*permitted, *unprotected(self.policies, generation)]

    def _show_again(self, namespace: str) -> None:
        """What lacks has changed: show it with all runs of the namespace, or (empty) of all."""
        for run in self.runs.values():
            if self._open and run.actor is not None and namespace in ("", run.place.namespace):
                run.actor.show_again()

    def _pods_stay(self, uid: str) -> int | None:
        """How long done pods of a run are kept that is at work."""
        run = self.runs.get(uid)
        return run.actor.graph.spec.retention.pods if run is not None and run.actor is not None else None

    async def _clean_up(self) -> None:
        """Take away what retention keeps no longer, from time to time; again at once while there is more."""
        more = False
        while True:
            await asyncio.sleep(0 if more else SWEEP * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
            try:
                more = (await self.retention.sweep(self.clock.now(), self._shards)).more
                await sweep_caches(self.client, self.fence, self._namespace, self.clock.now())
                await self.guard.sweep()
            except NotLeader:
                raise
            except Exception as error:  # noqa: BLE001 - what may not be taken away today is in nobody's way
                more = False
                _log.warning("retention could not be kept", reason=f"{type(error).__name__}: {error}")

    async def _look_around(self) -> None:
        """List everything from time to time: no event that was missed is missed for ever."""
        while True:
            await asyncio.sleep(AUDIT * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
            try:
                await self._list()
            except FairleadError as error:
                _log.warning("executions could not be listed", reason=str(error))

    async def _list(self) -> None:
        known, there = set(self.runs), set[str]()
        async for execution in intake.executions(self.client, self._namespace):
            there.add(execution.uid)
            try:
                self.seen(execution)
            except Exception:  # noqa: BLE001 - one with which we cannot cope hides no other, and ends no term
                _log.exception("an execution could not be taken in", execution=execution.metadata.name)
        for uid in known - there:
            if (run := self.runs.get(uid)) is not None and await self._is_gone(run.place):
                self.gone(uid)

    async def _is_gone(self, place: Place) -> bool:
        """Whether an execution is not there any more. One that makes no sense is missing in a list, and is there."""
        try:
            return await intake.fetched(self.client, place) is None
        except (msgspec.DecodeError, RecursionError):
            return False
