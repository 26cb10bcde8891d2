"""Numbers of different kinds compared: what CEL's runtime does and its checker refuses.

`double(inputs.n) * 1.5 > 100` compares a double with an int, and every CEL runtime can; the checker of cel-expr-python has no
overload for it and takes none from us. It lets `dyn(100)` pass, so that is what it is given: a literal that is compared with a
number of another kind is wrapped, and offsets are counted back to the text that the author wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairlead.engine.expressions import trees
from fairlead.engine.expressions.diagnosis import offset_at
from fairlead.engine.expressions.syntax import Call, Const, walk

_REFUSED = re.compile(
    r"ERROR: <input>:(\d+):(\d+): found no matching overload for '(?:_[<>]=?_|_[=!]=_|@in)' applied to "
    r"'\((?:int|uint|double), (?:int|uint|double|list\((?:int|uint|double)\))\)'"
)
_LITERAL = re.compile(r"-?\s*(?:0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[uU]?")
_BEFORE, _AFTER = "dyn(", ")"


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A text with literals wrapped; `inserted` are the offsets in the original and the number of characters put there."""

    source: str
    inserted: tuple[tuple[int, int], ...] = ()

    def offset(self, offset: int) -> int:
        """Where in the original a place of this text is."""
        for place, count in self.inserted:
            if offset <= place:
                break
            offset = max(place, offset - count)
        return offset


def relax(source: str, said: str, environment: Any) -> Relaxed | None:
    """The text with those literals wrapped that the checker's complaints are about; None where there are none."""
    refused = {offset_at(source, int(line), int(column)) for line, column in _REFUSED.findall(said)}
    if not refused:
        return None
    tree = trees.decode(environment.compile(source, disable_check=True).serialize())
    spans = set()
    for node in walk(tree.root):
        if isinstance(node, Call) and tree.offset_of(node) in refused and len(node.args) == 2:
            literal = next((each for each in reversed(node.args) if _is_number(each)), None)
            found = _LITERAL.match(source, tree.offset_of(literal)) if literal is not None else None
            if found is not None:
                spans.add(found.span())
    if not spans:
        return None
    out: list[str] = []
    inserted: list[tuple[int, int]] = []
    position = 0
    for start, end in sorted(spans):
        out += [source[position:start], _BEFORE, source[start:end], _AFTER]
        inserted += [(start, len(_BEFORE)), (end, len(_AFTER))]
        position = end
    return Relaxed("".join([*out, source[position:]]), tuple(inserted))


def _is_number(node: object) -> bool:
    return isinstance(node, Const) and node.kind in ("int", "uint", "double")
