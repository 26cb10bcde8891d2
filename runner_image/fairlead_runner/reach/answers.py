"""What is kept of an answer: status, headers, and a body of at most 1 MiB.

    JSON (application/json, …+json)    its value; null if there is nothing
    text in a charset that is known    the text
    anything else                      base64, with `bodyEncoding: base64` beside it

Rules of this file
- Bytes are counted as they are unpacked, a piece at a time: an answer that is too large, or grows too large,
  is cut off before it is in memory.
- We ask for gzip or nothing, and take gzip, deflate or nothing, once.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from fairlead_runner import lean_json
from fairlead_runner.reach.failures import Failed

MAX_BYTES = 1024 * 1024
_PIECE = 65536


class Answer:
    """A whole answer."""

    __slots__ = ("body", "encoding", "headers", "problem", "status")

    def __init__(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.encoding: str | None = None
        self.problem: str | None = None
        self.body: Any = self._read(data)

    def outputs(self) -> dict[str, Any]:
        """The outputs of the node."""
        found = {"status": self.status, "headers": self.headers, "body": self.body}
        return found if self.encoding is None else {**found, "bodyEncoding": self.encoding}

    def _read(self, data: bytes) -> Any:
        kind, _, parameters = self.headers.get("content-type", "").partition(";")
        kind = kind.strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            return self._json(data, kind)
        try:
            return data.decode(_charset(parameters))
        except (UnicodeDecodeError, LookupError):
            self.encoding = "base64"
            return base64.b64encode(data).decode()

    def _json(self, data: bytes, kind: str) -> Any:
        if not data.strip():
            return None
        try:
            return lean_json.decode(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            self.problem = f"the answer is said to be {kind} and is no JSON: byte {error.start} is no UTF-8"
        except ValueError as error:
            self.problem = f"the answer is said to be {kind} and is no JSON: {error}"
        return data.decode("utf-8", "replace")


def headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; several of one name are one, with commas."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def read(found: dict[str, str], chunks: Iterable[bytes]) -> bytes:
    """The unpacked bytes of a body. Raises Failed."""
    length = found.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BYTES:
        raise Failed("OutputTooLarge", f"the answer has {length} bytes; at most {MAX_BYTES} are kept")
    parts: list[bytes] = []
    size = 0
    for part in _unpacked(found.get("content-encoding", ""), chunks):
        size += len(part)
        if size > MAX_BYTES:
            raise Failed(
                "OutputTooLarge", f"the answer has more than {MAX_BYTES} bytes; at most that is kept"
            )
        parts.append(part)
    return b"".join(parts)


def _unpacked(encoding: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return iter(chunks)
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflated(chunks)
    raise Failed(
        "HttpFailed", f"the answer is packed with {encoding[:40]!r}; expected gzip, deflate or nothing"
    )


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip or zlib, told apart by their first bytes; never more than a piece at a time."""
    unpacker = zlib.decompressobj(wbits=47)
    started = False
    try:
        for chunk in chunks:
            data = chunk
            while data and not unpacker.eof:
                started = True
                part = unpacker.decompress(data, _PIECE)
                data = unpacker.unconsumed_tail
                if part:
                    yield part
            if data or unpacker.unused_data:
                raise Failed("HttpFailed", "the packed answer goes on after its end")
    except zlib.error as error:
        raise Failed("HttpFailed", f"the answer cannot be unpacked: {error}") from None
    while started and not unpacker.eof:
        part = unpacker.decompress(unpacker.unconsumed_tail, _PIECE)
        if not part:
            raise Failed("HttpFailed", "the packed answer ends before its end")
        yield part


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
            return charset if charset in _CHARSETS else "unknown"
    return "utf-8"


_CHARSETS = frozenset(
    (
        "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "iso-8859-15", "windows-1252", "windows-1251", "utf-16",
        "utf-16le", "utf-16be", "shift_jis", "euc-jp", "gb2312", "gbk", "gb18030", "big5", "euc-kr", "koi8-r", "iso-8859-2",
        "windows-1250",
    )
)  # fmt: skip
"""Names of text encodings; Python's own list also has ones that are none (`zip`, `unicode_escape`)."""
