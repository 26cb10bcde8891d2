"""What a container left behind, read back: the other end of `fairlead_runner.reporting`.

Rules of this file
- A result is believed only whole: a message that is no JSON, lines that are missing or a digest that differs are no result, and
  the caller is told which. Nothing is ever concluded from an absence.
- A container with the user's own image has no runner: exit code 0 with its termination message as outputs (none: `{}`) is done.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from fairlead.model import reasons
from fairlead.model.events import Error

MARK = "fairlead-result"
"""How a line of the log begins that holds a part of a result."""
MAX_BYTES = 1024 * 1024 + 64
"""Bytes of the longest result: outputs of 1 MiB in their envelope."""


class LoggedResult(msgspec.Struct, frozen=True):
    """Where a result stands that is too long for a termination message."""

    lines: int
    bytes: int
    sha256: str


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended: `outputs`, or `error`; `log` where it has to be read from the container's log.

    `stopped` if it was told to end before it failed.
    """

    outputs: dict[str, Any] | None = None
    error: Error | None = None
    log: LoggedResult | None = None
    stopped: bool = False


class NoResult(Exception):
    """What was left is no result; `str()` says in one sentence what it is instead."""


class _Error(msgspec.Struct, rename="camel"):
    reason: str
    message: str = ""
    exit_code: int | None = None


class _Message(msgspec.Struct):
    outputs: dict[str, Any] | None = None
    error: _Error | None = None
    log: LoggedResult | None = None
    stopped: bool = False


_REASON = re.compile("[A-Z][A-Za-z]{1,62}")
"""A reason; what a script wrote into the termination log itself may be anything."""
_decoder = msgspec.json.Decoder(_Message)


def of_runner(message: str) -> Result:
    """The result in the termination message of a runner. Raises NoResult."""
    if not message:
        raise NoResult("the runner left no termination message")
    return _decoded(message)


def of_image(exit_code: int, message: str) -> Result:
    """The result of a container with the user's own image: its exit code, and its termination message as outputs."""
    if exit_code != 0:
        said = f": {message.strip().splitlines()[-1][:200]}" if message.strip() else ""
        error = Error(
            reason=reasons.NON_ZERO_EXIT, message=f"exit code {exit_code}{said}", exit_code=exit_code
        )
        return Result(error=error)
    if not message.strip():
        return Result(outputs={})
    try:
        outputs = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError) as wrong:
        text = f"the termination message is no JSON: {wrong}; expected an object with the outputs"
        return Result(error=Error(reason=reasons.OUTPUT_INVALID, message=text))
    if not isinstance(outputs, dict):
        text = f"the termination message is {message[:80]!r}; expected a JSON object with the outputs"
        return Result(error=Error(reason=reasons.OUTPUT_INVALID, message=text))
    return Result(outputs=outputs)


def from_log(where: LoggedResult, lines: Iterable[str]) -> Result:
    """Put together the result that stands in the lines of a container's log. Raises NoResult."""
    if where.bytes > MAX_BYTES:
        raise NoResult(f"the result is said to be {where.bytes} bytes long; at most {MAX_BYTES} are read")
    start = f"{MARK} {where.sha256[:16]} "
    parts: dict[int, bytes] = {}
    for line in lines:
        if not line.startswith(start):
            continue
        index, _, chunk = line[len(start) :].partition(" ")
        try:
            parts[int(index)] = base64.b64decode(chunk.strip(), validate=True)
        except (ValueError, binascii.Error):
            continue  # the node printed something like it; the digest decides
    missing = next((index for index in range(where.lines) if index not in parts), None)
    if missing is not None:
        raise NoResult(f"line {missing} of the {where.lines} lines of the result is not in the log")
    whole = b"".join(parts[index] for index in range(where.lines))
    if hashlib.sha256(whole).hexdigest() != where.sha256:
        raise NoResult("the result in the log has another digest than the termination message says")
    return _decoded(whole.decode("utf-8", "replace"), logged=True)


def _decoded(text: str, *, logged: bool = False) -> Result:
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as wrong:  # their subclass ValidationError too
        raise NoResult(f"the runner's result cannot be read: {wrong}") from None
    if message.outputs is not None:
        return Result(outputs=message.outputs)
    if message.error is not None:
        error = message.error
        reason = error.reason if _REASON.fullmatch(error.reason) else reasons.RUNNER_FAILED
        about = Error(reason=reason, message=error.message, exit_code=error.exit_code)
        return Result(error=about, stopped=message.stopped)
    if message.log is not None and not logged:
        return Result(log=message.log)
    raise NoResult("the runner's result has neither outputs nor an error")
