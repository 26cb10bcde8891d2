"""The result of an attempt: `{"outputs": {..}}` or `{"error": {"reason", "message", "exitCode"}}`.

With `"stopped": true` the node was told to end before it failed: the failure may be none of its own, which whoever
knows why it was stopped decides.

Made from how the node's process ended, its last words and the outputs file. `message` is one short sentence.
"""

import posix

from fairlead_runner import lean_json, signals, values
from fairlead_runner.scratch import Scratch


def error(reason: str, message: str, exit_code: int | None = None) -> dict[str, object]:
    """A failed attempt."""
    about: dict[str, object] = {"reason": reason, "message": message}
    if exit_code is not None:
        about["exitCode"] = exit_code
    return {"error": about}


def of_process(status: int, last_line: str, place: Scratch) -> dict[str, object]:
    """The result of a node whose process ended with this wait status."""
    said = f": {last_line}" if last_line else ""
    if posix.WIFSIGNALED(status):
        number = posix.WTERMSIG(status)
        return error("Signalled", f"ended by {signals.name_of(number)}{said}", 128 + number)
    code = posix.WEXITSTATUS(status)
    if code:
        return error("NonZeroExit", f"exit code {code}{said}", code)
    return _outputs(place)


def _outputs(place: Scratch) -> dict[str, object]:
    verdict = _read(place.verdict, values.MAX_BYTES)
    if verdict:
        return {"error": lean_json.decode(verdict.decode())}
    try:
        raw = _read(place.outputs, values.MAX_BYTES + 1)
        if raw is None:
            return error(
                "OutputInvalid",
                "the node put something else in place of the file FAIRLEAD_OUTPUTS; expected a file",
            )
        if len(raw) > values.MAX_BYTES:
            size = posix.stat(place.outputs).st_size
            return error("OutputTooLarge", values.too_large(size))
        text = raw.decode()
        value = lean_json.decode(text) if text.strip() else {}
        return {"outputs": values.check(value)}
    except values.Unfit as unfit:
        return error("OutputInvalid", str(unfit))
    except UnicodeDecodeError as bad:
        return error("OutputInvalid", f"the outputs are no JSON: byte {bad.start} is no UTF-8")
    except ValueError as bad:
        return error("OutputInvalid", f"the outputs are no JSON: {bad}")
    except OSError as bad:
        return error("OutputInvalid", f"the file FAIRLEAD_OUTPUTS cannot be read: {bad.strerror}")


def _read(path: str, limit: int) -> bytes | None:
    """At most `limit` bytes of a file; empty if there is none, None if it is no regular file."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    try:
        if posix.fstat(descriptor).st_mode & 0o170000 != 0o100000:
            return None
        parts = []
        while limit > 0 and (part := posix.read(descriptor, limit)):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        posix.close(descriptor)
