"""The numbers that keep an expression from holding the process up.

One *unit* of work is about 20 ns or ten bytes of memory, which the runtime frees only at the end: a byte (as JSON) of a list
or map that is handed from the runtime to Python, or four bytes of text that are copied. `WORK` is therefore less than half a
second and 200 MB, the most that any expression can take. What is over a limit is refused with `ExpressionTooExpensive`, never
cut.
"""

from __future__ import annotations

from typing import Final

SOURCE: Final = 16 * 1024
"""Bytes of one expression's text."""

COMPREHENSION: Final = 2_000
"""Elements of the list or map that one `map`, `filter`, `all`, `exists` or `exists_one` walks: CEL's own are quadratic."""

ITERATIONS: Final = 10_000
"""Iterations of all comprehensions of one evaluation together (the limit of the CEL runtime itself)."""

RANGE: Final = 10_000
"""Elements that `range(n)` gives at most."""

OPTIONAL_MACROS: Final = 6
"""`optMap` and `optFlatMap` in one expression: CEL doubles the text before each one when it expands them."""

READ: Final = 4 * 1024 * 1024
"""Bytes (as JSON) of all the values that one expression reads."""

RESULT: Final = 1024 * 1024
"""Bytes (as JSON) of what one expression or one template gives."""

WORK: Final = 20_000_000
"""Units of work of one evaluation."""

BYTES_PER_UNIT: Final = 4
"""Bytes of text that count as one unit when they are copied or compared."""

DEPTH: Final = 200
"""Levels of nesting of a value that an expression reads or gives."""

SHOWN_VALUE: Final = 200
"""Characters of one value shown in an error."""

SHOWN_VALUES: Final = 1024
"""Characters of all values shown in an error."""

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
