"""Writes notes as Kubernetes Events (events.k8s.io/v1).

Rules of this file
- Nobody waits for a note, and nothing depends on one: what cannot be written is dropped, with a line in our own log.
- The name of an Event says which series it is, so that sending it twice makes one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from fairlead.kube.client import EVENTS, EXECUTIONS, AlreadyExists, Client, NamespaceTerminating
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.names import Place, record_name
from fairlead.kube.notices.desk import Desk, Series
from fairlead.kube.notices.notes import Note, cut
from fairlead.model.errors import FairleadError, NotFound
from fairlead.model.times import to_datetime

CONTROLLER = "fairlead.dev/operator"
ACTION = "Run"
PATIENCE = 5.0
"""Seconds that a note may take to be written."""
_INSTANCE = 128

log = structlog.get_logger(__name__)


class Notices:
    """Notes about executions. `clock` counts seconds, `wall` microseconds since the epoch."""

    def __init__(
        self,
        client: Client,
        fence: Fence,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._client = client
        self._fence = fence
        self._clock = clock
        self._wall = wall
        self._desk = Desk(clock())
        self._added = asyncio.Event()

    @property
    def dropped(self) -> int:
        """How many notes found no room."""
        return self._desk.dropped

    def notice(self, place: Place, notes: Iterable[Note]) -> None:
        """Have notes about an execution written. Returns at once and never raises."""
        self._desk.add(self._clock(), self._wall(), place, notes)
        self._added.set()

    def forget(self, uid: str) -> None:
        """An execution is gone."""
        self._desk.forget(uid)

    async def run(self) -> None:
        """Write what is to be written, until cancelled."""
        while True:
            self._added.clear()
            now = self._clock()
            found = self._desk.next(now)
            if isinstance(found, Series):
                await self._write(found)
                continue
            try:
                async with asyncio.timeout(None if found == float("inf") else max(0.0, found - now)):
                    await self._added.wait()
            except TimeoutError:
                continue

    async def _write(self, series: Series) -> None:
        namespace, name, count = series.place.namespace, name_of(series), series.count
        try:
            self._fence.epoch()
            if series.written:
                await self._client.patch(
                    EVENTS, namespace, name, {"series": _counted(series)}, seconds=PATIENCE
                )
            else:
                body = event_of(series, self._fence.writer)
                await self._client.create(EVENTS, namespace, body, seconds=PATIENCE)
            series.written = count
        except AlreadyExists:
            series.written = count
        except (NotLeader, NamespaceTerminating):
            self._desk.forget(series.place.uid)
        except NotFound:
            self._desk.again(series)
        except FairleadError as error:
            log.info("a note about an execution is dropped", execution=series.place.name, reason=str(error))
            self._desk.again(series)
        except Exception:
            log.exception("a note about an execution could not be written", execution=series.place.name)
            self._desk.again(series)


def name_of(series: Series) -> str:
    """The name of the Event of a series."""
    return record_name("event", series.place.uid, series.note.reason, str(series.first))


def event_of(series: Series, writer: str) -> dict[str, Any]:
    """The Event of a series that is not written yet."""
    place, note = series.place, series.note
    event = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name_of(series), "namespace": place.namespace},
        "eventTime": _micro_time(series.first),
        "reportingController": CONTROLLER,
        "reportingInstance": cut(writer, _INSTANCE),
        "action": ACTION,
        "reason": note.reason,
        "type": note.kind,
        "note": note.message,
        "regarding": {
            "apiVersion": EXECUTIONS.api_version,
            "kind": EXECUTIONS.kind,
            "namespace": place.namespace,
            "name": place.name,
            "uid": place.uid,
        },
    }
    return event if series.count == 1 else {**event, "series": _counted(series)}


def _counted(series: Series) -> dict[str, Any]:
    return {"count": series.count, "lastObservedTime": _micro_time(series.last)}


def _micro_time(micros: int) -> str:
    """A time with six digits behind the point, always: Kubernetes takes nothing else."""
    return to_datetime(micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
