"""Scripts and commands are never templates: what looks like one of ours in them is refused (semantics 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.engine.expressions.scripts import script_scope_reference
from fairlead.engine.validation.bodies import RawGraph, as_dict, as_list
from fairlead.engine.validation.notes import Notes
from fairlead.model.documents import Path


def check_scripts(graph: RawGraph, notes: Notes) -> None:
    """`${inputs.` and the like in `run.python`, `run.sh` and `run.command`, also where they compensate."""
    for node in graph.nodes():
        runs = [(as_dict(node.data.get("run")), (*node.path, "run"))]
        undo = as_dict(node.data.get("compensate"))
        runs.append((as_dict(undo.get("run")), (*node.path, "compensate", "run")))
        for run, path in runs:
            for text, place in _scripts(run, path):
                for offset, name in script_scope_reference(text):
                    message = (
                        f"${{{name}...}} stands in a script, which is no template; expected with: {{...}} and the value read "
                        f"{_HOW.get(place[-1], 'from an argument')}"
                    )
                    notes.inside("error", "ScriptTemplate", message, place, text, offset)


_HOW: dict[Any, str] = {
    "python": 'as inputs["..."]',
    "sh": "from the file $FAIRLEAD_INPUTS, or env: with a template",
}


def _scripts(run: dict[str, Any], path: Path) -> Iterator[tuple[str, Path]]:
    for field in ("python", "sh"):
        if isinstance(run.get(field), str):
            yield run[field], (*path, field)
    for index, word in enumerate(as_list(run.get("command"))):
        if isinstance(word, str):
            yield word, (*path, "command", index)
