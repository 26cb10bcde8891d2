"""Runs that leave a cluster in a bundle, or come into it from one (protocol.md 19).

    import    the execution, held by the annotation `fairlead.dev/importing`
              definition, large values, then the log: its head is made by one append, whole or not at all
              the status, by which everybody sees that it has a log
              the annotation goes: from here on it is a run like any other

Rules of this file
- Whoever imports leads nobody: records are written under the epoch of the present reign, as the fence demands, and before the
  operator may look at the execution. It takes the right to write records (verb write on records.internal.fairlead.dev).
- What fails before the annotation goes leaves nothing: the execution is deleted, by uid, and the cluster takes what belongs to
  it. Only a process that dies in between leaves one that is held; it is deleted by hand, and nobody ever starts it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from fairlead.engine.moving import born_anew, demand_movable, spec_for
from fairlead.engine.summary import status
from fairlead.kube import names
from fairlead.kube.blobs import KubernetesBlobs, PinnedDefinitions
from fairlead.kube.client import EXECUTIONS, AlreadyExists, Ambiguous, Client
from fairlead.kube.client.replies import metadata_of
from fairlead.kube.fence import NotLeader
from fairlead.kube.log import KubernetesLog
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.kube.statuses import KubernetesStatus
from fairlead.model.errors import FairleadError, InvalidInput, Unavailable
from fairlead.model.events import ExecutionCreated
from fairlead.model.state import State
from fairlead.runtime import bundles
from fairlead.runtime.bundles import KIND, VERSION, Bundle, Header

_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Reign:
    """The fence of somebody who leads nobody: the number of the present reign, or None to read alone."""

    number: int | None
    writer: str = "import"

    def epoch(self) -> int:
        if self.number is None:
            raise NotLeader("whoever exports writes nothing")
        return self.number


async def export_run(
    client: Client, namespace: str, name: str, exported_at: str, *, force: bool = False
) -> Bundle:
    """An execution of a cluster. Raises NotFound, InvalidInput if it is at work, LogDamaged, Unavailable."""
    execution: dict[str, Any] = json.loads(await client.get(EXECUTIONS, namespace, name))
    about = execution["metadata"]
    started = bool((execution.get("status") or {}).get("log"))
    places, reader = Places(), _Reign(None)
    places.tell(about["uid"], Place(namespace, name, about["uid"], started))
    events = await KubernetesLog(client, places, reader).read(about["uid"])
    birth = events[0] if events else None
    if not isinstance(birth, ExecutionCreated):
        raise InvalidInput(f"execution {name} has not begun; there is nothing to export but its manifest")
    kept = {key: about[key] for key in ("name", "namespace", "uid", "labels") if key in about}
    bundle = Bundle(
        Header(KIND, VERSION, {**execution, "metadata": kept}, exported_at, "cluster", len(events)),
        await PinnedDefinitions(client, places, reader).definition(about["uid"], birth.digest),
        list(events),
        await bundles.values_of(KubernetesBlobs(client, places, reader), about["uid"], events),
    )
    state = bundles.check(bundle, f"execution {name}")
    if not force:
        demand_movable(state)
    return bundle


async def import_run(
    client: Client, bundle: Bundle, state: State, place: tuple[str, str], now: int, where: str, *, epoch: int
) -> None:
    """Take in what `bundles.check` gave `state` for, as (namespace, name), in the reign of an epoch.

    Raises InvalidInput (NameTaken, BadBundle, or what the server refuses), Unavailable.
    """
    graph = bundles.definition_in(bundle, where)
    shown = status(graph, state, now)
    given = bundle.header.execution
    spec = spec_for(given.get("spec", {}), state, bundles.log_digest(bundle.events))
    labels = given.get("metadata", {}).get("labels", {})
    there = await _created(client, place, spec, labels)
    places, fence = Places(), _Reign(epoch)
    places.tell(there.uid, there)
    try:
        await PinnedDefinitions(client, places, fence).pin(there.uid, bundle.definition)
        await KubernetesBlobs(client, places, fence).keep(there.uid, bundle.values)
        events = [born_anew(bundle.created, there.uid, there.name), *bundle.events[1:]]
        await KubernetesLog(client, places, fence).append(there.uid, 0, events)
        await KubernetesStatus(client, places, fence).publish(there.uid, shown)
    except BaseException:
        with contextlib.suppress(FairleadError):
            await client.delete(EXECUTIONS, there.namespace, there.name, uid=there.uid)
        raise
    await _let_go(client, there)


async def _created(
    client: Client, place: tuple[str, str], spec: dict[str, Any], labels: dict[str, str]
) -> Place:
    """The execution, held. An answer that never came is settled by looking for the mark that is ours alone."""
    (namespace, name), mark = place, secrets.token_hex(8)
    body = {
        "apiVersion": EXECUTIONS.api_version,
        "kind": EXECUTIONS.kind,
        "metadata": {
            "name": name,
            "labels": {key: value for key, value in labels.items() if not key.startswith("fairlead.dev/")},
            "annotations": {names.IMPORTING: mark},
        },
        "spec": spec,
    }
    for tried in range(_TRIES):
        try:
            return Place(namespace, name, (await client.create(EXECUTIONS, namespace, body)).uid)
        except Ambiguous:
            if tried == _TRIES - 1:
                raise
        except AlreadyExists:
            about = metadata_of(await client.get(EXECUTIONS, namespace, name, partial=True))
            found = about.annotations.get(names.IMPORTING)
            if found == mark:
                return Place(namespace, name, about.uid)
            half = " and was never imported to its end: delete it" if found else ""
            raise InvalidInput(
                f"an execution named {name} exists already in namespace {namespace}{half}; "
                "expected another name: `fairlead import FILE NAME` gives one",
                "NameTaken",
            ) from None
    raise AssertionError("the last try returns or raises")


async def _let_go(client: Client, there: Place) -> None:
    """Take the mark away: the last write, which may be repeated. Raises Unavailable."""
    patch = {"metadata": {"uid": there.uid, "annotations": {names.IMPORTING: None}}}
    for tried in range(_TRIES):
        try:
            await client.patch(EXECUTIONS, there.namespace, there.name, patch)
            return
        except Ambiguous as error:
            if tried == _TRIES - 1:
                raise Unavailable(
                    f"{there.name} is imported, and perhaps still held by its annotation {names.IMPORTING} ({error}); "
                    "take that away to let it go on"
                ) from error
