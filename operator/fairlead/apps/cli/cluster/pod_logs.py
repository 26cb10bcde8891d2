"""What pods printed, as the kubelet keeps it: read through the API server, pod by pod.

Rules of this file
- Lines in which the runner reports a long result are no output of the node and are left out.
- What cannot be read is said in a line of its own (`gap`): the pod is gone, has not started, or its kubelet does not answer.
- Whoever looks again gets the lines that were seen before, though the pod has gone meanwhile, and only what is new is asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from fairlead.apps.cli.printed import Line
from fairlead.kube.client import PODS, Client, Forbidden, Invalid
from fairlead.kube.names import Place
from fairlead.kube.pods.causes import CONTAINER
from fairlead.kube.pods.manifests import pod_name
from fairlead.kube.pods.results import MARK
from fairlead.model.errors import NotFound, Unavailable
from fairlead.model.times import SECOND, format_time, parse_time

_AT_ONCE = 8
_RESULT = re.compile(rf"{MARK} [0-9a-f]{{16}} \d+ ")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


class PodLogs:
    """The logs of pods, and what was read of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[str, list[Line]] = {}

    async def of(self, place: Place, deliveries: Iterable[str]) -> list[list[Line]]:
        """What the pods of some deliveries printed. Raises Forbidden."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(pod: str) -> list[Line]:
            async with limit:
                return await self._of(place, pod)

        return list(await asyncio.gather(*(one(pod_name(delivery)) for delivery in deliveries)))

    async def _of(self, place: Place, pod: str) -> list[Line]:
        seen = self._seen.setdefault(pod, [])
        params = {"container": CONTAINER, "timestamps": "true"}
        known = 0
        if seen:
            since = seen[-1].at // SECOND * SECOND
            params["sinceTime"] = format_time(since)
            known = sum(1 for line in seen if line.at >= since)
        try:
            body = await self._client.request(
                "GET", f"{PODS.path(place.namespace, pod)}/log", params=params, accept="*/*"
            )
        except Forbidden:
            raise
        except NotFound:
            return [*seen, _gap(f"the pod {pod} is gone, and what it printed with it")]
        except (Invalid, Unavailable) as error:
            return [*seen, _gap(f"what it printed cannot be read: {error}")]
        found, said = _lines(body)
        seen += found[known:]
        return [*(line for line in seen if not _RESULT.match(line.text)), *said]


def _lines(body: bytes) -> tuple[list[Line], list[Line]]:
    """The lines of a log, and what the kubelet says in place of some."""
    found: list[Line] = []
    said: list[Line] = []
    for raw in body.decode("utf-8", "replace").split("\n"):
        stamp, _, text = raw.partition(" ")
        at = _time(stamp)
        if at:
            found.append(Line("output", at, text.rstrip("\r")))
        elif raw:
            said.append(_gap(raw))
    return found, said


def _time(stamp: str) -> int:
    """A stamp of the kubelet, which has nanoseconds; 0 for what is none."""
    parts = _STAMP.fullmatch(stamp)
    return parse_time(f"{parts[1]}{(parts[2] or '')[:7]}{parts[3]}") if parts else 0


def _gap(text: str) -> Line:
    return Line("gap", 0, f"({text})")
