"""Random graphs with all that can go wrong, reports decided together, wishes, crashes and several redrives.

What `test_random_graphs` does not do: containers in containers in all combinations, templates that fail beside nodes about to
start, fallbacks that finish the run, several decisions in one commit, a runner that
says nothing of an attempt it never had, every wish told twice, and epoch after epoch.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.driver import START
from tests.support.graphs import repeatable
from tests.support.history import check_history

from fairlead.engine.effects import effects_of, unanswered_of
from fairlead.engine.engine import Engine
from fairlead.engine.evolve import evolve, fold
from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.effects import FillCache, LookUp, StartAttempt, StopAttempt
from fairlead.model.manifests import Definition, WorkflowSpec, parse_spec
from fairlead.model.state import State
from fairlead.model.times import SECOND
from fairlead.runtime import caching
from fairlead.runtime.memory import MemoryCache

pytestmark = pytest.mark.simulation

Key = tuple[str, int, int]
EPOCHS = 4
KINDS: list[dict[str, Any]] = [
    {"run": {"sh": "true"}},
    {"run": {"sh": "true"}, "with": {"n": "${computed.c}"}, "timeout": "30s"},
    {"run": {"sh": "true"}, "with": {"x": "${inputs.missing}"}},
    {
        "run": {"sh": "true"},
        "retry": {"maxAttempts": 3, "initialDelay": "1s"},
        "store": {"v": "${outputs.n}"},
    },
    {"run": {"sh": "true"}, "startTimeout": "10s", "maxDeliveries": 1, "priority": 2},
    {"run": {"sh": "true"}, "cache": {"key": "k${vars.?w.orValue(0)}", "ttl": "1m"}},
    {"set": {"w": "${size(vars)}"}},
    {"log": {"message": "${inputs.missing}"}},
    {"if": "inputs.n > 1"},
    {"if": "inputs.missing"},
]
INLINED: dict[str, Any] = {"workflow": {"name": "act", "inline": True, "inputs": {"n": "${inputs.n}"}}}
ACT: dict[str, Any] = {
    "inputs": {"type": "object", "properties": {"n": {"maximum": 2}}},
    "variables": {"v": 0},
    "nodes": [
        {"name": "n0", "run": {"sh": "true"}, "store": {"v": "${vars.v + 1}"}},
        {"name": "n1", "if": "inputs.n > 1"},
        {"name": "stop", "after": ["n1.true"], "finish": {"result": "failed"}},
    ],
    "finally": [{"name": "f0", "run": {"sh": "true"}, "retry": {"maxAttempts": 2, "initialDelay": "1s"}}],
    "outputs": {"n": "${vars.v}"},
}
"""A workflow that others inline."""
WHENS = ["true", "false", "inputs.n > 1", "outputs.nothing == 1"]


def container(random: Random, prefix: str, depth: int) -> dict[str, Any]:
    """A container with bodies as wild as the workflow's own, and with retries."""

    def body(name: str) -> dict[str, Any]:
        nodes, connections = nodes_of(random, name, random.randint(1, 3), depth - 1)
        return {"nodes": nodes, "connections": connections}

    node: dict[str, Any] = random.choice([{}, {}, {"timeout": "20s"}])
    if random.random() < 0.4:
        node = {**node, "retry": {"maxAttempts": random.choice([2, 3]), "initialDelay": "1s"}}
    kind = random.choice(["while", "forEach", "forEach", "parallel"])
    if kind == "while":
        limit = random.choice([{}, {}, {"maxIterations": 1}])
        return {
            **node,
            "while": {"condition": f"pass.index < {random.randint(1, 3)}", **limit, **body(prefix)},
        }
    if kind == "forEach":
        each = {"items": list(range(random.randint(0, 3))), "maxParallel": random.randint(0, 2)}
        error = random.choice(["fail", "fail", "continue"])
        return {
            **node,
            "forEach": {**each, "onItemError": error, "outputs": {"i": "${item}"}, **body(prefix)},
        }
    branches = [{"name": name, **body(f"{prefix}{name}")} for name in ("l", "m", "r")[: random.randint(2, 3)]]
    strategy = random.choice(["all", "any", "race", {"atLeast": 2}])
    return {**node, "parallel": {"strategy": strategy, "branches": branches}}


def kind_of(random: Random, prefix: str, depth: int, share: float) -> dict[str, Any]:
    """A node without its name."""
    if depth and random.random() < share:
        return container(random, prefix, depth)
    return dict(random.choice([*KINDS, INLINED]))


def nodes_of(
    random: Random, prefix: str, count: int, depth: int = 2
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes of an acyclic body with joins, ports, conditions and fallbacks; and its connections."""
    nodes: list[dict[str, Any]] = []
    connections: dict[tuple[str, str], dict[str, Any]] = {}
    for index in range(count):
        node = {"name": f"{prefix}{index}", **kind_of(random, f"{prefix}{index}x", depth, 0.3)}
        into = 0
        for source in random.sample(range(index), min(index, random.choice([0, 1, 1, 2, 3]))):
            ports = ["true", "false"] if "if" in nodes[source] else ["done", "done", "done"]
            for port in {*random.choices([*ports, "failed", "ended"], k=random.choice([1, 1, 2]))}:
                edge = {"from": f"{prefix}{source}.{port}", "to": node["name"]}
                if random.random() < 0.2:
                    edge["when"] = random.choice(WHENS)
                connections[edge["from"], edge["to"]] = edge
                into += 1
        if into > 1:
            node["join"] = random.choice(["all", "any", {"atLeast": 2}, {"atLeast": into}])
        if random.random() < 0.15:
            node["onError"] = "continue"
        if "if" not in node and random.random() < 0.15:
            node["when"] = random.choice(["false", "inputs.missing"])
        if "if" not in node and random.random() < 0.2:
            node["fallback"] = f"{prefix}spare"
        nodes.append(node)
    if any("fallback" in node for node in nodes):
        spares = [{"run": {"sh": "true"}, "retry": {"maxAttempts": 2, "initialDelay": "1s"}}, *KINDS[:7]]
        if not prefix.startswith("f"):
            spares.append({"finish": {"result": "failed"}})
        spare = random.choice(spares)
        if depth and random.random() < 0.4:
            spare = container(random, f"{prefix}s", depth)
        nodes.append({"name": f"{prefix}spare", **spare})
    forward = [connections[key] for key in sorted(connections)]
    return nodes, forward + (loops_of(random, nodes, forward) if prefix == "n" else [])


def loops_of(
    random: Random, nodes: list[dict[str, Any]], forward: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Loopbacks whose loops nest or have nothing in common; some say never, some always, most depend on the pass."""
    found: list[dict[str, Any]] = []
    regions: list[set[str]] = []
    choices = list(repeatable(nodes, forward))
    for first, last, region in random.sample(choices, min(len(choices), random.choice([0, 1, 2, 4]))):
        if any(region & other and not (region <= other or other <= region) for other in regions):
            continue
        named = next(node for node in nodes if node["name"] == last)
        port = random.choice(["true", "false", "ended"] if "if" in named else ["done", "failed", "ended"])
        edge = {
            "from": f"{last}.{port}",
            "to": first,
            "loopback": {"maxIterations": random.choice([1, 2, 4])},
        }
        if random.random() < 0.6:
            edge["when"] = random.choice([*WHENS, "pass.index < 2", "pass.index < 1"])
        found.append(edge)
        regions.append(region)
    return found


def workflow(random: Random) -> WorkflowSpec:
    nodes, connections = nodes_of(random, "n", random.randint(1, 8))
    if random.random() < 0.25:
        result = random.choice(["ok", "failed"])
        nodes.append({"name": "stop", "after": ["n0.ended"], "finish": {"result": result}})
    spec: dict[str, Any] = {
        "nodes": nodes,
        "connections": connections,
        "failFast": random.random() < 0.5,
        "computed": {"c": "size(vars)"},
        "outputs": {"x": "${nodes.n0.outputs.n}", "c": "${computed.c}"},
    }
    if random.random() < 0.5:
        last, edges = nodes_of(random, "f", random.randint(1, 4))
        for edge in edges:
            node = next(node for node in last if node["name"] == edge["to"])
            node.setdefault("after", []).append(edge["from"])
        spec["finally"] = last
    if random.random() < 0.4:
        spec["concurrency"] = {"maxNodes": random.randint(1, 3)}
    if random.random() < 0.3:
        spec["timeout"] = "1m"
    return parse_spec(Definition, {**spec, "workflows": {"act": ACT}})


class World:
    """Log, runner, clock and people, with several decisions to a commit."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.graph = compile_workflow(workflow(random), "flow")
        self.engine = Engine(self.graph)
        self.limit = random.choice([1, 3, 1_000])
        self.now = START
        self.log: list[bytes] = []
        self.folded = State()
        self.running: dict[Key, StartAttempt] = {}
        self.known: set[Key] = set()
        self.cache = MemoryCache()
        self.asked: list[LookUp] = []
        self.wish: dict[str, Any] = {}
        self.failing = 0.3

    def tell(self, *commands: c.Command) -> None:
        events: list[e.Event] = []
        for command in commands:
            events += self.engine.decide(command, self.now, self.limit)
            while self.engine.unfinished:
                self.commit(events)
                events = self.engine.decide_more(self.now, self.limit)
        self.commit(events)

    def commit(self, events: list[e.Event]) -> None:
        for event in events:
            self.log.append(e.encode(event))
            evolve(self.folded, e.decode(self.log[-1]))
        assert s.encode(self.folded) == s.encode(self.engine.state)
        for effect in effects_of(self.graph, self.engine.state, events):
            if isinstance(effect, StartAttempt):
                key = (effect.node, effect.attempt, effect.delivery)
                assert key not in self.known, f"{key} is started twice"
                assert effect.node not in {other[0] for other in self.running}, (
                    f"two attempts of {key} in hand"
                )
                self.known.add(key)
                self.running[key] = effect
                assert self.graph.max_nodes is None or len(self.running) <= self.graph.max_nodes
            elif isinstance(effect, StopAttempt):
                stopped = (effect.node, effect.attempt, effect.delivery)
                assert stopped in self.known, f"{stopped} is stopped and was never started"
            elif isinstance(effect, LookUp):
                self.asked.append(effect)
            elif isinstance(effect, FillCache):
                place, entry = caching.store_key(effect.identity), caching.entry_of(effect)
                self.cache.put_now(place, entry, effect.expires, effect.at)

    def want(self, **fields: Any) -> None:
        """Tell a wish twice: it is a level, the second time says nothing."""
        self.wish.update(fields)
        self.tell(c.Wish(**self.wish))
        before = len(self.log)
        self.tell(c.Wish(**self.wish))
        assert before == len(self.log), "the same wish again has changed something"

    def crash(self) -> None:
        self.engine = Engine(self.graph, fold(e.decode(data) for data in self.log))
        self.asked = unanswered_of(self.graph, self.engine.state)

    def report(self, key: Key) -> c.Command:
        about: dict[str, Any] = {"node": key[0], "attempt": key[1], "delivery": key[2]}
        if self.random.random() < 0.3:
            return c.AttemptStarted(**about)
        del self.running[key]
        dice = self.random.random()
        if dice < self.failing:
            return c.AttemptEnded(**about, error=e.Error(reason="NonZeroExit"))
        if dice < self.failing + 0.05:
            return c.AttemptLost(**about)
        return c.AttemptEnded(**about, outputs={"n": key[1] if dice < 0.95 else float("nan")})

    def answer(self) -> None:
        """The cache answers one question, and sometimes once more."""
        effect = self.asked.pop(self.random.randrange(len(self.asked)))
        found = caching.answer(effect, self.cache.get_now(caching.store_key(effect.identity), effect.at))
        self.tell(found)
        if self.random.random() < 0.2:
            self.tell(found)

    def step(self) -> None:
        random, dice = self.random, self.random.random()
        if random.random() < 0.1:
            self.crash()
        if dice < 0.03:
            self.want(suspend=True, suspend_timeout=random.choice([None, 30 * SECOND]))
        elif dice < 0.04:
            self.want(held=True)
        elif dice < 0.15:
            self.want(
                **random.choice([{"suspend": False}, {"held": False}, {"suspend": False, "held": False}])
            )
        elif dice < 0.17:
            self.want(cancel=True, force=random.random() < 0.4)
        elif dice < 0.18:
            self.want(cancel=False)
        elif dice < 0.22:
            self.now += 15 * SECOND
            self.tell(c.Tick())
        elif self.asked and dice < 0.7:
            self.answer()
        elif self.running:
            keys = sorted(self.running)
            self.tell(
                *(
                    self.report(key)
                    for key in random.sample(keys, min(len(keys), random.choice([1, 1, 2, 3])))
                )
            )
        else:
            due = self.engine.next_due(self.now)
            if due is None:
                assert self.engine.state.suspended_at, "the run is stuck"
                self.want(suspend=False, held=False)
            else:
                self.now = max(self.now, due)
                self.tell(c.Tick())

    def check_ended(self) -> None:
        """What holds whenever a run has ended."""
        state = self.engine.state
        assert not self.running and not state.active and not state.ready and not state.waiting
        assert not state.timers.due and not state.paused_timers.due
        assert all(path.status != s.ACTIVE for path in state.paths.values())
        assert all(state.node(name).status in s.ENDED_NODE for name in self.graph.root.nodes)
        counters = state.counters
        assert counters.done + counters.failed + counters.skipped == counters.total
        events = [e.decode(data) for data in self.log]
        assert list(range(1, len(events) + 1)) == [event.seq for event in events]
        assert counters.total == check_history(events)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_every_epoch_ends_and_leaves_nothing_behind(seed):
    """No run is stuck, no move is illegal, no attempt is doubled or forgotten, and no path or timer outlives the end."""
    world = World(Random(seed))
    world.tell(
        c.Create(name="run", uid="u", digest="d", runtime="t", inputs={"n": world.random.randint(0, 3)})
    )
    epoch = 0
    for _ in range(3_000):
        if not world.engine.state.ended:
            world.step()
            continue
        world.check_ended()
        if epoch == EPOCHS or world.engine.state.phase == s.SUCCEEDED:
            return
        epoch += 1
        world.failing = world.random.choice([0.0, 0.3])
        if world.random.random() < 0.3:
            world.want(cancel=not world.wish.get("cancel", False))
        world.want(redrive=epoch, suspend=world.random.random() < 0.2)
    raise AssertionError("the run does not end")
