"""What happened to runs on a cluster, seen from outside: their whole logs, and every pod that ever was."""

from __future__ import annotations

import asyncio
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import binaries
from tests.support.history import check_history
from tests.support.kube_home import Reign
from tests.support.operators import Site
from tests.support.waiting import until

from fairlead.kube.client import Client, from_kubeconfig
from fairlead.kube.log import KubernetesLog
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.model import events as e
from fairlead.model.events import Event

_LINE = r'{.metadata.uid} {.metadata.annotations.fairlead\.dev/identity}{"\n"}'


class PodRecord:
    """Every pod that the API server has shown, by the delivery that it is for."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def uids(self) -> dict[str, set[str]]:
        """The uids of all pods that ever were, by delivery id."""
        found = defaultdict[str, set[str]](set)
        for line in self._file.read_text(encoding="utf-8").splitlines():
            uid, _, identity = line.partition(" ")
            found[identity].add(uid)
        return found


@contextmanager
def recording(site: Site, folder: Path) -> Iterator[PodRecord]:
    """Record the pods of a namespace that has none yet, until the end of the block."""
    file = folder / "pods.txt"
    words = ["--namespace", site.namespace, "get", "pods", "--watch", "--output", f"jsonpath={_LINE}"]
    program = binaries.programs("kubectl")["kubectl"]
    with file.open("wb") as lines:
        watch = subprocess.Popen([str(program), "--kubeconfig", str(site.kubeconfig), *words], stdout=lines)
    try:
        yield PodRecord(file)
    finally:
        watch.terminate()
        watch.wait()


def whole_log(site: Site, name: str) -> list[Event]:
    """All events of an execution, whatever records they lie in."""
    uid = site.object("wfe", name)["metadata"]["uid"]

    async def read() -> list[Event]:
        places = Places()
        places.tell(uid, Place(site.namespace, name, uid, started=True))
        async with Client(from_kubeconfig(site.kubeconfig)) as client:
            return await KubernetesLog(client, places, Reign()).read(uid)

    return asyncio.run(read())


def check_run(site: Site, name: str, record: PodRecord | None = None, *, losses: int = 0) -> list[Event]:
    """Raise AssertionError unless a run that has ended lost nothing, doubled nothing, and holds nothing; its log.

    `losses`: how many deliveries were lost on the way. With a record, also pods that are gone by now are counted.
    """
    events = whole_log(site, name)
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), f"gaps in the log of {name}"
    check_history(events)
    starts = [(one.node, one.attempt) for one in events if isinstance(one, e.NodeStarted)]
    assert len([one for one in events if isinstance(one, e.NodeLost)]) == losses
    assert len(starts) <= len(set(starts)) + losses, starts
    uid = site.object("wfe", name)["metadata"]["uid"]
    until(lambda: not site.object("wfe", name)["metadata"].get("finalizers"), f"{name} is let go")
    pods = site.objects("pods", f"fairlead.dev/execution-uid={uid}")
    for pod in pods:
        about = pod["metadata"]
        assert about["labels"].get("fairlead.dev/done") == "true", f"{about['name']} is not marked as done"
        assert not about.get("finalizers"), about["finalizers"]
    there = [pod["metadata"]["annotations"]["fairlead.dev/identity"] for pod in pods]
    assert len(there) == len(set(there)), f"a delivery of {name} has several pods: {sorted(there)}"
    if record is not None:
        _check_record(uid, name, events, record)
    return events


def _check_record(uid: str, name: str, events: list[Event], record: PodRecord) -> None:
    """One pod for each delivery that was scheduled, and none for anything else."""
    seen = {identity: uids for identity, uids in record.uids().items() if identity.startswith(f"{uid}/")}
    assert all(len(uids) == 1 for uids in seen.values()), f"a delivery of {name} had several pods: {seen}"
    ran = {
        f"{uid}/{one.node}/{one.attempt}/{one.delivery}" for one in events if isinstance(one, e.NodeScheduled)
    }
    assert set(seen) == ran, f"pods and deliveries of {name} differ: {sorted(set(seen) ^ ran)}"
