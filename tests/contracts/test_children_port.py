"""The contract of the Children port: one suite, run on every adapter.

What a home answers to `start` and `steer` follows from what exists, so each question may come twice, or again after a crash.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from tests.contracts.adapters import KUBERNETES, ON_KUBERNETES
from tests.support.driver import spec_of
from tests.support.kube_home import KubernetesHome
from tests.support.stores import tamper

from fairlead.kube.callees import Callees
from fairlead.kube.children import KubernetesRegistry, Trees
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, Resource
from fairlead.kube.client import WORKFLOWS as WORKFLOWS_OF_A_CLUSTER
from fairlead.kube.kinship import merged, wanted_of
from fairlead.kube.log import head_name
from fairlead.kube.names import Place
from fairlead.local.children import StoreRegistry
from fairlead.local.home import LocalHome
from fairlead.local.store import Store
from fairlead.model import children as limits
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model.children import Parent
from fairlead.model.effects import StartChild, SteerChild
from fairlead.model.manifests import WorkflowSpec, plain
from fairlead.model.state import State
from fairlead.runtime import children as rules
from fairlead.runtime.children import Child, Registry, RegistryChildren
from fairlead.runtime.clock import SystemClock
from fairlead.runtime.journal import Journal
from fairlead.runtime.memory import MemoryLog, MemoryRegistry
from fairlead.runtime.ports import EventLog

SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "number"}},
    "additionalProperties": False,
}
WORKFLOWS: dict[str, WorkflowSpec | str] = {
    "other": spec_of(nodes=[{"name": "x", "set": {"y": 1}}], inputs=SCHEMA),
    "broken": "UnknownField: 'timout' is no field of a node; did you mean timeout?",
}
"""What a parent may start; a text says what is wrong with a workflow whose manifest has BROKEN_NODE."""
BROKEN_NODE = {"name": "x", "set": {"y": 1}, "timout": "5m"}


class Home(Protocol):
    """One home with a parent execution in it."""

    @property
    def parent(self) -> str:
        """The uid of the parent."""

    @property
    def registry(self) -> Registry:
        """Its executions."""

    @property
    def log(self) -> EventLog:
        """Their logs."""

    def wish(self, name: str) -> c.Wish:
        """What is wished for of an execution."""

    def delete(self, name: str) -> None:
        """Somebody deletes an execution."""

    def stranger(self, name: str) -> None:
        """Somebody starts an execution of that name."""

    def damage(self, uid: str) -> None:
        """The first event of an execution becomes unreadable."""

    def close(self) -> None:
        """Let go of it."""


class Memory:
    """The reference."""

    def __init__(self, folder: Path) -> None:
        self.parent = "uid-parent"
        self.log = MemoryLog()
        self.registry = self._registry = MemoryRegistry(self.log, WORKFLOWS)

    def wish(self, name: str) -> c.Wish:
        child = asyncio.run(self.registry.find(name))
        assert child is not None
        return self._registry.wishes[child.uid]

    def delete(self, name: str) -> None:
        self._registry.delete(name)

    def stranger(self, name: str) -> None:
        self._registry.add(Child(name=name, uid=f"uid-{name}"))

    def damage(self, uid: str) -> None:
        self.log.stored[uid][0] = b"{"

    def close(self) -> None:
        pass


class SQLite:
    """The store of a laptop."""

    def __init__(self, folder: Path) -> None:
        self.log = self._store = Store(folder / "store.db")
        self.registry = StoreRegistry(self._store, SystemClock())
        self.parent = self._create("parent")

    def _create(self, name: str) -> str:
        flow = spec_of(nodes=[{"name": "a", "workflow": {"name": "other"}}])
        home = LocalHome(self._store)
        return home.create(manifest=flow, workflow_name="flow", name=name, inputs={}, workflows=WORKFLOWS)

    def wish(self, name: str) -> c.Wish:
        return self._store.wish(self._store.get(name).uid)

    def delete(self, name: str) -> None:
        self._store.delete(name)

    def stranger(self, name: str) -> None:
        self._create(name)

    def damage(self, uid: str) -> None:
        tamper(self._store.path, f"UPDATE events SET data = '{{' WHERE uid = '{uid}' AND seq = 1")

    def close(self) -> None:
        self._store.close()


class Kubernetes:
    """The executions of a namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._home = home = KubernetesHome(kubeconfig, namespace)
        self.parent = home.born("parent")
        self.log = home.log
        trees, callees = Trees(home.client), Callees(home.client)
        registry = KubernetesRegistry(home.client, namespace, home.reign, self._journal, trees, callees)
        self.registry = RegistryOnItsLoop(home, registry)
        for name, spec in WORKFLOWS.items():
            body = {"nodes": [BROKEN_NODE]} if isinstance(spec, str) else plain(spec)
            self._create(WORKFLOWS_OF_A_CLUSTER, name, body)

    def _create(self, resource: Resource, name: str, spec: dict[str, Any]) -> None:
        about = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
        self._home.run(self._home.client.create(resource, self._home.namespace, {**about, "spec": spec}))

    def _journal(self, child: Child, namespace: str) -> Journal:
        home = self._home
        return Journal(child.uid, home.raw_log, home.raw_checkpoints, home.raw_blobs)

    def wish(self, name: str) -> c.Wish:
        body = self._home.run(self._home.client.get(EXECUTIONS, self._home.namespace, name))
        there = json.loads(body)
        spoken = c.Wish(redrive=there["spec"].get("redrive", 0))
        return merged(spoken, wanted_of(there["metadata"]["annotations"]))

    def delete(self, name: str) -> None:
        let_go = {"metadata": {"finalizers": None}}
        self._home.run(self._home.client.patch(EXECUTIONS, self._home.namespace, name, let_go))
        self._home.run(self._home.client.delete(EXECUTIONS, self._home.namespace, name))

    def stranger(self, name: str) -> None:
        self._create(EXECUTIONS, name, {"workflow": {"name": "other"}})

    def damage(self, uid: str) -> None:
        name, spoilt = head_name(self._home.places.of(uid)), {"data": {"b1": "{"}}
        self._home.run(self._home.client.patch(CONFIG_MAPS, self._home.namespace, name, spoilt))

    def close(self) -> None:
        self._home.close()


class RegistryOnItsLoop:
    """A registry that is called from any loop; it tells its home where each execution is, as an intake does."""

    def __init__(self, home: KubernetesHome, registry: KubernetesRegistry) -> None:
        self._home = home
        self._registry = registry

    def _seen(self, child: Child) -> Child:
        self._home.places.tell(child.uid, Place(self._home.namespace, child.name, child.uid))
        return child

    async def find(self, name: str) -> Child | None:
        found = await self._home.on_its_loop(self._registry.find(name))
        return None if found is None else self._seen(found)

    async def workflow(self, uid: str, name: str) -> WorkflowSpec:
        return await self._home.on_its_loop(self._registry.workflow(uid, name))

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: c.Wish
    ) -> Child:
        return self._seen(await self._home.on_its_loop(self._registry.create(effect, spec, inputs, wish)))

    async def change_wish(self, child: Child, change: Callable[[c.Wish], c.Wish]) -> None:
        await self._home.on_its_loop(self._registry.change_wish(child, change))

    async def state(self, child: Child) -> State:
        return await self._home.on_its_loop(self._registry.state(child))


HOMES: dict[str, Callable[[Path], Home]] = {"memory": Memory, "sqlite": SQLite}
EVERY = [*HOMES, ON_KUBERNETES]


class Bench:
    """The port over a home, with what it reports and what it has hosted."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.reports: list[tuple[str, c.Command]] = []
        self.hosted: list[str] = []
        self.port = RegistryChildren(
            home.registry, self._report, lambda child: self.hosted.append(child.name)
        )

    def _report(self, uid: str, command: c.Command) -> None:
        self.reports.append((uid, command))

    def start(self, **fields: Any) -> list[c.Command]:
        """Ask for a child; what is reported."""
        return self._ask(self.port.start(self.effect(**fields)))

    def steer(self, **fields: Any) -> list[c.Command]:
        """Steer a child; what is reported."""
        fields = {"node": "a", "child": "kid", "parent": self._parent(), **fields}
        return self._ask(self.port.steer(SteerChild(**fields)))

    def effect(self, **fields: Any) -> StartChild:
        known: dict[str, Any] = {
            "node": "a", "attempt": 1, "child": "kid", "workflow": "other", "inputs": {"n": 1}, "parent": self._parent(),
        }  # fmt: skip
        return StartChild(**{**known, **fields})

    def _parent(self) -> Parent:
        uid = self.home.parent
        return Parent(name="parent", uid=uid, node="a", root=uid, depth=1)

    def _ask(self, work: Any) -> list[c.Command]:
        self.reports.clear()
        asyncio.run(work)
        assert all(uid == self.home.parent for uid, _ in self.reports)
        return [command for _, command in self.reports]

    def child(self, name: str = "kid") -> Child:
        found = asyncio.run(self.home.registry.find(name))
        assert found is not None
        return found

    def end(self, redrive: int = 0) -> None:
        """The child fails, having seen a redrive."""
        uid = self.child().uid
        common: dict[str, Any] = {"digest": "sha256:0", "runtime": "t", "inputs": {"n": 1.0}}
        error = e.Error(reason="NonZeroExit", message="boom")
        events = [
            e.ExecutionCreated(
                seq=1, at=1, name="kid", uid=uid, redrive=redrive, parent=self._parent(), **common
            ),
            e.ExecutionStarted(seq=2, at=1, nodes=0),
            e.ExecutionFailed(seq=3, at=2, error=error),
        ]
        asyncio.run(self.home.log.append(uid, 0, events))


@pytest.fixture(params=EVERY)
def bench(request):
    """The port over each home."""
    with closing(opened(request)) as home:
        yield Bench(home)


def opened(request: pytest.FixtureRequest) -> Home:
    """The home that a parameter of EVERY names."""
    if request.param != KUBERNETES:
        return HOMES[request.param](request.getfixturevalue("tmp_path"))
    cluster = request.getfixturevalue("cluster")
    return Kubernetes(cluster.kubeconfig, request.getfixturevalue("namespace"))


def test_a_child_is_made_once_however_often_it_is_asked_for(bench):
    """The same uid each time, hosted each time, with its inputs as the schema wants them."""
    (first,) = bench.start()
    (second,) = bench.start(uid=first.uid)

    assert first == second == c.ChildStarted(node="a", child="kid", uid=bench.child().uid)
    assert ["kid", "kid"] == bench.hosted
    assert bench.child().parent == bench.effect().parent


def test_an_execution_of_somebody_else_is_not_taken_for_the_child(bench):
    """One that a person started, and one of another instance: refused, nothing is hosted."""
    bench.home.stranger("taken")
    bench.start()

    for fields in (
        {"child": "taken"},
        {"parent": msgspec.structs.replace(bench.effect().parent, node="b"), "node": "b"},
    ):
        (refused,) = bench.start(**fields)
        assert reasons.CHILD_NAME_TAKEN == refused.reason
    assert ["kid"] == bench.hosted


@pytest.mark.parametrize(
    "fields, reason, said",
    [
        ({"workflow": "othr"}, reasons.WORKFLOW_NOT_FOUND, "there is no workflow 'othr'; did you mean other?"),
        ({"workflow": "zzz"}, reasons.WORKFLOW_NOT_FOUND, "expected broken, other"),
        ({"workflow": "broken"}, reasons.WORKFLOW_INVALID, "'timout' is no field of a node"),
        ({"inputs": {}}, reasons.INPUTS_INVALID, "n is missing"),
        ({"inputs": {"n": "x"}}, reasons.INPUTS_INVALID, "inputs.n: "),
        ({"inputs": {"n": 1, "m": 2}}, reasons.INPUTS_INVALID, "'m' is not known here"),
    ],
)  # fmt: skip
def test_what_cannot_be_started_is_refused_and_leaves_nothing(bench, fields, reason, said):
    """With the reason, the value and what was expected, for the attempt that asked."""
    (refused,) = bench.start(attempt=3, **fields)

    assert (reason, 3) == (refused.reason, refused.attempt)
    assert said in refused.message
    assert asyncio.run(bench.home.registry.find("kid")) is None
    assert not bench.hosted


def test_a_tree_has_an_end(bench, monkeypatch):
    """The first execution counts; what is there already is taken up all the same."""
    assert 1_000 < limits.MAX_TREE
    monkeypatch.setattr(rules, "MAX_TREE", 3)
    bench.start()
    assert isinstance(bench.start(child="kid2")[0], c.ChildStarted)
    (refused,) = bench.start(child="kid3")

    assert reasons.TOO_MANY_CHILDREN == refused.reason
    assert "are 3; expected at most 3" in refused.message
    assert isinstance(bench.start()[0], c.ChildStarted)


def test_a_child_that_is_gone_is_lost_and_not_made_again(bench):
    """Asked for by the uid that it had, or steered."""
    (started,) = bench.start()
    bench.home.delete("kid")

    lost = c.ChildLost(node="a", child="kid", uid=started.uid)
    assert [lost] == bench.start(uid=started.uid)
    assert [lost] == bench.steer(uid=started.uid, stop=True)
    assert [c.ChildLost(node="a", child="kid")] == bench.steer(stop=True)


def test_another_of_the_same_name_is_not_the_child_that_was(bench):
    """It was deleted and made anew, for another attempt: a question about the first is answered so."""
    (first,) = bench.start()
    bench.home.delete("kid")
    (second,) = bench.start()

    assert first.uid != second.uid
    assert [c.ChildLost(node="a", child="kid", uid=first.uid)] == bench.steer(uid=first.uid, stop=True)


def test_levels_come_down_and_stay(bench):
    """`held` as the parent is; `stop` above the redrive that stands, with reason and force; twice is once."""
    bench.start(held=True)
    assert c.Wish(held=True) == bench.home.wish("kid")
    bench.steer(held=False)
    assert c.Wish() == bench.home.wish("kid")
    for _ in range(2):
        bench.steer(stop=True, reason="because", force=True)
        assert c.Wish(stop=1, stop_reason="because", stop_force=True) == bench.home.wish("kid")
    assert ["kid"] * 4 == bench.hosted


def test_a_child_that_has_ended_reports_that_whenever_it_is_asked_for(bench):
    """From its log: phase, error and the redrive it had seen. It is not hosted again."""
    bench.start()
    bench.end()
    bench.hosted.clear()
    error = e.Error(reason="NonZeroExit", message="boom")
    ended = c.ChildEnded(node="a", child="kid", uid=bench.child().uid, phase="Failed", error=error)

    assert [ended] == bench.start()[1:]
    assert [ended] == bench.steer(stop=True)
    assert not bench.hosted


def test_a_child_that_has_ended_is_hosted_to_be_redriven(bench):
    """Its end below the redrive that is asked for is no answer; the wish is raised and never lowered."""
    bench.start()
    bench.end()
    bench.hosted.clear()
    (started,) = bench.start(redrive=2, attempt=2)

    assert isinstance(started, c.ChildStarted)
    assert ["kid"] == bench.hosted
    assert 2 == bench.home.wish("kid").redrive
    bench.start(redrive=1)
    assert 2 == bench.home.wish("kid").redrive


def test_a_stop_with_a_redrive_speaks_of_that(bench):
    """So that the child knows that the epoch which never began is over as well."""
    bench.start()
    bench.end()
    bench.steer(redrive=1, stop=True)

    assert (1, 2) == (bench.home.wish("kid").redrive, bench.home.wish("kid").stop)


def test_a_child_made_anew_begins_with_the_redrive_it_is_asked_for(bench):
    """Then its end counts."""
    bench.start(redrive=3)

    assert 3 == bench.home.wish("kid").redrive


def test_the_end_of_a_child_that_was_let_go_is_nobodys_business(bench):
    """It is said to be there, and no more."""
    parent = msgspec.structs.replace(bench.effect().parent, wait=False)
    bench.start(parent=parent)
    bench.end()

    assert [c.ChildStarted] == [type(report) for report in bench.start(parent=parent)]


def test_a_child_whose_log_is_damaged_is_lost_and_stops_nobody_else(bench):
    """The message says what is damaged."""
    bench.start()
    bench.end()
    bench.home.damage(bench.child().uid)
    (lost,) = bench.steer(stop=True)

    assert c.ChildLost is type(lost)
    assert "execution kid cannot go on: event 1 of the log" in lost.message
