"""Where a result goes. The local home: one JSON object and a newline on the descriptor that
FAIRLEAD_RESULT_FD names.

The newline says that the result is whole: what ends without it is no result. Without a descriptor (started by
hand) the exit code and, for an error, one sentence on stderr are all there is.
"""

import posix

from fairlead_runner import lean_json


def descriptor(environ: dict[bytes, bytes], name: bytes) -> int:
    """The inherited descriptor that an environment variable names, kept from the node's processes; -1 where
    there is none.
    """
    text = environ.get(name)
    if not text:
        return -1
    number = int(text)
    posix.set_inheritable(number, False)
    return number


def report(result: dict[str, object], to: int) -> int:
    """Deliver the result; returns the exit code for this process."""
    error = result.get("error")
    if to >= 0:
        _write(to, lean_json.encode(result).encode() + b"\n")
    elif isinstance(error, dict):
        _write(2, f"fairlead: {error['reason']}: {error['message']}\n".encode(errors="replace"))
    if not isinstance(error, dict):
        return 0
    code = error.get("exitCode")
    return code if isinstance(code, int) and 0 < code < 256 else 1


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[posix.write(to, view) :]
    except OSError:
        # Nobody reads any more: whoever wanted the result is gone, and the end of this process is all that is
        # left to do.
        return
