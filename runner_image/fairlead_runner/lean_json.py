"""JSON by the C half of the standard library's `json`, without its Python half (which costs 7 ms to import,
see `__init__`).

Strict where `json.loads` is lenient: NaN, Infinity and -Infinity are no JSON. Every error is a ValueError
with half a sentence that fits behind "is no JSON: ".
"""

import _json
import sys

_SPACE = " \t\n\r"


class _Options:
    """What the C scanner asks of its decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(name: str) -> object:
        raise ValueError(f"{name} is no JSON number")


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is no JSON value")


_scan = _json.make_scanner(_Options)  # type: ignore[arg-type]
_encode = _json.make_encoder(None, _refuse, _json.encode_basestring, None, ":", ",", False, False, False)


def decode(text: str) -> object:
    """The value of a JSON text."""
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        raise ValueError(f"a value is expected at character {stop.value}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except SystemError:
        # The scanner takes the exception that it wants to raise from a module which it expects to be there, and ends
        # without one where it is not. What is wrong with a text may cost its import.
        if "json.decoder" in sys.modules:
            raise
        import json.decoder  # noqa: F401

        return decode(text)
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):
            raise ValueError("it holds an integer of thousands of digits") from None
        if type(error) is ValueError:
            raise  # of parse_constant
        text = str(error)
        raise ValueError(text[0].lower() + text[1:]) from None
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise ValueError(f"it goes on after its end, at character {len(text) - len(rest)}")
    return value


def encode(value: object) -> str:
    """Compact JSON text of a value that `values.check` accepted."""
    return "".join(_encode(value, 0))
