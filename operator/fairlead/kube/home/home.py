"""The cluster home: watches, leadership, and a term for as long as this process leads.

Rules of this file
- The watch of pods goes on whether we lead or not, so that a standby knows what there is when its turn comes.
- A term begins with a list of pods as new as the store (protocol.md 11), and nothing of an earlier term is believed.
- What the feeds say while we do not lead is dropped: a term lists everything when it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, PODS, Client
from fairlead.kube.executions import Execution
from fairlead.kube.home.measuring import Census, census
from fairlead.kube.home.pods import PodIndex
from fairlead.kube.home.term import Term
from fairlead.kube.lease import Leadership
from fairlead.kube.pods.manifests import PodSettings
from fairlead.kube.pods.views import Pod
from fairlead.kube.premises import Policies
from fairlead.kube.watching import Change, Kind, Watch
from fairlead.kube.workflows import Workflows
from fairlead.runtime.ports import Clock

SELECTOR = f"{names.MANAGED}=true,{names.DONE}!=true"

_log = structlog.get_logger(__name__)

Beside = Callable[[], Awaitable[None]]
"""Work that goes on while we lead, such as a feed; it is cancelled with the term."""


class KubernetesHome:
    """Runs the executions of a namespace, or (None) of all. Feeds call `seen` and `gone`, and those of `workflows`."""

    def __init__(
        self,
        client: Client,
        leadership: Leadership,
        clock: Clock,
        settings: PodSettings,
        *,
        namespace: str | None = None,
    ) -> None:
        self._client = client
        self._leadership = leadership
        client.when_fenced, client.before_write = leadership.doubt, leadership.epoch
        client.rights.logged = True
        self.workflows = Workflows(client, leadership, self.workflow_changed)
        self._clock = clock
        self._settings = settings
        self._namespace = namespace
        self.policies = Policies(client, namespace or leadership.namespace)
        self._pods = PodIndex()
        self._term: Term | None = None
        self._in_hand = asyncio.Event()
        self.watch = Watch(
            client,
            PODS,
            Pod,
            self._pod_changed,
            selector=SELECTOR,
            namespace=namespace,
            shards=leadership.shards,
        )

    # --- what the feeds say ---

    def seen(self, execution: Execution) -> None:
        """An execution as it is now."""
        if self._term is not None:
            self._term.seen(execution)

    def gone(self, uid: str) -> None:
        """An execution is not there any more."""
        if self._term is not None:
            self._term.gone(uid)

    def workflow_changed(self, namespace: str, name: str) -> None:
        """A Workflow appeared or was changed."""
        if self._term is not None:
            self._term.workflow_changed(namespace, name)

    # --- what probes ask ---

    @property
    def leads(self) -> bool:
        """Whether we lead, and have all live runs in hand."""
        return self._leadership.leading and self._in_hand.is_set()

    @property
    def ready(self) -> bool:
        """Whether it leads with all in hand, or stands by for its own Lease and knows what pods there are."""
        if self._leadership.rival:
            return False
        return self.leads if self._leadership.leading else self.watch.is_synced

    @property
    def standing(self) -> str:
        """What it does, in a word or two."""
        if self._leadership.rival:
            return f"may not lead: {self._leadership.rival}"
        if not self._leadership.leading:
            return "stands by"
        return "leads" if self._in_hand.is_set() else "takes over"

    @property
    def live(self) -> int:
        """How many executions are looked after."""
        return len(self._term.runs) if self._term is not None else 0

    # --- what is measured ---

    @property
    def leading(self) -> bool:
        """Whether we hold the Lease."""
        return self._leadership.leading

    @property
    def epoch(self) -> int:
        """The epoch that we lead in, or led in last; 0 if we never did."""
        return self._leadership.last_epoch

    @property
    def in_force(self) -> Mapping[str, bool]:
        """Which policies are in force, as far as that is known."""
        return self.policies.in_force

    @property
    def census(self) -> Census:
        """The executions in hand."""
        return census(self._term.runs.values() if self._term is not None else ())

    @property
    def creations_waiting(self) -> int:
        """Pods that wait to be created."""
        return self._term.runner.waiting if self._term is not None else 0

    @property
    def deliveries(self) -> int:
        """Deliveries that are looked after."""
        return self._term.runner.deliveries if self._term is not None else 0

    @property
    def quiet_for(self) -> dict[str, float]:
        """Seconds since the API server was last heard of, by what is watched; logs are watched while we lead."""
        found = {PODS.plural: self.watch.quiet_for}
        if self._term is not None:
            found[CONFIG_MAPS.plural] = self._term.guard.quiet_for
        return found

    # --- the work ---

    async def run(self, beside: Sequence[Beside] = ()) -> None:
        """Watch, and lead whenever we may, until cancelled."""
        always = [asyncio.create_task(work) for work in (self.watch.run(), self.policies.run())]
        try:
            await self._leadership.run(lambda: self._lead(beside))
        finally:
            for task in always:
                task.cancel()
            await asyncio.gather(*always, return_exceptions=True)

    async def _lead(self, beside: Sequence[Beside]) -> None:
        await self.watch.refresh()
        term = self._term = Term(
            self._client,
            self._leadership,
            self._pods,
            self.workflows,
            self.policies,
            self._clock,
            self._settings,
            self._namespace,
        )
        feeds: list[asyncio.Future[None]] = []

        def ready() -> None:
            _log.info("all live executions are in hand", executions=len(term.runs))
            self._in_hand.set()
            feeds.extend(asyncio.ensure_future(feed()) for feed in (self.workflows.run, *beside))

        try:
            await term.run(ready)
        finally:
            self._term = None
            self._in_hand.clear()
            for feed in feeds:
                feed.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)

    def _pod_changed(self, change: Change[Pod]) -> None:
        if change.kind is Kind.GONE:
            uid = self._pods.drop(change.view)
            if self._term is not None:
                self._term.pod_gone(uid, change.view)
        else:
            uid = self._pods.put(change.view)
            if self._term is not None:
                self._term.pod_seen(uid, change.view)
