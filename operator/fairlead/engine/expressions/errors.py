"""What can be wrong with an expression: its text (found when it is compiled) or what it meets (found when it is evaluated).

InvalidInput
└── ExpressionSyntaxError     the text is no expression, names what does not exist, or mixes types that never fit
FairleadError
└── ExpressionError           evaluating failed; the node fails with reason ExpressionError
    └── ExpressionTooExpensive  it would take longer, or be larger, than any expression may
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.engine.expressions.limits import SHOWN_VALUE
from fairlead.model.errors import FairleadError, InvalidInput


def cut(text: str, limit: int = SHOWN_VALUE) -> str:
    """The text, shortened to `limit` characters with an ellipsis at the end."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


class ExpressionSyntaxError(InvalidInput):
    """The text of an expression is wrong.

    `reason` is ExpressionInvalid, UnknownName, UnknownFunction or TypeMismatch; `offset` counts characters from the start of the
    expression (of the template's string, for templates), `line` and `column` are 1-based in the same text; `suggestion` is the
    nearest known name, if one is near; `place` says where in a template the string stands (`.items[0]`).
    """

    def __init__(
        self,
        message: str,
        source: str,
        offset: int = 0,
        *,
        reason: str = "ExpressionInvalid",
        name: str = "",
        suggestion: str | None = None,
        place: str = "",
    ) -> None:
        self.message = message
        self.expression = source
        self.offset = max(0, min(offset, len(source)))
        before = source[: self.offset]
        self.line = before.count("\n") + 1
        self.column = self.offset - (before.rfind("\n") + 1) + 1
        self.name = name
        self.suggestion = suggestion
        self.place = place
        super().__init__(f"{message} (at character {self.offset + 1} of `{cut(source)}`)", reason)

    def moved(self, source: str, offset: int, place: str = "") -> ExpressionSyntaxError:
        """The same error at an offset of another text, of which the expression is a part or a form."""
        return ExpressionSyntaxError(
            self.message,
            source,
            offset,
            reason=self.reason,
            name=self.name,
            suggestion=self.suggestion,
            place=place,
        )


class ExpressionError(FairleadError):
    """Evaluating an expression failed.

    `message` is the cause alone; `str()` also shows the expression and the values it saw. `values` maps what was read
    (`inputs.order`) to its JSON, each cut to 200 characters and 1 KiB in all; `offset` is where it failed, if that is known.
    """

    reason = "ExpressionError"

    def __init__(
        self,
        expression: str,
        message: str,
        values: Mapping[str, str] | None = None,
        offset: int | None = None,
    ) -> None:
        self.expression = expression
        self.message = message
        self.values = dict(values or {})
        self.offset = offset
        saw = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        super().__init__(f"{message} in `{cut(expression)}`" + (f", with {saw}" if saw else ""))


class ExpressionTooExpensive(ExpressionError):
    """Evaluating the expression would hold everything else up, or give more than one value may hold."""

    reason = "ExpressionTooExpensive"


class ExpressionResultTooLarge(ExpressionTooExpensive):
    """What the expression or template gives is larger than one value may be."""
