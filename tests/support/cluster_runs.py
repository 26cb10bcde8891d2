"""Runs that are in a cluster although no operator is: run on this machine, under the uid of an object of the cluster, and
written there with the operator's own adapters.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tests.cluster.clusters import Cluster
from tests.support.cli import Cli
from tests.support.kube import with_client
from tests.support.kube_home import Reign

from fairlead.engine.graph import compile_workflow
from fairlead.engine.summary import status
from fairlead.kube.blobs import KubernetesBlobs, PinnedDefinitions
from fairlead.kube.checkpoints import KubernetesCheckpoints
from fairlead.kube.client import EXECUTIONS, Client
from fairlead.kube.log import KubernetesLog
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.kube.statuses import KubernetesStatus
from fairlead.local.journals import journal_of
from fairlead.local.store import ExecutionRecord, Store
from fairlead.model.events import Event
from fairlead.model.manifests import Definition, canonical_json, digest, parse_spec

Json = dict[str, Any]


@dataclass
class ClusterRuns:
    """Puts runs into a namespace."""

    kubeconfig: Path
    namespace: str
    places: Places = field(default_factory=Places)

    def created(self, name: str, spec: Json | None = None, **metadata: Any) -> str:
        """Create a WorkflowExecution that nobody runs; its uid."""
        body = {
            "apiVersion": EXECUTIONS.api_version,
            "kind": EXECUTIONS.kind,
            "metadata": {"name": name, **metadata},
            "spec": spec or {"workflow": {"name": "flow"}},
        }
        born = with_client(self.kubeconfig, lambda client: client.create(EXECUTIONS, self.namespace, body))
        self.know(born.uid, name)
        return born.uid

    def know(self, uid: str, name: str) -> None:
        """Be told of an execution that somebody else has created."""
        self.places.tell(uid, Place(self.namespace, name, uid))

    def publish(self, uid: str, found: Json) -> None:
        """Write a status."""
        with_client(
            self.kubeconfig, lambda client: KubernetesStatus(client, self.places, Reign()).publish(uid, found)
        )

    def ran(self, cli: Cli, name: str, workflow: Json, inputs: Json | None = None) -> str:
        """Run a workflow here under the uid of an object of the cluster, and copy it there; the uid."""
        spec = {"workflow": {"name": "flow"}, "inputs": inputs or {}}
        uid = self.created(name, spec)
        definition = parse_spec(Definition, workflow)
        record = ExecutionRecord(
            uid=uid,
            name=name,
            workflow="flow",
            digest=digest(definition),
            created_at=1,
            spec=spec,
            inputs=inputs or {},
        )
        with Store(cli.store) as store:
            store.create(record, canonical_json(definition))
        cli("run", "--resume", name)
        self._copy(cli, uid, 0)
        return uid

    def follow(self, cli: Cli, name: str) -> None:
        """Copy what a run that is in both homes has done here since."""
        with Store(cli.store, create=False) as store:
            uid = store.get(name).uid
        body = with_client(self.kubeconfig, lambda client: client.get(EXECUTIONS, self.namespace, name))
        self._copy(cli, uid, msgspec.json.decode(body)["status"]["log"]["sequence"])

    def _copy(self, cli: Cli, uid: str, after: int) -> None:
        with Store(cli.store, create=False) as store:
            events, state = asyncio.run(store.read(uid, after)), asyncio.run(journal_of(store, uid).load())
            kept = asyncio.run(store.latest(uid))
            digests = [large.digest for event in events for large in event.large or ()]
            blobs = asyncio.run(store.fetch(uid, digests))
            definition = parse_spec(Definition, store.definition(state.digest))
        self.write(uid, definition, events, blobs, kept)
        self.publish(uid, status(compile_workflow(definition, "flow"), state, state.at))

    def write(
        self,
        uid: str,
        definition: Definition,
        events: list[Event],
        blobs: dict[str, bytes] | None = None,
        kept: tuple[int, bytes] | None = None,
    ) -> None:
        """Pin a definition and write a log, three events at a time."""

        async def work(client: Client) -> None:
            ports = (client, self.places, Reign(writer="operator-0"))
            await PinnedDefinitions(*ports).pin(uid, canonical_json(definition))
            await KubernetesBlobs(*ports).keep(uid, blobs or {})
            log = KubernetesLog(*ports)
            for start in range(0, len(events), 3):
                await log.append(uid, events[start].seq - 1, events[start : start + 3])
            if kept is not None:
                await KubernetesCheckpoints(*ports).save(uid, *kept)

        with_client(self.kubeconfig, work)

    def append(self, uid: str, events: list[Event]) -> None:
        """Write what follows."""
        with_client(
            self.kubeconfig,
            lambda client: KubernetesLog(client, self.places, Reign()).append(uid, events[0].seq - 1, events),
        )

    def only_with(self, cli: Cli, cluster: Cluster, rules: list[Json]) -> None:
        """From now on the command line has these rights in the namespace and no others."""
        cluster.kubectl("create", "serviceaccount", "reader", "-n", self.namespace)
        role = {"metadata": {"name": "reader"}, "rules": rules}
        kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
        cluster.kubectl("apply", "-n", self.namespace, "-f", "-", text=json.dumps({**kind, **role}))
        subject = f"--serviceaccount={self.namespace}:reader"
        cluster.kubectl("create", "rolebinding", "reader", "-n", self.namespace, "--role=reader", subject)
        self.identify(cli, cluster.kubectl("create", "token", "reader", "-n", self.namespace).strip())

    def identify(self, cli: Cli, token: str) -> None:
        """From now on the command line shows this token."""
        config = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        for user in config["users"]:
            user["user"] = {"token": token}
        cli.env["KUBECONFIG"] = str(cli.write("token.yaml", config))
