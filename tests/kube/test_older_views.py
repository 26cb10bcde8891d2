"""What feeds, lists and live looks show of an execution may come in another order than it happened."""

from __future__ import annotations

from typing import Any

from fairlead.kube.executions import Execution, execution_of
from fairlead.kube.home.run import Run
from fairlead.kube.kinship import wanted_text
from fairlead.kube.names import WANTED
from fairlead.model.commands import Wish


def _seen(version: str, generation: int, held: bool = False, **spec: Any) -> Execution:
    about = {
        "name": "run",
        "namespace": "n",
        "uid": "u",
        "resourceVersion": version,
        "generation": generation,
        "annotations": {WANTED: wanted_text(Wish(held=held))},
    }
    return execution_of({"metadata": about, "spec": {"workflow": {"name": "flow"}, **spec}})


def test_an_older_view_does_not_undo_a_newer_one():
    """A page of a list that took a while shows a run as it was before it was suspended, and before its parent held it."""
    first, last = _seen("99", 1), _seen("102", 2, held=True, suspend=True)
    run = Run(first.place, first)
    run.see(last)
    run.see(_seen("101", 1))
    run.see(_seen("100", 1, held=True))

    assert run.execution is last
    assert (True, True) == (run.wish().suspend, run.wish().held)

    run.see(_seen("103", 3, suspend=False))
    assert (False, False) == (run.wish().suspend, run.wish().held)


def test_versions_that_are_no_numbers_say_nothing():
    """The last one that came counts."""
    first = _seen("b", 1)
    run = Run(first.place, first)
    run.see(_seen("a", 2, suspend=True))

    assert run.wish().suspend
