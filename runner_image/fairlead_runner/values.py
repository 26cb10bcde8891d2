"""What may be an output: JSON values, numbers finite and integers within int64 (semantics 36).

The same rules hold for the dict that a Python script filled and for the file that any other program wrote. A
value that breaks them is named by its path: `outputs.lines[3].price is NaN; expected a finite number`.
"""

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 128
MAX_SHOWN_PATH = 100
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Unfit(Exception):
    """A value that cannot be an output; `str()` is the sentence that says where and why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path = ""

    def inside(self, step: str) -> "Unfit":
        """The same finding, seen from one level further out."""
        self.path = step + self.path
        return self

    def __str__(self) -> str:
        path = self.path if len(self.path) <= MAX_SHOWN_PATH else f"{self.path[:MAX_SHOWN_PATH]}..."
        return f"outputs{path} {self.why}"


def check(outputs: object) -> dict[str, object]:
    """The outputs themselves if they are a JSON object, else raises Unfit."""
    if not isinstance(outputs, dict):
        raise Unfit(f"is {describe(outputs)}; expected a JSON object")
    _check_value(outputs, 0)
    return outputs


def too_large(size: int) -> str:
    """The sentence for outputs that are larger than `MAX_BYTES`."""
    return f"the outputs are {size} bytes of JSON; at most {MAX_BYTES} are kept"


def describe(value: object) -> str:
    """A value as a sentence shows it: its kind, and its text where that is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    kind = type(value).__name__
    names = {
        "str": "the text",
        "int": "the number",
        "float": "the number",
        "list": "a list",
        "tuple": "a list",
        "dict": "an object",
    }
    shown = names.get(kind, f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}")
    if kind in ("list", "tuple", "dict"):
        return shown
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the user's own __repr__, or an integer of thousands of digits
        return shown
    return f"{shown} {text if len(text) <= 80 else text[:77] + '...'}"


def _check_value(value: object, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, "holds")
    elif isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise Unfit(f"is {_integer(value)}, beyond 64 bits; write it as text")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is the one that differs from itself
            raise Unfit(f"is {value!r}; expected a finite number")
    elif depth >= MAX_DEPTH:
        raise Unfit(f"is nested deeper than {MAX_DEPTH} levels")
    elif isinstance(value, dict):
        _check_object(value, depth)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            try:
                _check_value(item, depth + 1)
            except Unfit as unfit:
                raise unfit.inside(f"[{index}]") from None
    else:
        raise Unfit(
            f"is {describe(value)}; expected a JSON value (text, number, boolean, null, list, object)"
        )


def _check_object(value: dict[object, object], depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            raise Unfit(f"has the key {key!r} ({type(key).__name__}); expected text")
        try:
            _check_text(key, "has a key with")
            _check_value(item, depth + 1)
        except Unfit as unfit:
            raise unfit.inside(f".{key}" if key.isidentifier() else f"[{key!r}]") from None


def _check_text(text: str, how: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unfit(
            f"{how} half of a surrogate pair at character {error.start}; expected Unicode text"
        ) from None


def _integer(value: int) -> str:
    """The digits of a big integer, or how many bits it has where Python refuses to write them."""
    try:
        text = str(int(value))
    except ValueError:
        return f"an integer of {value.bit_length()} bits"
    return text if len(text) <= 40 else f"{text[:37]}..."
