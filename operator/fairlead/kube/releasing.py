"""Lets go of what an operator holds that is not there: its finalizers on pods and executions (protocol.md 7).

Rules of this file
- Only our own finalizers go, foreign ones stay; nothing is deleted and no label changes: an operator that comes back goes on with
  what is still there.
- Doing it again is harmless. Each object is patched under its uid, or under the version that was read.
- One object that refuses stops no other; how many there were is said, and the first reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from fairlead.kube import names
from fairlead.kube.client import EXECUTIONS, PODS, Client, Invalid, Metadata
from fairlead.kube.client.client import STRATEGIC
from fairlead.kube.client.replies import metadata_of
from fairlead.kube.pages import pages
from fairlead.model.errors import Conflict, FairleadError, NotFound

AT_ONCE = 16
_TRIES = 8


@dataclass(slots=True)
class Released:
    """How many objects were let go of, how many could not be, and why the first of these."""

    pods: int = 0
    executions: int = 0
    refused: int = 0
    reason: str = ""


async def release_all(client: Client, namespace: str | None) -> Released:
    """Let go of all in a namespace, or (None) in all of them. Raises Forbidden, Unavailable."""
    done = Released()
    managed = f"{names.MANAGED}=true"
    await _each(pages(client, PODS, namespace, managed), lambda one: _release_pod(client, one, done), done)
    everything = pages(client, EXECUTIONS, namespace, "")
    await _each(everything, lambda one: _release_execution(client, one, done), done)
    return done


async def release_one(client: Client, namespace: str, name: str) -> Released:
    """Let go of one execution and its pods. Raises NotFound, Forbidden, Unavailable."""
    there = metadata_of(await client.get(EXECUTIONS, namespace, name, partial=True))
    done = Released()
    of_it = f"{names.EXECUTION_UID}={there.uid}"
    await _each(pages(client, PODS, namespace, of_it), lambda one: _release_pod(client, one, done), done)
    await _release_execution(client, there, done)
    return done


async def _each(
    found: AsyncIterator[list[Metadata]], work: Callable[[Metadata], Awaitable[None]], done: Released
) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(about: Metadata) -> None:
        async with limit:
            try:
                await work(about)
            except NotFound:
                return
            except FairleadError as error:
                done.refused += 1
                done.reason = done.reason or str(error)

    async for page in found:
        await asyncio.gather(*map(one, page))


async def _release_pod(client: Client, about: Metadata, done: Released) -> None:
    if names.RESULT_FINALIZER not in about.finalizers:
        return
    body = {
        "metadata": {
            "uid": about.uid,
            "$deleteFromPrimitiveList/finalizers": [names.RESULT_FINALIZER],
        }
    }
    try:
        await client.patch(PODS, about.namespace, about.name, body, kind=STRATEGIC)
    except (Conflict, Invalid):
        there = metadata_of(await client.get(PODS, about.namespace, about.name, partial=True))
        if there.uid == about.uid and names.RESULT_FINALIZER in there.finalizers:
            raise
        return  # another pod has the name by now
    done.pods += 1


async def _release_execution(client: Client, about: Metadata, done: Released) -> None:
    """Custom resources know no strategic merge: the whole list is written, under the version that it was read in."""
    uid = about.uid
    for tried in range(_TRIES):
        if about.uid != uid or names.EXECUTION_FINALIZER not in about.finalizers:
            return
        others = [one for one in about.finalizers if one != names.EXECUTION_FINALIZER]
        body = {"metadata": {"resourceVersion": about.resource_version, "finalizers": others or None}}
        try:
            await client.patch(EXECUTIONS, about.namespace, about.name, body)
            done.executions += 1
            return
        except Conflict:
            if tried == _TRIES - 1:
                raise
            about = metadata_of(await client.get(EXECUTIONS, about.namespace, about.name, partial=True))
