"""The tables of legal moves: every row is made by some scenario here, and nothing else is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.driver import Driver

from fairlead.engine.evolve import evolve
from fairlead.engine.folding import moves
from fairlead.engine.transitions import TABLES, Table
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.errors import Bug
from fairlead.model.state import State

RUN: dict[str, Any] = {"run": {"sh": "true"}}
BROKEN: dict[str, Any] = {"run": {"sh": "true"}, "with": {"x": "${inputs.missing}"}}
Move = tuple[str, str, str]


class Recorder(dict[str, str]):
    """A row of a table that remembers which of its moves were made."""

    def __init__(self, kind: str, status: str, row: dict[str, str], seen: set[Move]) -> None:
        super().__init__(row)
        self._at = (kind, status)
        self._seen = seen

    def __getitem__(self, event: str) -> str:
        self._seen.add((*self._at, event))
        return super().__getitem__(event)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[Move]:
    """The moves made while the test runs."""
    made: set[Move] = set()

    def recording(kind: str, table: Table) -> dict[str, Recorder]:
        return {status: Recorder(kind, status, row, made) for status, row in table.items()}

    for kind, name in (("execution", "EXECUTION"), ("path", "PATH"), ("node", "NODE")):
        monkeypatch.setattr(moves, name, recording(kind, TABLES[kind]))
    return made


def run_of(*nodes: dict[str, Any], **spec: Any) -> Driver:
    """A run of nodes named a, b, c, …."""
    named = [{"name": "abcdefgh"[i], **node} for i, node in enumerate(nodes)]
    return Driver({"nodes": named, **spec})


def retried() -> None:
    run = run_of({**RUN, "retry": {"maxAttempts": 3}, "timeout": "5s"}, RUN).create()
    run.fail("a").wait_for_timer()
    run.started("a").tick(5).fail("a").wish(suspend=True).wish(suspend=False)
    run.wait_for_timer()
    run.started("a").tick(5)
    run.fail("a").fail("b")
    run.check_ended()
    run_of({**RUN, "retry": {"maxAttempts": 3}}).create().fail("a").wish(cancel=True).check_ended()


def held() -> None:
    """Instances held by a suspension and by maxNodes, and what becomes of them."""
    spec = {"concurrency": {"maxNodes": 1}}
    run = run_of(RUN, RUN, {"set": {"x": 1}}, {**RUN, "when": "false"}, **spec).create(
        wish=c.Wish(suspend=True)
    )
    run.wish(suspend=False).end("a").end("b")
    run.check_ended()
    run = run_of(RUN, {"if": "inputs.missing"}).create(wish=c.Wish(suspend=True))
    run.wish(suspend=False)
    run.check_ended()
    run = run_of({**BROKEN, "fallback": "b"}, RUN).create(wish=c.Wish(suspend=True)).wish(suspend=False)
    run.end("a/b")
    run = run_of(RUN, RUN, **spec).create().wish(cancel=True).fail("a")
    run.check_ended()
    retry = {"retry": {"maxAttempts": 2, "initialDelay": "1s", "jitter": 0}}
    run = run_of({**RUN, **retry}, RUN, **spec).create().fail("a").tick(1).end("b")
    run.end("a")
    run.check_ended()


def lost() -> None:
    """Deliveries lost before and after their start; redelivered at once, after waiting for a slot, or not at all."""
    run = (
        run_of(RUN, RUN, concurrency={"maxNodes": 1}).create().lose("a").tick().end("b").started("a").end("a")
    )
    run.check_ended()
    run = run_of({**RUN, "maxDeliveries": 2}).create().started("a").lose("a").tick().started("a").lose("a")
    run.check_ended()
    run = run_of({**RUN, "maxDeliveries": 1, "fallback": "b"}, RUN).create().lose("a").end("a/b")
    run.check_ended()
    run = run_of({**RUN, "maxDeliveries": 1}).create().lose("a")
    run.check_ended()
    run = run_of(RUN, RUN).create().lose("a").wish(cancel=True).fail("b")
    run.check_ended()


def fallen_back() -> None:
    both = {**RUN, "fallback": "b"}
    run_of(both, RUN).create().fail("a").end("a/b").check_ended()
    run_of(both, RUN).create().fail("a").fail("a/b").check_ended()
    run_of(both, RUN).create().fail("a").wish(cancel=True).fail("a/b").check_ended()
    run_of({**BROKEN, "fallback": "b"}, RUN).create().end("a/b").check_ended()
    run = run_of({**both, "timeout": "1s"}, RUN).create().started("a").tick(1).fail("a")
    run.end("a/b").check_ended()


def stopped() -> None:
    run = (
        run_of({**RUN, "timeout": "5s"}, RUN, RUN)
        .create()
        .started("a")
        .tick(5)
        .started("b")
        .wish(cancel=True)
    )
    run.fail("a").end("b").fail("c")
    run.check_ended()
    run_of({**RUN, "startTimeout": "5s"}).create().tick(5).fail("a").check_ended()


def paths() -> None:
    run = run_of(
        RUN,
        {**RUN, "after": ["a"]},
        {**RUN, "after": ["a"]},
        {"after": ["b", "c"], "join": "any", "set": {"x": 1}},
    ).create()
    run.end("a").end("b").end("c")
    run.check_ended()
    run = run_of(
        RUN, {**RUN, "after": ["a"]}, {**RUN, "after": ["a"]}, {"after": ["b", "c"], "set": {"x": 1}}
    ).create()
    run.end("a").end("b").end("c")
    run.check_ended()
    run_of(RUN, {"after": ["a.failed"], "set": {"x": 1}}).create().end("a").check_ended()


def redriven() -> None:
    last = {
        "finally": [
            {"name": "f", "set": {"x": 1}},
            {"name": "g", **RUN},
            {"name": "h", "if": "inputs.missing"},
        ]
    }
    run = run_of(RUN, RUN, {**RUN, "after": ["b"]}, **last).create()
    run.fail("a").fail("b").end("g")
    run.wish(redrive=1).end("a").wish(redrive=1, cancel=True).fail("b").fail("g")
    run.wish(redrive=2, cancel=True).end("b").end("c").end("g")
    run.check_ended()


def waited() -> None:
    """Waits that end in every way there is."""
    wait = {"wait": {"for": "1s", "timeout": "5s"}}
    run_of(wait).create(wish=c.Wish(suspend=True)).wish(suspend=False).tick(1).check_ended()
    run_of({"wait": {"for": "9s", "timeout": "5s"}}).create().tick(5).check_ended()
    run_of(wait).create().wish(cancel=True).check_ended()
    broken = {**wait, "store": {"x": "${outputs.nothing}"}}
    run_of(broken).create().tick(1).check_ended()
    run_of({**broken, "fallback": "b"}, RUN).create().tick(1).end("a/b", {"nothing": 1}).check_ended()


def looked_up() -> None:
    """Questions to the cache: asked at once or after a suspension, answered with something or nothing, and given up."""
    cached = {"name": "a", **RUN, "cache": {"key": "k"}, "store": {"x": "${inputs.y}"}}
    for fallback in ([], [{"name": "b", **RUN}]):
        nodes = [{**cached, **({"fallback": "b"} if fallback else {})}, *fallback]
        first = Driver({"nodes": nodes}).create({"y": 1}, wish=c.Wish(suspend=True)).wish(suspend=False)
        first.end("a").check_ended()
        Driver({"nodes": nodes}, cache=first.cache).create({"y": 2}).check_ended()
        second = Driver({"nodes": nodes}, cache=first.cache).create({})
        (second.end("a/b") if fallback else second).check_ended()
    Driver({"nodes": [cached]}, slow=True).create().wish(cancel=True).check_ended()


def taken_back() -> None:
    """An attempt whose run fails before it was handed to a runner, and a redriven finish."""
    run_of(RUN, BROKEN).create().check_ended()
    run = run_of(RUN, {"after": ["a"], "finish": {"result": "failed"}}).create().end("a").wish(redrive=1)
    run.check_ended()


def looped() -> None:
    """Containers that begin at once, and after they were held."""
    each = {"forEach": {"items": [1], "nodes": [{"name": "n", **RUN}]}}
    sides = {"parallel": {"branches": [{"name": "x", "nodes": [{"name": "n", **RUN}]}]}}
    run_of(each).create(wish=c.Wish(suspend=True)).wish(suspend=False).end("a[0]/n").check_ended()
    run_of(sides).create().end("a.x/n").check_ended()
    inlined = {"workflow": {"name": "act", "inline": True}}
    run_of(inlined, workflows={"act": {"nodes": [{"name": "n", **RUN}]}}).create().end("a/n").check_ended()


def called() -> None:
    """Children that are asked for at once, after a suspension, once more; refused, lost, stopped and let go."""
    call: dict[str, Any] = {"workflow": {"name": "other"}}
    again = {"retry": {"maxAttempts": 3, "retryOn": "true"}}
    run_of(RUN).create(wish=c.Wish(held=True)).wish(held=True, suspend=True).wish().end("a").check_ended()
    run_of(call).create(wish=c.Wish(suspend=True)).wish(suspend=False).end("a").check_ended()
    run_of({**call, **again}).create().refuse("a").wait_for_timer()
    run = run_of({**call, **again}).create().refuse("a")
    run.wait_for_timer()
    run.fail("a").wait_for_timer()
    run.end("a").check_ended()
    run = run_of(call).create().started("a").wish(cancel=True)
    run.end_child("a", s.CANCELLED).check_ended()


def went_on() -> None:
    """Containers whose next attempt begins, and bodies that go on with what ended in each way there is."""
    each = {"forEach": {"items": [1], "nodes": [{"name": "n", **RUN}]}}
    run = run_of({**each, "retry": {"maxAttempts": 2}}).create().fail("a[0]/n")
    run.wait_for_timer()
    run.end("a[0]/n").check_ended()
    nodes = [
        {"name": "n", **RUN},
        {"name": "m", **RUN},
        {"name": "end", "after": ["n"], "finish": {"result": "failed"}},
        {"name": "o", "after": ["end.failed"], "set": {"x": 1}},
    ]
    body = {"forEach": {"items": [1], "maxParallel": 1, "nodes": nodes}}
    run = run_of(body).create().fail("a[0]/n").fail("a[0]/m").wish(redrive=1).end("a[0]/n").fail("a[0]/m")
    run.wish(redrive=2).check_ended()


def repeated() -> None:
    """Fresh passes of instances that ended in every way there is."""
    named = {"a": RUN, "s": RUN, "x": RUN, "y": {**RUN, "when": "false"}, "b": {**RUN, "join": "any"}}
    edges = [("a", "s"), ("a", "x"), ("a", "y"), ("s", "b"), ("x.failed", "b"), ("y", "b")]
    run = Driver(
        {
            "nodes": [{"name": name, **node} for name, node in named.items()],
            "connections": [
                *({"from": source, "to": target} for source, target in edges),
                {"from": "b", "to": "a", "loopback": {}, "when": "pass.index < 1"},
            ],
        }
    ).create()
    run.end("a").fail("x").end("b").fail("s").wish(cancel=True).fail("a#1")
    run.check_ended()


def broken_variables() -> None:
    run_of(RUN, variables={"x": "${inputs.missing}"}).create()


def delayed() -> None:
    """A delivery is held before it runs, while it runs, and while it is being ended."""
    run = run_of({**RUN, "timeout": "1s"}).create()
    run.tell(c.AttemptHeld(node="a", attempt=1, reason="Unschedulable"))
    run.started("a").tell(c.AttemptHeld(node="a", attempt=1, reason="NodeLost"))
    run.tick(2).tell(c.AttemptHeld(node="a", attempt=1, reason="PodDeleting"))
    run.end("a", reason="Signalled")


SCENARIOS: list[Callable[[], None]] = [
    retried, held, delayed, lost, fallen_back, stopped, paths, redriven, taken_back, waited, looked_up, looped, called,
    went_on, repeated, broken_variables,
]  # fmt: skip


def test_every_legal_move_is_made(seen):
    """A row that no scenario makes is a row that nobody needs, or a case that nobody tests."""
    for scenario in SCENARIOS:
        scenario()
    rows = {
        (kind, status, event)
        for kind, table in TABLES.items()
        for status, row in table.items()
        for event in row
    }

    assert set() == rows - seen


def test_the_tables_name_events_that_exist():
    """Every column is an event type, every target a status of the table."""
    for table in TABLES.values():
        for row in table.values():
            assert set(row) <= set(e.TYPES)
            assert set(row.values()) <= set(table)


def test_an_illegal_move_changes_nothing():
    """`evolve` refuses an event that fits no row, names what it saw, and leaves the state as it was."""
    run = run_of(RUN, RUN).create().end("a")
    before = s.encode(run.state)
    wrong = e.NodeRetrying(
        seq=run.state.seq + 1,
        at=run.now,
        node="a",
        path="0",
        attempt=1,
        error=e.Error(reason="X"),
        delay=1,
        due=1,
    )

    with pytest.raises(Bug, match="NodeRetrying is no move of node 'a' that is Succeeded"):
        evolve(run.state, wrong)

    assert before == s.encode(run.state)


def test_an_event_out_of_sequence_is_refused():
    """Sequence numbers have no gaps."""
    with pytest.raises(Bug, match="event 7 cannot follow 0; expected 1"):
        evolve(State(), e.ExecutionSuspended(seq=7, at=1))
