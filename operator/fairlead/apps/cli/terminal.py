"""What is written to stdout and stderr: documents, lines, colours on a terminal, and pipes that close.

A reader that goes away (`| head`) ends the command quietly. Colours are for terminals alone and `NO_COLOR` turns them off.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

RED, GREEN, YELLOW, BLUE, DIM, BOLD = "31", "32", "33", "34", "2", "1"

COLOURS = {
    "Succeeded": GREEN,
    "Failed": RED,
    "Running": BLUE,
    "Retrying": YELLOW,
    "Suspended": YELLOW,
    "Cancelled": YELLOW,
    "Skipped": DIM,
    "Pending": DIM,
}
"""Colours of phases and statuses."""


class BrokenOutput(Exception):
    """Nobody reads what is printed any more."""


def prepare_output() -> None:
    """Print what a terminal of another encoding cannot show as escapes; streams that are closed swallow all.

    A closed stream is opened on nothing before any other file is: that file would get its descriptor, and what is printed.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - it stays open
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def close_output(code: int) -> int:
    """Flush; the exit code. It stands if the reader has stopped reading, and is 5 if what was printed found no room."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError as error:
            # The interpreter flushes once more when it ends, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            if not isinstance(error, BrokenPipeError):
                code = code or 5
                with suppress(OSError):
                    sys.stderr.write(f"error: the output could not be written ({error.strerror})\n")
    return code


def out(text: str = "") -> None:
    """A line of the result. Raises BrokenOutput."""
    write(sys.stdout, f"{text}\n")


def say(text: str) -> None:
    """A line about what happens, on stderr."""
    write(sys.stderr, f"{text}\n")


def write(stream: TextIO, text: str) -> None:
    """Text to a stream. Raises BrokenOutput once its reader is gone, Unavailable if it cannot be written."""
    try:
        stream.write(text)
    except BrokenPipeError:
        raise BrokenOutput from None
    except OSError as error:
        raise _unwritable(error) from error


def flush() -> None:
    """What was printed is seen now. Raises BrokenOutput."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise BrokenOutput from None
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> Exception:
    from fairlead.model.errors import Unavailable

    return Unavailable(
        f"the output could not be written ({error.strerror}); free some space, or write it elsewhere"
    )


def lines(texts: Iterable[str]) -> None:
    """Several lines of the result."""
    for text in texts:
        out(text)


def document(value: Any, form: str) -> None:
    """The one document of `-o json` or `-o yaml`."""
    if form == "yaml":
        import yaml

        dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
        write(sys.stdout, text)
    else:
        out(json.dumps(value, indent=2, ensure_ascii=False))


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at it."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colourful(stream: TextIO) -> bool:
    """Whether colours are wanted there."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def painted(text: str, colour: str, stream: TextIO) -> str:
    """The text in a colour, if the stream shows colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and colourful(stream) else text


def paint_status(cell: str, padded: str) -> str:
    """Colours phases and statuses in a table on stdout."""
    return painted(padded, COLOURS.get(cell, ""), sys.stdout)


def paint_heading(text: str) -> str:
    """A heading on stdout."""
    return painted(text, BOLD, sys.stdout)
