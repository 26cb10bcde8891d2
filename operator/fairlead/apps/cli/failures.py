"""Every error as one sentence on stderr and an exit code.

InvalidInput, NotFound, wrong options   2
Unavailable, Conflict, a damaged log    5
anything else                          70, with the way to see more
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from fairlead.apps.cli.terminal import RED, YELLOW, BrokenOutput, painted, say
from fairlead.model.errors import InvalidInput

if TYPE_CHECKING:
    from fairlead.model.findings import Finding

DONE, FAILED, WRONG, CANCELLED, UNFINISHED, UNREACHABLE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130


class Refused(InvalidInput):
    """Text of the user's has errors; `findings` are all that was found in it."""

    def __init__(self, findings: Sequence[Finding], message: str) -> None:
        super().__init__(
            message, next((each.reason for each in findings if each.severity == "error"), "Refused")
        )
        self.findings = findings


def report(error: BaseException) -> int:
    """Say what is wrong; the exit code."""
    code, sentence = judged(error)
    with suppress(BrokenOutput):
        if isinstance(error, Refused):
            tell(error.findings)
        complain(sentence)
    return code


def tell(findings: Sequence[Finding]) -> None:
    """Findings on stderr, a line each."""
    for finding in findings:
        say(shown(finding))


def shown(finding: Finding) -> str:
    """The line of a finding: FILE:LINE: error|warning Reason: message (path), without a place that is not known."""
    line = str(finding)
    head = f"{finding.severity} {finding.reason}: "
    colour = RED if finding.severity == "error" else YELLOW
    return line.replace(head, f"{painted(finding.severity, colour, sys.stderr)} {finding.reason}: ", 1)


def complain(sentence: str) -> None:
    """One error on stderr."""
    say(f"{painted('error:', RED, sys.stderr)} {sentence}")


def judged(error: BaseException) -> tuple[int, str]:
    """Exit code and sentence of an error."""
    from fairlead.model import errors

    if isinstance(error, typer.TyperException):
        return WRONG, usage_sentence(error)
    if isinstance(error, (errors.InvalidInput, errors.NotFound)):
        return WRONG, str(error)
    if isinstance(error, errors.ReplayMismatch):
        return UNREACHABLE, f"{error}; `fairlead replay` shows more"
    if isinstance(error, (errors.Unavailable, errors.Conflict)):
        return UNREACHABLE, str(error)
    if isinstance(error, (typer.Abort, KeyboardInterrupt)):
        return INTERRUPTED, "interrupted"
    kind = type(error).__name__
    return BROKEN, f"Fairlead made a mistake ({kind}: {error}); the same command with --debug shows where"


def usage_sentence(error: typer.TyperException) -> str:
    """What is wrong with the words of a command, the nearest right one, and where to read more."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fairlead"
    option = getattr(error, "option_name", None)
    near = getattr(error, "possibilities", None)
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    if option is not None and (near or message.startswith("No such option")):
        message = f"{option} is no option of `{path}`"
        if near:
            message += f"; did you mean {' or '.join(sorted(near))}?"
    message = message[:1].lower() + message[1:]
    return f"{message} See `{path} --help`." if message.endswith("?") else f"{message}; see `{path} --help`"
