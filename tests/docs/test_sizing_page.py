"""docs/sizing.md says what bench/README.md printed, and the limits that the code has."""

from __future__ import annotations

import re

import pytest
from tests.docs.doc_pages import DOCS, ROOT

from fairlead.engine.summary import PATHS_SHOWN, VALUE_SHOWN
from fairlead.kube.statuses import LIMIT
from fairlead.model.reasons import MEANINGS
from fairlead.model.shape_limits import MAX_NODES

PAGE = (DOCS / "sizing.md").read_text(encoding="utf-8")
BENCH = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("2.6 ms a node of a fan-out", r"fan-out of 500 .* 2\.6\d ms CPU a node"),
        ("4.9 ms a node in short chains", r"50 chains of 10 .* 4\.8\d ms CPU a node"),
        ("20 to 28 ms a node", r"use 20 to 28 ms of CPU"),
        ("2.4 to 4.0 a node", r"2\.39 API writes a node[^$]* 4\.01 API writes a node"),
        ("88 nodes/s in a fan-out", r"fan-out of 500 +88 nodes/s"),
        ("67 nodes/s in chains", r"50 chains of 10 +67 nodes/s"),
        ("145 pods/s", r"bare +145 pods/s"),
        ("9 ms at p50, 27 ms at p99", r"p50 8\.9 ms \(target 15\), p99 27\.1 ms"),
        ("40,000 a second and more", r"worst: 4\d,\d+ nodes/s"),
        ("one run with 10,000 nodes | 188 MiB", r"fan-out of 10,000: .* memory at most 188 MiB"),
        ("1,000 runs at once | 152 MiB", r"1,000 live executions: .* 152 MiB"),
        ("471 KiB", r"largest object of a run: 471 KiB"),
        ("5 s later (p50; 9 s p99)", r"restart under the same identity: .* p50 5\.4 s, p99 8\.7 s"),
        ("19 s later (23 s)", r"a standby takes over: .* p50 19\.2 s, p99 22\.6 s"),
        ("began within 21 s", r"1,000 live executions: begun in 20\.1 s"),
    ],
)
def test_it_says_what_was_measured(said: str, printed: str):
    """A number that is measured anew has to be written anew here."""
    assert said in PAGE
    assert re.search(printed, BENCH)


def test_it_says_the_limits_of_the_code():
    """The status, a Workflow, large values, outputs."""
    assert f"{LIMIT >> 10} KiB: {PATHS_SHOWN} paths" in PAGE
    assert f"values to {VALUE_SHOWN >> 10} KiB" in PAGE
    assert f"{MAX_NODES:,} measured on a cluster" in PAGE
    assert "large values of a run | 256 MiB" in PAGE
    assert "256 MiB" in MEANINGS["StorageFull"]
    assert "1 MiB" in MEANINGS["OutputTooLarge"]
