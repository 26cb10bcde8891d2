"""What is left of an execution that is deleted, or going: its pods are ended and let go, then it is (protocol.md 6).

Rules of this file
- Everything is found by a list of the API server, never by what we remember: by the label with the execution's uid, whoever owns
  it by now.
- Pods are deleted by uid and lose our finalizer at once: nobody waits for their results any more.
- Nothing here needs the log, the definition or the execution itself: all of them may be gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from fairlead.kube import executions, names
from fairlead.kube.client import PODS
from fairlead.kube.client.replies import ListMetadata
from fairlead.kube.names import Place
from fairlead.kube.pods.views import Pod

if TYPE_CHECKING:
    from fairlead.kube.home.term import Term

AT_ONCE = 16
PAGE = 500


class _Page(msgspec.Struct, gc=False):
    metadata: ListMetadata
    items: list[Pod]


_decoder = msgspec.json.Decoder(_Page)


async def clear(term: Term, place: Place) -> None:
    """End the pods of an execution and let go of them and of it. Raises NotLeader, Unavailable."""
    term.runner.forget(place.uid)
    await term.runner.idle(place.uid)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(pod: Pod) -> None:
        async with limit:
            await term.runner.end(pod)

    await asyncio.gather(*(one(pod) for pod in await _pods_of(term, place)))
    term.fence.epoch()
    await executions.release(term.client, place)


async def _pods_of(term: Term, place: Place) -> list[Pod]:
    """All pods that are there, also those that are marked as done."""
    found: dict[str, Pod] = {}
    where = ""
    while True:
        selector = f"{names.MANAGED}=true,{names.EXECUTION_UID}={place.uid}"
        params = {"labelSelector": selector, "limit": str(PAGE)} | ({"continue": where} if where else {})
        page = _decoder.decode(await term.client.get(PODS, place.namespace, params=params))
        found |= {pod.metadata.uid: pod for pod in page.items}
        where = page.metadata.continue_
        if not where:
            return list(found.values())
