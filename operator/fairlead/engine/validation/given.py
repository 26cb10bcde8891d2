"""What a template has to give, where the node can use nothing else.

WrongType    error   `cache.key` that surely gives no text, `forEach.items` that surely gives no list
CacheKey     error   a constant `cache.key` that is empty or too long
TooManyItems error   a list written out as `forEach.items` that is longer than a run takes
"""

from __future__ import annotations

from fairlead.engine.caching import LONGEST_KEY
from fairlead.engine.loops import MAX_ITEMS
from fairlead.engine.validation.bodies import RawGraph, as_dict
from fairlead.engine.validation.fields import Field
from fairlead.engine.validation.formulas import Formulas
from fairlead.engine.validation.notes import Notes

_WANTED = {
    ("cache", "key"): ("string", "text, as string(...) or hash(...) gives it"),
    ("forEach", "items"): ("list", "a list"),
}
"""The last two steps of a path → the kind that must come, and how it is called."""


def check_given(field: Field, formulas: Formulas, notes: Notes) -> None:
    """A template whose value is known to be of a kind that its place cannot use."""
    wanted = _WANTED.get((str(field.path[-2]), str(field.path[-1]))) if field.form == "template" else None
    if wanted is None:
        return
    kind, expected = wanted
    analysis = formulas.read(field.text, field.form, field.place.locals)
    if analysis.ok and analysis.shape.never(kind):
        name = ".".join(map(str, field.path[-2:]))
        message = f"{name} gives {_a(str(analysis.shape))}; expected {expected}"
        notes.inside("error", "WrongType", message, field.path, field.text, 0)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def check_constants(graph: RawGraph, notes: Notes) -> None:
    """Keys without expressions, and lists written out."""
    for node in graph.nodes():
        items = node.value.get("items") if node.kind == "forEach" else None
        if isinstance(items, list) and len(items) > MAX_ITEMS:
            message = f"items has {len(items)} entries; expected at most {MAX_ITEMS}"
            notes.error("TooManyItems", message, (*node.path, "forEach", "items"))
        key = as_dict(node.data.get("cache")).get("key")
        if not isinstance(key, str) or "${" in key:
            continue
        path = (*node.path, "cache", "key")
        size = len(key.encode(errors="replace"))
        if not key:
            message = "cache.key is empty, so that every result would be the same; expected what the result depends on"
            notes.error("CacheKey", message, path)
        elif size > LONGEST_KEY:
            notes.error("CacheKey", f"cache.key has {size} bytes; expected at most {LONGEST_KEY}", path)
