"""A status has at most 64 KiB whatever the state is (semantics 37)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.driver import Driver

from fairlead.engine.summary import cut, status
from fairlead.model.events import Error
from fairlead.model.manifests import parse_spec
from fairlead.model.manifests.status import ExecutionStatus
from fairlead.model.state import Failure

LIMIT = 64 * 1024
TEXTS = st.sampled_from(
    ["", "short", "x" * 100_000, "\x00" * 30_000, "ü" * 40_000, '"\\' * 30_000, "\U0001f600" * 20_000]
)


def size(driver: Driver) -> int:
    found = status(driver.graph, driver.state, driver.now)
    parse_spec(ExecutionStatus, json.loads(json.dumps(found)))
    return len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())


@st.composite
def errors(draw: st.DrawFn, depth: int = 0) -> Error:
    """An error with causes."""
    causes = draw(st.lists(errors(depth + 1), max_size=3)) if depth < 3 else []
    return Error(
        reason=draw(st.sampled_from(["Timeout", "R" * 9_000])),
        message=draw(TEXTS),
        exit_code=1,
        causes=causes * 4,
    )


VALUES = st.dictionaries(
    st.text(min_size=1, max_size=4) | st.sampled_from(["k" * 20_000]),
    TEXTS
    | st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)
    | st.just([0] * 5_000)
    | st.just("v" * 4_000),
    max_size=12,
)


@settings(deadline=None, max_examples=15)
@given(
    many=st.sampled_from([0, 60, 1_000]),
    kind=st.sampled_from(["run", "wait", "fail"]),
    variables=VALUES,
    outputs=VALUES,
    copies=st.sampled_from([1, 700]),
    error=st.none() | errors(),
    text=TEXTS,
)
def test_no_state_makes_a_status_of_more_than_64_kib(many, kind, variables, outputs, copies, error, text):
    """Thousands of instances that run or wait, huge messages and values, thousands of variables, all at once."""
    driver = running(many, kind)
    state = driver.state
    state.variables = {
        f"{name}{number}": value for name, value in variables.items() for number in range(copies)
    }
    state.outputs, state.result, state.reason = outputs, text, text
    if error is not None:
        state.failure = Failure(error=error, node="n" * 600, path="0.1" * 50)
        for path in list(state.paths.values())[:200]:
            path.error = error
        state.phase = "Failed" if not many else state.phase

    assert size(driver) <= LIMIT


def running(many: int, kind: str) -> Driver:
    """A run with so many items at work, at waits, or between two attempts."""
    work: dict[str, Any] = {"wait": {"for": "1h"}} if kind == "wait" else {"run": {"sh": "true"}}
    if kind == "fail":
        work["retry"] = {"maxAttempts": 3, "initialDelay": "1h"}
    node = {"name": "a-name-of-sixty-three-letters-which-is-as-long-as-they-may-get-at", **work}
    node["name"] = node["name"][:63].rstrip("-")
    loop = {"name": "loop", "forEach": {"items": list(range(many)), "nodes": [node]}}
    driver = Driver({"nodes": [loop, {"name": "other", "run": {"sh": "true"}}]}, check=False).create()
    if kind == "fail":
        for name in [key[0] for key in driver.running if "/" in key[0]][:100]:
            driver.fail(name, message="m" * 1_000)
    return driver


def test_what_was_left_out_is_counted():
    """`more` has the paths, the waits and the variables that are not shown."""
    driver = running(200, "wait")
    driver.state.variables = {f"v{number}": "x" * 100 for number in range(1_000)}

    found = status(driver.graph, driver.state, driver.now)

    assert len(found["paths"]) + found["more"]["paths"] == 202
    assert len(found["waitingFor"]) + found["more"]["waitingFor"] == 201
    assert len(found["variables"]) + found["more"]["variables"] == 1_000
    assert "outputs" not in found["more"]


@pytest.mark.parametrize(
    "text", ["", "a", "ü" * 20, "\x00" * 20, "x" * 999], ids=["empty", "one", "two bytes", "escapes", "long"]
)
@given(most=st.integers(10, 60))
def test_a_cut_text_fits_and_begins_like_the_whole(text, most):
    """As much as fits, with an ellipsis; a text that fits is left as it is."""
    found = cut(text, most)

    form = json.dumps(found, ensure_ascii=False).encode()
    assert len(form) <= most
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))
