"""The runner port on Kubernetes: one pod per delivery.

    start ──► queue ──► ConfigMaps, then the pod ──► watch ──► verdict ──► command ──► (committed) ──► done patch
    stop ───────────────────────────────► delete, by uid

Rules of this file
- `start` and `stop` return at once and may be repeated. A creation that has no answer is settled by looking (protocol 9).
- A pod is taken for ours only if its whole identity and its owner's uid agree; a result counts only from the pod that was
  recorded, once one was (protocol 4).
- A pod that vanished is asked for by name before anything is concluded (protocol 8).
- A delivery that is stopped while its pod is being created has ended when that creation has an answer, and what came of it has.
  One that was taken up from somebody has ended when the API server says that there is no pod.
- The finalizer goes in the patch that marks the pod done, and only after the home has said that the end is in the log.
- What cannot be created for a reason that may pass is tried again, with the reason shown, until the engine ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from random import random
from typing import Any, Self

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import (
    CONFIG_MAPS,
    PODS,
    AlreadyExists,
    Ambiguous,
    Client,
    NamespaceTerminating,
)
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.places import Places
from fairlead.kube.pods import causes
from fairlead.kube.pods.causes import Ended, Held, InLog, Lost
from fairlead.kube.pods.deliveries import Deliveries, Delivery
from fairlead.kube.pods.lanes import Lanes
from fairlead.kube.pods.manifests import PodSettings, pod_name, pod_of
from fairlead.kube.pods.partings import Partings, UnderWay
from fairlead.kube.pods.refusals import Fenced, denial_of, refusal_of
from fairlead.kube.pods.reports import Report, Reports, has_ended
from fairlead.kube.pods.results import NoResult, Result, from_log
from fairlead.kube.pods.views import Pod
from fairlead.model import reasons
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.errors import Conflict, FairleadError, NotFound
from fairlead.model.events import Error

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries of a creation that was refused."""
CREATION, SLOW, LOG_PATIENCE = 35.0, 5.0, 8.0
"""Seconds that a creation may take (a webhook has 30 of them), after which that is shown, and that a log is asked for at once."""
LOG_LIMIT = 3 * 1024 * 1024
"""Bytes of a container's log that are read for a result: 1 MiB in base64, and what stands around it."""
NO_ANSWER = "the API server has not answered yet; perhaps an admission webhook is slow"
OVER = (Ended, Lost, InLog)
_CANCELLED = Error(reason=reasons.CANCELLED, message="it was ended before its pod was created")
NEVER_MADE = Ended(Result(error=_CANCELLED))

_log = structlog.get_logger(__name__)
_decoder = msgspec.json.Decoder(Pod)


class PodRunner:
    """Runs deliveries as pods. Use it as an async context manager: inside it, pods are created and deleted."""

    def __init__(
        self, client: Client, places: Places, fence: Fence, settings: PodSettings, report: Report
    ) -> None:
        self._client = client
        self._places = places
        self._fence = fence
        self._settings = settings
        self._deliveries = Deliveries()
        self._reports = Reports(report, self._deliveries)
        self._lanes = Lanes(self._creation, self._called_off)
        self._let_go: set[str] = set()  # uids of pods that are released, until the watch has seen that
        self._under_way = UnderWay()
        self._partings = Partings(client, fence, self._under_way)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._lanes.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, self._lanes.close(), self._partings.stop(), return_exceptions=True)

    # --- the port ---

    def start(self, uid: str, effect: StartAttempt) -> None:
        """Run a delivery; one that is looked after already stays as it is."""
        if self._deliveries.named(pod_name(effect.id)) is None:
            self._look_after(Delivery(uid, effect))

    def take_up(self, uid: str, effect: StartAttempt, pod: Pod | None) -> None:
        """`start`, of a delivery whose pod may be there already, as the watch shows it."""
        if self._deliveries.named(pod_name(effect.id)) is None:
            self._look_after(Delivery(uid, effect, taken_up=True), pod)

    def stop(self, uid: str, effect: StopAttempt) -> None:
        """End a delivery. One whose pod was never asked for has ended at once."""
        delivery = self._deliveries.named(pod_name(effect.id))
        if delivery is None or delivery.stopping:
            return
        delivery.stopping = True
        if delivery.queued and not delivery.tries and not delivery.taken_up:
            delivery.queued = False
            self._reports.tell(delivery, NEVER_MADE)
        elif delivery.queued and not delivery.tries:
            delivery.queued = False
            self._work_on(delivery, self._delete(delivery))
        elif (
            not delivery.queued and not delivery.creating
        ):  # else whoever creates it sees that it is not wanted any more
            self._work_on(delivery, self._delete(delivery))

    # --- what the watch shows ---

    def seen(self, pod: Pod) -> bool:
        """A pod as it is now. False if nobody asked for it: then the home decides what becomes of it."""
        if pod.metadata.uid in self._let_go:
            return True
        delivery = self._deliveries.named(pod.metadata.name)
        if delivery is None or not delivery.is_of(pod):
            return False
        if delivery.pod_uid and delivery.pod_uid != pod.metadata.uid:
            return False
        found = causes.verdict(pod, with_runner=delivery.with_runner)
        if delivery.ended_at and not isinstance(found, OVER):
            return True  # as it was before its end, which was seen (protocol 11)
        delivery.pod, delivery.pod_uid = pod, pod.metadata.uid
        if not delivery.ended_at and isinstance(found, OVER):
            delivery.ended_at = time.monotonic()
        if isinstance(found, InLog):
            if delivery.told != found:
                delivery.told = found
                self._work_on(delivery, self._read_log(delivery, found))
            return True
        if isinstance(found, Held) and delivery.is_given_up(pod):
            found = Lost(reasons.NODE_LOST, "its node does not answer, and onNodeLost says redeliver")
        self._reports.tell(delivery, found)
        return True

    def vanished(self, pod: Pod) -> None:
        """The watch says that a pod is gone, or has left what we watch: only the API server knows which."""
        self._let_go.discard(pod.metadata.uid)
        delivery = self._deliveries.named(pod.metadata.name)
        if delivery is not None and delivery.pod_uid in ("", pod.metadata.uid):
            self._work_on(delivery, self._look(delivery))

    def settled(self, uid: str, wanted: Callable[[str, int, int], bool]) -> None:
        """After a commit: what has ended and is not `wanted` any more (node, attempt, delivery) is in the log, so let go."""
        for delivery in self._deliveries.ended_of(uid):
            start = delivery.start
            if not wanted(start.node, start.attempt, start.delivery):
                self._deliveries.remove(delivery)
                if delivery.ended_at:
                    self._client.observer.reacted(time.monotonic() - delivery.ended_at)
                if delivery.pod is not None:
                    self.let_go(uid, delivery.pod)

    def let_go(self, uid: str, pod: Pod) -> None:
        """Release a pod that the log does not wait for; one that has not ended is deleted. Once is enough."""
        if pod.metadata.uid not in self._let_go:
            self._let_go.add(pod.metadata.uid)
            self._partings.release_soon(uid, pod)

    async def end(self, pod: Pod) -> None:
        """Delete a pod and let it go at once: nobody waits for what becomes of it. Gone already is fine."""
        await self._partings.end(pod)

    async def idle(self, uid: str) -> None:
        """Until no request for pods of an execution is under way."""
        await self._under_way.none_of(uid)

    def forget(self, uid: str) -> None:
        """The execution is gone: nobody waits for its deliveries any more."""
        for delivery in self._deliveries.of(uid):
            delivery.queued = False
            self._deliveries.remove(delivery)

    def tell_again(self, uid: str) -> None:
        """Whoever was told of the deliveries of an execution has forgotten it: tell what is known of each once more."""
        for delivery in self._deliveries.of(uid):
            told, delivery.told = delivery.told, None
            if told is not None and not isinstance(told, InLog):
                self._reports.tell(delivery, told)
            elif delivery.pod is not None:
                self.seen(delivery.pod)

    # --- what is measured ---

    @property
    def waiting(self) -> int:
        """How many pods wait to be created, those that were ended meanwhile among them."""
        return len(self._lanes)

    @property
    def deliveries(self) -> int:
        """How many are looked after: asked for, and their end not in the log."""
        return len(self._deliveries)

    # --- requests ---

    def _look_after(self, delivery: Delivery, pod: Pod | None = None) -> None:
        """From now on; its pod may be known."""
        self._deliveries.add(delivery)
        if pod is not None and self.seen(pod):
            return
        if delivery.pod_uid:  # it runs already, or is gone; it is never created again
            self._work_on(delivery, self._look(delivery))
        else:
            self._lanes.push(delivery)

    def _creation(self, delivery: Delivery) -> Coroutine[Any, Any, None]:
        """What the lanes have done, begun in this moment."""
        delivery.creating = True
        self._under_way.begin(delivery.uid)
        return self._created(delivery)

    async def _created(self, delivery: Delivery) -> None:
        await self._under_way.counted(delivery.uid, self._guarded(delivery, self._create(delivery)))
        delivery.creating = False

    def _called_off(self, delivery: Delivery) -> None:
        """It is in line again: have that shown, if its turn does not come soon."""
        delivery.creating = False
        asyncio.get_running_loop().call_later(SLOW, self._show_line, delivery)

    def _show_line(self, delivery: Delivery) -> None:
        if delivery.queued:
            self._reports.tell(delivery, Held(reasons.CLUSTER_UNAVAILABLE, NO_ANSWER))

    def _work_on(self, delivery: Delivery, work: Awaitable[None]) -> None:
        """Do something about a delivery, beside everything else."""
        self._spawn(self._guarded(delivery, work))

    async def _guarded(self, delivery: Delivery, work: Awaitable[None]) -> None:
        """One poisoned order never stops the others, and is not forgotten: it says so and is tried again."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is
            if self._deliveries.named(delivery.name) is not delivery:
                return  # nobody waits for it any more
            _log.exception("a delivery met an error of ours", pod=delivery.name)
            self._reports.tell(delivery, Held(reasons.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))
            self._again(delivery)

    async def _create(self, delivery: Delivery) -> None:
        """One try. Whatever comes of it is told, or it is tried again."""
        place = self._places.of(delivery.uid)
        try:
            wanted = pod_of(delivery.start, place, self._fence.epoch(), self._settings)
            for config_map in wanted.before:
                with contextlib.suppress(
                    AlreadyExists
                ):  # named by its content, and nobody else may write that name
                    await self._client.create(CONFIG_MAPS, place.namespace, config_map)
            with self._shown_if_slow(delivery):
                created = await self._client.create(PODS, place.namespace, wanted.pod, seconds=CREATION)
            delivery.pod_uid = created.uid
        except AlreadyExists:
            await self._look(delivery)
        except NotLeader:
            self._again(delivery)
        except Ambiguous as error:  # if it was created, the next try finds it
            if delivery.tries:
                self._reports.tell(delivery, refusal_of(error))
            self._again(delivery)
        except NamespaceTerminating:
            return
        except FairleadError as error:
            try:
                found = refusal_of(error)
            except Fenced:
                self._again(delivery)
                return
            self._reports.tell(delivery, found)
            if isinstance(found, Held):
                self._again(delivery)
            return
        if delivery.stopping:
            await self._delete(delivery)

    @contextlib.contextmanager
    def _shown_if_slow(self, delivery: Delivery) -> Iterator[None]:
        """Have it shown that the API server has not answered yet, if that takes long."""
        held = Held(reasons.CLUSTER_UNAVAILABLE, NO_ANSWER)
        slow = asyncio.get_running_loop().call_later(SLOW, self._reports.tell, delivery, held)
        try:
            yield
        finally:
            slow.cancel()

    def _again(self, delivery: Delivery) -> None:
        """Try it again in a while; what is being ended and was never created has ended."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**delivery.tries) * (0.5 + random() / 2)  # noqa: S311 - spreads load
        delivery.tries += 1
        self._work_on(delivery, self._later(delivery, pause))

    async def _later(self, delivery: Delivery, pause: float) -> None:
        await asyncio.sleep(pause)
        if self._deliveries.named(delivery.name) is not delivery:
            return
        if delivery.stopping or delivery.pod_uid:  # one that was created once is never created again
            await self._look(delivery)
        else:
            self._lanes.push(delivery)

    async def _look(self, delivery: Delivery) -> None:
        """Ask for the pod by its name: it is ours, or gone, or somebody else's."""
        place = self._places.of(delivery.uid)
        try:
            pod = _decoder.decode(await self._client.get(PODS, place.namespace, delivery.name))
        except NotFound:
            self._gone(delivery)
            return
        except FairleadError as error:
            _log.warning("a pod could not be read", pod=delivery.name, error=str(error))
            self._again(delivery)
            return
        if self.seen(pod):
            if delivery.stopping:
                await self._delete(delivery)
            elif not pod.is_watched_for(delivery.uid) and not has_ended(delivery.told):
                await self._watch_again(delivery.uid, pod)
        elif delivery.pod_uid:
            self._gone(delivery)  # another pod has its name now
        else:
            message = f"pod {place.namespace}/{delivery.name} is there already and is not ours; expected nobody to use that name"
            self._reports.tell(delivery, Held(reasons.POD_REFUSED, message))
            self._again(delivery)

    async def _watch_again(self, uid: str, pod: Pod) -> None:
        """Somebody has changed its labels so that no watch shows its end: set them right (protocol 8)."""
        about = pod.metadata
        labels = {**names.selected_by(uid), names.DONE: None}
        body = {"metadata": {"uid": about.uid, "labels": labels}}
        await self._partings.insist(pod, lambda: self._client.patch(PODS, about.namespace, about.name, body))

    def _gone(self, delivery: Delivery) -> None:
        if delivery.pod_uid:
            self._reports.tell(delivery, causes.gone(delivery.pod))
        elif delivery.stopping:
            self._reports.tell(delivery, NEVER_MADE)
        else:
            self._again(delivery)

    async def _delete(self, delivery: Delivery) -> None:
        place = self._places.of(delivery.uid)
        if not delivery.pod_uid:
            await self._look(delivery)
            return
        try:
            self._fence.epoch()
            await self._client.delete(PODS, place.namespace, delivery.name, uid=delivery.pod_uid)
        except (NotFound, Conflict):
            await self._look(delivery)
        except NotLeader:
            return
        except FairleadError as error:
            self._reports.tell(delivery, denial_of(error))
            self._again(delivery)

    async def _read_log(self, delivery: Delivery, found: InLog) -> None:
        """The result that stands at the end of the container's log; asked for until there is an answer, or nobody wants it."""
        while not await self._has_read_log(delivery, found):
            await asyncio.sleep(1 + random())  # noqa: S311 - spreads load
            if self._deliveries.named(delivery.name) is not delivery:
                return

    async def _has_read_log(self, delivery: Delivery, found: InLog) -> bool:
        place = self._places.of(delivery.uid)
        params = {"container": causes.CONTAINER, "tailLines": str(found.where.lines + 50)}
        path = PODS.path(place.namespace, delivery.name, "log")
        try:
            text = await self._client.request("GET", path, params=params, seconds=LOG_PATIENCE)
            result = from_log(found.where, text[-LOG_LIMIT:].decode("utf-8", "replace").splitlines())
        except (NoResult, NotFound) as wrong:
            self._reports.tell(
                delivery, Lost(reasons.RUNNER_FAILED, f"its result could not be read from its log: {wrong}")
            )
        except FairleadError as error:
            said = f"its log cannot be read: {error}"
            if delivery.stopping:  # its container has ended, and nobody waits for what it had to say
                self._reports.tell(delivery, Lost(reasons.RUNNER_FAILED, said))
                return True
            self._reports.tell(delivery, Held(reasons.CLUSTER_UNAVAILABLE, said))
            delivery.told = found
            return False
        else:
            self._reports.tell(delivery, Ended(result))
        return True

    # --- inside ---

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
