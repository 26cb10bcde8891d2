"""What the operator asked of the API server, by the audit log of a test cluster."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.cluster.clusters import Cluster

from fairlead.kube import names
from fairlead.kube.client import PODS, Client
from fairlead.kube.executions import executions

VERBS = frozenset({"create", "update", "patch", "delete"})
OURS = "fairlead"
"""The user agent of the operator's client, and of the bench: what that creates is left out."""


class Audit:
    """The API server's audit log, from where it was last read."""

    def __init__(self, cluster: Cluster) -> None:
        assert cluster.audit_log is not None
        self._path = cluster.audit_log
        self._at = self._path.stat().st_size

    def entries(self) -> list[dict[str, Any]]:
        """What was asked since the last look."""
        with self._path.open("rb") as log:
            log.seek(self._at)
            text = log.read()
        whole = text.rfind(b"\n") + 1
        self._at += whole
        return [json.loads(line) for line in text[:whole].splitlines()]

    def writes(self) -> Counter[str]:
        """How much the operator has written since, Leases apart, by what it was."""
        found: Counter[str] = Counter()
        for one in self.entries():
            about = one.get("objectRef", {})
            kind = "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))
            if one.get("userAgent") == OURS and one["verb"] in VERBS and not _is_the_benchs(one):
                found[f"{one['verb']} {kind}"] += 1
        return Counter({what: count for what, count in found.items() if "leases" not in what})

    async def reactions(self, client: Client, namespace: str, runs: Iterable[str]) -> list[float]:
        """Seconds between the end of a pod and the request that creates its successor, in chains of nodes n0, n1, ..."""
        wanted = set(runs)
        uids = {one.uid async for one in executions(client, namespace) if one.metadata.name in wanted}
        place: dict[str, tuple[str, int]] = {}
        for pod in json.loads(await client.get(PODS, namespace))["items"]:
            labels = pod["metadata"].get("labels", {})
            if labels.get(names.EXECUTION_UID) in uids:
                place[pod["metadata"]["name"]] = (labels[names.EXECUTION_UID], int(labels[names.NODE][1:]))
        ended: dict[tuple[str, int], float] = {}
        created: dict[tuple[str, int], float] = {}
        for one in self.entries():
            about = one.get("objectRef", {})
            where = place.get(about.get("name", ""))
            if about.get("resource") != "pods" or where is None:
                continue
            if one["verb"] == "patch" and about.get("subresource") == "status":
                ended[where] = _seconds(one["stageTimestamp"])
            elif one["verb"] == "create" and "subresource" not in about:
                created[where] = _seconds(one["requestReceivedTimestamp"])
        return [
            created[uid, step + 1] - at for (uid, step), at in ended.items() if (uid, step + 1) in created
        ]


def _is_the_benchs(entry: dict[str, Any]) -> bool:
    """What the script creates with the same client: Workflows, executions, bare pods."""
    about = entry.get("objectRef", {})
    return (
        entry["verb"] == "create" and about.get("resource") in ("workflows", "workflowexecutions")
    ) or about.get("name", "").startswith("bare-")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
