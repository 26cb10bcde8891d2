"""docs/reasons.md has every condition, reason and kind of wait that the operator writes.

Every status that a test of the cluster looks at is checked in the same way, by `tests.support.operators.Site.status`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tests.docs.doc_pages import DOCS, ROOT
from tests.engine.test_transitions import SCENARIOS
from tests.support.documented import undocumented
from tests.support.driver import Driver

from fairlead.engine import summary
from fairlead.kube.notices import notes
from fairlead.model import events as e
from fairlead.model import reasons, shown

PAGE = (DOCS / "reasons.md").read_text(encoding="utf-8")
ALL = {*reasons.MEANINGS, *shown.CONDITION_REASONS}


def test_every_constant_has_a_meaning():
    """A reason that is added to the list without a meaning, or a condition, or a kind of wait, is found."""
    constants = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    conditions = {shown.READY, shown.RECONCILING, shown.STALLED, shown.SUCCEEDED}

    assert constants == set(reasons.MEANINGS)
    assert {*conditions, shown.PERMITTED, shown.PROTECTED, shown.LOG_RETIRED} == set(shown.CONDITIONS)


def test_everything_stands_in_the_page():
    """Each name is a row of a table."""
    named = [*ALL, *shown.CONDITIONS, *shown.WAITS, notes.LOG_FROZEN]
    named += [event.__name__ for event in notes.TOLD if event.__name__ != "DeliveryHeld"]

    assert [name for name in named if f"\n| `{name}` |" not in PAGE] == []


def _literals() -> Iterator[tuple[str, str]]:
    """Where a reason is written out: `reason="..."`, `{"reason": "..."}`, of the layers that decide and write."""
    for layer in ("engine", "kube", "local", "runtime"):
        for path in sorted((ROOT / "operator" / "fairlead" / layer).rglob("*.py")):
            if path.parent.name == "expressions":  # it finds mistakes in manifests, which never run
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                pairs: list[tuple[str, ast.expr | None]] = []
                if isinstance(node, ast.Call):
                    pairs = [(keyword.arg or "", keyword.value) for keyword in node.keywords]
                elif isinstance(node, ast.Dict):
                    keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                    pairs = [(str(key), value) for key, value in zip(keys, node.values, strict=True)]
                for key, value in pairs:
                    if key == "reason" and isinstance(value, ast.Constant) and value.value:
                        yield f"{path.name}:{value.lineno}", str(value.value)


def test_no_reason_is_written_out_beside_the_lists():
    """What begins as a CamelCase word is a name of the lists."""
    assert [where for where, reason in _literals() if reason not in ALL and reason[0].isupper()] == []


def test_what_scenarios_show_is_documented(monkeypatch):
    """The statuses after every commit of the scenarios, which make every move there is, say only what the tables have."""
    found: set[str] = set()
    kinds: set[str] = set()
    commit = Driver._commit

    def looking(self: Driver, events: Sequence[e.Event]) -> None:
        commit(self, events)
        status = summary.status(self.graph, self.state, self.now)
        found.update(undocumented(status))
        kinds.update(waiting["kind"] for waiting in status["waitingFor"])

    monkeypatch.setattr(Driver, "_commit", looking)
    for scenario in SCENARIOS:
        scenario()

    assert found == set()
    assert {shown.TIMER, shown.START, shown.CHILD, shown.SUSPEND, shown.POD, shown.MAX_NODES} <= kinds
