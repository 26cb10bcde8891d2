"""Guards: an expression is rewritten so that it pays for its work before it does it.

CEL's runtime has only a limit on iterations, and one iteration can take seconds. So, on the syntax tree:
- a comprehension asks first: `R.map(x, e)` becomes `bind(r, R, enter(site, size(r)) ? r.map(x, e) : false)`, which refuses
  more than 2,000 elements and pays for the iterations. Where `r` is a map it walks its keys in sorted order, because CEL's
  own order differs from process to process;
- an operation that grows with its operands asks first: `f(a, b)` becomes `bind(v, a, bind(w, b, pay(site, [v, w]) ? f(v, w) :
  false))`;
- so does a value put into a list or map, because sharing makes lists that are small in memory and endless when written out.

`enter` and `pay` are Python functions that raise when the work is spent; CEL's `||` may swallow that, so everything asks
again and is refused again, and the evaluation fails at its end. What they need beyond the values stands in a `Site`.

Most expressions need none of it: one without comprehensions and `optMap` does work that is bounded by its text and by what it
reads, and that is known before it runs: up to `cheap_below` bytes it runs as it was written.

Rules of this file: here is what runs when a guard is met; `rewriting.py` puts the guards in. A guard pays before the work is
done, and once nothing is left it refuses everything, so that an evaluation that was stopped ends soon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fairlead.engine.expressions import budget, costs
from fairlead.engine.expressions.budget import weight
from fairlead.engine.expressions.limits import COMPREHENSION
from fairlead.engine.expressions.reads import Path
from fairlead.engine.expressions.syntax import Const

ENTER: Final = "@enter"
PAY: Final = "@pay"
ALIVE: Final = "@alive"
KEYS: Final = "@keys"

_ADVICE = {
    "map": "use pluck(), flatten(), zip() or groupBy() of our list functions, or do it in a `run` node",
    "filter": "use groupBy() or unique() of our list functions, or do it in a `run` node",
    "all": "use min(), max() or unique() of our list functions, or do it in a `run` node",
    "exists": "use `in` with pluck(), or do it in a `run` node",
    "exists_one": "use groupBy() of our list functions, or do it in a `run` node",
}


@dataclass(frozen=True, slots=True)
class Value:
    """An operand of a site whose value the runtime hands over."""


@dataclass(frozen=True, slots=True)
class Read:
    """An operand that is a path into what the expression reads: its value is at hand, and its weight is found once."""

    path: Path


Operand = Value | Read | Const


@dataclass(frozen=True, slots=True)
class Site:
    """A guarded place: an operation with its operands, or a comprehension (`macro`) with the size of its body."""

    operation: str
    operands: tuple[Operand, ...] = ()
    body: int = 0
    appends: bool = False


# --- what the runtime calls ------------------------------------------------------------------------------------------


def enter(site_id: int, size: int) -> bool:
    """Pay for a comprehension over `size` elements. Raises when there are too many."""
    evaluation = budget.evaluation()
    site: Site = evaluation.sites[site_id]
    if size > COMPREHENSION:
        evaluation.stop(
            f"{site.operation}() would walk {size} elements, more than the {COMPREHENSION} that a comprehension may; "
            + _ADVICE.get(site.operation, "do it in a `run` node")
        )
    # Appending copies the list that was built so far, and the copies are kept to the end.
    evaluation.charge(size * (4 + site.body) + (size * size * 3 // 2 if site.appends else 0))
    return True


def alive() -> bool:
    """False once the evaluation was stopped: what would still be handed over, to be refused, is spared."""
    return budget.evaluation().stopped is None


def pay(site_id: int, values: list[Any]) -> bool:
    """Pay for an operation. `values` are those operands that are neither constants nor paths, in order."""
    evaluation = budget.evaluation()
    if evaluation.stopped is not None:
        raise budget.TooExpensive(evaluation.stopped)
    site: Site = evaluation.sites[site_id]
    given = iter(values)
    if site.operation in _SIMPLE:
        units = 1
        for operand in site.operands:
            if isinstance(operand, Value):
                units += weight(next(given))
            elif isinstance(operand, Read):
                keyed = site.operation == "@in" and type(evaluation.value_of(operand.path)) is dict
                units += 1 if keyed else evaluation.weight_of(operand.path)
        evaluation.charge(units)
        return True
    operands = [
        next(given)
        if isinstance(operand, Value)
        else operand.value
        if isinstance(operand, Const)
        else evaluation.value_of(operand.path)
        for operand in site.operands
    ]
    evaluation.charge(1 + costs.OF[site.operation](operands))
    return True


def keys(value: Mapping[Any, Any]) -> list[Any]:
    """The keys of a map in an order that is the same everywhere."""
    budget.evaluation().charge(weight(value))
    return sorted(value, key=lambda key: (type(key).__name__, key))


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[str, ...], ...], str]] = {
    ENTER: (enter, (("INT", "INT"),), "BOOL"),
    PAY: (pay, (("INT", "LIST"),), "BOOL"),
    ALIVE: (alive, ((),), "BOOL"),
    KEYS: (keys, (("MAP",),), "LIST"),
}
"""Functions of ours that no text can name: what runs, the argument kinds, the kind of the result."""

_SIMPLE = frozenset(name for name, cost in costs.OF.items() if cost is costs.OF["_+_"])
