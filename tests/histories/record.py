"""Records histories: `python -m tests.histories.record` writes one file per scenario that has none yet.

A history is `{workflow, commands: [[now, command]…], log: [event…], blobs: {digest: blob}, status}`; the blobs are those of
large values. Files that exist are never written again: they are the past, and every later release must fold them to the same
status.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.support.driver import Driver

from fairlead.engine.summary import status
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.large import Taker
from fairlead.model.manifests import plain

FOLDER = Path(__file__).parent
RUN: dict[str, Any] = {"run": {"sh": "true"}}


class Recorder(Driver):
    """A driver that keeps its commands."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.told: list[list[Any]] = []
        super().__init__(spec)

    def tell(self, *commands: c.Command) -> Driver:
        self.told += [[self.now, msgspec.to_builtins(command)] for command in commands]
        return super().tell(*commands)


def order() -> Recorder:
    """Branches, a retry, a join, variables and outputs."""
    run = Recorder(
        {
            "inputs": {"type": "object", "properties": {"price": {"type": "number"}}},
            "computed": {"total": "inputs.price * 2.0"},
            "variables": {"currency": "EUR"},
            "nodes": [
                {"name": "reserve", **RUN, "store": {"id": "${outputs.id}"}, "retry": {"maxAttempts": 3}},
                {"name": "big", "if": "computed.total > 100.0", "after": ["reserve"]},
                {"name": "check", "after": ["big.true"], **RUN},
                {
                    "name": "charge",
                    "join": "any",
                    "after": ["check", "big.false"],
                    **RUN,
                    "with": {"id": "${vars.id}"},
                },
                {
                    "name": "note",
                    "after": ["charge"],
                    "log": {"message": "paid ${computed.total} ${vars.currency}"},
                },
            ],
            "outputs": {"receipt": "${nodes.charge.outputs.receipt}"},
        }
    )
    run.create({"price": 70.5})
    run.fail("reserve").wait_for_timer()
    run.started("reserve").end("reserve", {"id": "r-1"}).tick(2).end("check").tick(1).end(
        "charge", {"receipt": "x"}
    )
    return run


def interrupted() -> Recorder:
    """Suspend, a lost delivery, cancel, redrive, finally."""
    run = Recorder(
        {
            "nodes": [{"name": "a", **RUN}, {"name": "b", "after": ["a"], **RUN}, {"name": "c", **RUN}],
            "finally": [{"name": "tidy", **RUN}],
        }
    )
    run.create().started("a").wish(suspend=True).end("a").tick(60)
    run.wish(suspend=False).lose("b").tick().wish(cancel=True, cancel_reason="enough").fail("b").fail(
        "c"
    ).end("tidy")
    run.wish(cancel=True, cancel_reason="enough", redrive=1).end("b").end("c").end("tidy")
    return run


def ladder() -> Recorder:
    """Timeout, fallback, a handled failure, onError, a quorum that cannot come, failFast off."""
    run = Recorder(
        {
            "failFast": False,
            "nodes": [
                {"name": "slow", **RUN, "timeout": "5s", "fallback": "spare"},
                {"name": "spare", **RUN},
                {"name": "shaky", **RUN, "onError": "continue"},
                {"name": "bad", **RUN},
                {"name": "saved", "after": ["bad.failed"], "set": {"why": "${nodes.bad.error.reason}"}},
                {"name": "quorum", "join": {"atLeast": 2}, "after": ["slow", "bad", "saved.failed"], **RUN},
            ],
        }
    )
    run.create().started("slow").tick(5).fail("slow", "Signalled").fail("shaky").fail("bad").end(
        "slow/spare", {"n": 2**53}
    )
    return run


def children() -> Recorder:
    """Children that succeed at the second attempt, are suspended and cancelled along, redriven, and let go."""
    call = {"name": "other", "inputs": {"n": "${inputs.n}"}}
    run = Recorder(
        {
            "nodes": [
                {"name": "first", "workflow": call, "retry": {"maxAttempts": 2}, "timeout": "1h"},
                {"name": "loose", "workflow": {"name": "bill", "wait": False}},
                {"name": "last", "after": ["first"], "workflow": {"name": "other"}},
            ],
        }
    )
    run.create({"n": 3}).started("loose").started("first").fail("first").wait_for_timer()
    run.started("first").wish(suspend=True).tick(60).wish(suspend=False).end("first", {"x": 1})
    run.started("last").wish(cancel=True, cancel_reason="enough").end_child("last", s.CANCELLED)
    run.wish(cancel=True, cancel_reason="enough", redrive=1).end("last", {"x": 2})
    return run


def cached() -> Recorder:
    """A miss, a hit of a later item, a key that is none, and a computed field over what was looked up."""
    look = {"name": "look", **RUN, "cache": {"key": "${item}", "ttl": "1h"}, "store": {"n": "${outputs.n}"}}
    run = Recorder(
        {
            "variables": {"n": 0},
            "computed": {"twice": "vars.n * 2"},
            "nodes": [
                {"name": "each", "forEach": {"items": ["a", "a", "b"], "maxParallel": 1, "nodes": [look]}},
                {"name": "bad", **RUN, "cache": {"key": "${inputs.n}"}, "onError": "continue"},
                {"name": "say", "after": ["each"], "log": {"message": "${computed.twice}"}},
            ],
        }
    )
    run.create({"n": 5}).started("each[0]/look").tick(1).end("each[0]/look", {"n": 1})
    run.tick(1).end("each[2]/look", {"n": 2})
    return run


def loops() -> Recorder:
    """A loopback around a fork, with an inner one, a pass that is abandoned, and one take too many."""
    run = Recorder(
        {
            "nodes": [
                {"name": "draft", **RUN},
                {"name": "slow", "after": ["draft"], **RUN},
                {"name": "quick", "after": ["draft"], **RUN, "with": {"pass": "${pass.index}"}},
                {"name": "check", "join": "any", "after": ["slow", "quick"], **RUN},
                {"name": "told", "after": ["draft"], "log": {"message": "drafted"}},
                {"name": "help", "after": ["check.failed"], "when": "nodes.check.status == 'Failed'", **RUN},
            ],
            "connections": [
                {"from": "check", "to": "draft", "loopback": {"maxIterations": 1}},
                {"from": "quick.failed", "to": "quick", "loopback": {"maxIterations": 2}},
            ],
        }
    )
    run.create().end("draft").fail("quick").end("quick#1").end("check").fail("slow", "Signalled")
    run.end("draft#1").fail("quick#2").end("slow#1").end("quick#3").end("check#1").end("help")
    return run


def inlined() -> Recorder:
    """Workflows that run inline, one in the other, in a forEach and after a failure, with a finally of their own; redriven."""
    priced = {
        "inputs": {"type": "object", "properties": {"net": {"type": "number"}}},
        "variables": {"rate": 0.2},
        "computed": {"gross": "inputs.net * (1.0 + vars.rate)"},
        "nodes": [{"name": "look", **RUN, "store": {"rate": "${outputs.rate}"}}],
        "finally": [{"name": "tidy", **RUN}],
        "outputs": {"gross": "${computed.gross}"},
    }
    shipped = {
        "nodes": [
            {"name": "price", "workflow": {"name": "priced", "inline": True, "inputs": {"net": 8}}},
            {"name": "enough", "if": "nodes.price.outputs.gross > 9.0", "after": ["price"]},
            {"name": "stop", "after": ["enough.true"], "finish": {"result": "dear"}},
            {"name": "ship", "after": ["enough.false"], **RUN, "retry": {"maxAttempts": 2}},
        ],
    }
    call = {"name": "priced", "inline": True, "inputs": {"net": "${item}"}}
    each = {"items": [1, 2.5], "nodes": [{"name": "one", "workflow": call}]}
    run = Recorder(
        {
            "nodes": [
                {"name": "all", "forEach": {**each, "outputs": {"gross": "${nodes.one.outputs.gross}"}}},
                {"name": "order", "after": ["all"], "workflow": {"name": "shipped", "inline": True}},
            ],
            "workflows": {"priced": priced, "shipped": shipped},
            "outputs": {"gross": "${nodes.all.outputs.items}"},
        }
    )
    run.create().end("all[0]/one/look", {"rate": 0.5}).end("all[1]/one/look", {"rate": 0.5})
    run.end("all[1]/one.finally/tidy").end("all[0]/one.finally/tidy").fail("order/price/look")
    run.end("order/price.finally/tidy").wish(redrive=1).end("order/price/look", {"rate": 0.1})
    run.end("order/price.finally/tidy").fail("order/ship").wait_for_timer()
    run.started("order/ship").end("order/ship")
    return run


def large() -> Recorder:
    """A large list, made once, read by items and stored in a variable; one of its entries is large itself."""
    rows = [{"id": 2**53 + number, "text": "t" * 100} for number in range(40)]
    each = {
        "items": "${nodes.make.outputs.rows}",
        "maxParallel": 16,
        "nodes": [{"name": "see", "log": {"message": "${string(item.id)}"}}],
    }
    run = Recorder(
        {
            "variables": {"kept": []},
            "nodes": [
                {"name": "make", **RUN, "store": {"kept": "${outputs.rows}"}},
                {"name": "each", "after": ["make"], "forEach": each},
                {"name": "use", "after": ["each"], **RUN, "with": {"rows": "${vars.kept}", "all": "${vars}"}},
            ],
            "outputs": {"rows": "${vars.kept}", "more": "${nodes.use.outputs}"},
        }
    )
    run.create().end("make", {"rows": [*rows, {"id": 0, "text": "x" * 5_000}]})
    run.end("use", {"page": "y" * 6_000, "pages": 1})
    return run


SCENARIOS: list[Callable[[], Recorder]] = [
    order,
    interrupted,
    ladder,
    children,
    cached,
    loops,
    inlined,
    large,
]


def history(run: Recorder) -> dict[str, Any]:
    """The file's content."""
    taker = Taker()
    log = [json.loads(e.encode(taker.thin(event))) for event in run.events]
    blobs = {digest: json.loads(data) for digest, data in taker.fresh.items()}
    return {
        "workflow": plain(run.spec),
        "commands": run.told,
        "log": log,
        **({"blobs": blobs} if blobs else {}),
        "status": status(run.graph, run.state, run.now),
    }


def main() -> None:
    """Write what is not there."""
    for scenario in SCENARIOS:
        path = FOLDER / f"{scenario.__name__}.json"
        if not path.exists():
            run = scenario()
            run.check_ended()
            path.write_text(json.dumps(history(run), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
