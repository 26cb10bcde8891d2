"""What one evaluation may still cost, and what the functions called from within it need to know.

The CEL runtime calls our functions without any context of ours, so the evaluations under way are kept in a stack: a lazy
scope may evaluate one expression while another one reads it. Rules of this file: only the last one is ever asked, and it
leaves the stack as it found it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Self

import msgspec

from fairlead.engine.expressions.limits import BYTES_PER_UNIT, WORK


class TooExpensive(ValueError):
    """A limit was reached; the message says which and what to do instead."""


class ResultTooLarge(TooExpensive):
    """What an expression gives is larger than a value may be."""


class Evaluation:
    """One evaluation: the seed of its `uuid()`s, its work so far, and what stopped it."""

    __slots__ = (
        "calls",
        "data",
        "given",
        "interrupt",
        "left",
        "place",
        "seed",
        "sites",
        "stopped",
        "weights",
    )

    def __init__(self, seed: str, place: str = "") -> None:
        self.seed = seed
        self.place = place
        self.given = 0
        self.calls = 0
        self.left = WORK
        self.stopped: str | None = None
        self.interrupt: BaseException | None = None
        self.sites: tuple[Any, ...] = ()
        self.data: dict[str, Any] = {}
        self.weights: dict[tuple[str, ...], int] = {}

    def __enter__(self) -> Self:
        _under_way.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _under_way.pop()

    def charge(self, units: int) -> None:
        """Take units from what is left. Raises TooExpensive, again and again once nothing is left."""
        self.left -= units
        if self.left < 0:
            self.stop(
                "it would take too much work for one expression; use our list functions (pluck, groupBy, sortBy, sum, …) in "
                "place of nested comprehensions, or do it in a `run` node"
            )

    def stop(self, message: str) -> None:
        """End the evaluation. The message survives even where CEL's `||` or `&&` swallows the error itself."""
        self.left = -1
        if self.stopped is None:
            self.stopped = message
        raise TooExpensive(self.stopped)

    def value_of(self, path: tuple[str, ...]) -> Any:
        """What stands under a path of what the expression reads; None where nothing does."""
        value: Any = self.data
        for step in path:
            if type(value) is not dict or step not in value:
                return None
            value = value[step]
        return value

    def weight_of(self, path: tuple[str, ...]) -> int:
        """The weight of what stands under a path: half, because nothing is handed over."""
        known = self.weights.get(path)
        if known is None:
            known = self.weights[path] = 1 + weight(self.value_of(path)) // 2
        return known

    def prepare(self, sites: tuple[Any, ...], data: dict[str, Any]) -> None:
        """Begin with one expression: its guarded places and what it reads."""
        self.sites = sites
        self.data = data
        self.weights = {}

    def uuid(self) -> str:
        """The next deterministic UUID: 122 bits of a hash of the seed and the ordinal of the call."""
        digest = bytearray(hashlib.sha256(f"{self.seed}{self.place}\n{self.calls}".encode()).digest()[:16])
        self.calls += 1
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_under_way: list[Evaluation] = []


def evaluation() -> Evaluation:
    """The evaluation under way."""
    return _under_way[-1]


def called_by_cel(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as the runtime calls it: an interrupt (Ctrl-C) within it is kept from being taken for an error of CEL's."""

    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except Exception:
            raise
        except BaseException as error:
            evaluation().interrupt = error
            raise

    return call


def weight(value: Any) -> int:
    """The units of work that handing a value from the runtime to Python takes."""
    kind = type(value)
    if kind is str or kind is bytearray or kind is bytes:
        return 1 + len(value) // BYTES_PER_UNIT
    if kind is list or kind is dict:
        try:
            # Its size as JSON is found thirty times as fast as its elements are counted, and says as much.
            return 1 + len(_encoder.encode(value))
        except (TypeError, OverflowError, UnicodeError):
            return 1 + sum(map(weight, value.values() if kind is dict else value)) + len(value)
    return 1


_encoder = msgspec.json.Encoder()
