"""Records histories: `python -m tests.histories.record` writes one file per scenario that has none yet.

A history is `{workflow, commands: [[now, command]…], log: [event…], status}`. Files that exist are never written again: they are
the past, and every later release must fold them to the same status.
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
from fairlead.model import state as s
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


SCENARIOS: list[Callable[[], Recorder]] = [order, interrupted, ladder, children, cached, loops]


def history(run: Recorder) -> dict[str, Any]:
    """The file's content."""
    return {
        "workflow": plain(run.spec),
        "commands": run.told,
        "log": [json.loads(data) for data in run.log],
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
