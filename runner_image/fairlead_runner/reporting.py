"""Where a result goes.

The local home: one JSON object and a newline on the descriptor that FAIRLEAD_RESULT_FD names. The newline says
that the result is whole: what ends without it is no result.

A pod: the file that FAIRLEAD_TERMINATION_LOG names, which Kubernetes shows as the container's termination message.
It holds the result itself, or where that is longer than the 4 KiB that Kubernetes keeps of it,
`{"log": {"lines", "bytes", "sha256"}}`: the result then stands at the end of the container's log, in so many lines
`fairlead-result SHA256[:16] INDEX BASE64`, none longer than 8 KiB (a container runtime splits lines at 16).

Without either (started by hand) the exit code and, for an error, one sentence on stderr are all there is.
"""

import posix

from fairlead_runner import lean_json

TERMINATION_MESSAGE = 4096
"""Bytes of a termination message that Kubernetes keeps."""
CHUNK = 6000
"""Bytes of a result in one line of the log: 8,000 letters of base64."""


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


def report(result: dict[str, object], to: int, termination_log: bytes = b"") -> int:
    """Deliver the result; returns the exit code for this process."""
    error = result.get("error")
    if to >= 0:
        _write(to, lean_json.encode(result).encode() + b"\n")
    elif termination_log:
        _leave(lean_json.encode(result).encode(), termination_log)
    elif isinstance(error, dict):
        _write(2, f"fairlead: {error['reason']}: {error['message']}\n".encode(errors="replace"))
    if not isinstance(error, dict):
        return 0
    code = error.get("exitCode")
    return code if isinstance(code, int) and 0 < code < 256 else 1


def _leave(result: bytes, termination_log: bytes) -> None:
    """Put the result into the termination log, or into the container's log and its digest there."""
    if len(result) > TERMINATION_MESSAGE:
        result = _into_log(result)
    try:
        file = posix.open(termination_log, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o666)
    except OSError as error:
        _write(2, f"fairlead: the termination log cannot be written: {error.strerror}\n".encode())
        return
    _write(file, result)
    posix.close(file)


def _into_log(result: bytes) -> bytes:
    """Write the result to stdout in marked lines; the termination message that says so."""
    import binascii
    from hashlib import sha256

    digest = sha256(result).hexdigest()
    lines = 0
    _write(1, b"\n")  # the node may have left a line unfinished
    for start in range(0, len(result), CHUNK):
        chunk = binascii.b2a_base64(result[start : start + CHUNK])
        _write(1, f"fairlead-result {digest[:16]} {lines} ".encode() + chunk)
        lines += 1
    return lean_json.encode({"log": {"lines": lines, "bytes": len(result), "sha256": digest}}).encode()


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[posix.write(to, view) :]
    except OSError:
        # Nobody reads any more: whoever wanted the result is gone, and the end of this process is all that is
        # left to do.
        return
