"""Secrets of a laptop: environment variables of fairlead, named FAIRLEAD_SECRET_NAME_KEY.

    envFrom: [{secret: db-main, keys: {PASSWORD: admin-password}}]     FAIRLEAD_SECRET_DB_MAIN_ADMIN_PASSWORD becomes PASSWORD
    envFrom: [{secret: db-main}]                                       every FAIRLEAD_SECRET_DB_MAIN_X becomes X
    files: [{secret: db-main, path: /run/db}]                          every FAIRLEAD_SECRET_DB_MAIN_X becomes the file /run/db/x

Letters are made upper case and every other sign but digits an underscore. The name of a key cannot be told
from the variable again, so without `keys` it is the variable's own end, and in file names that in lower case.
Values go from this process into the environment or a private file of one attempt, and nowhere else: `Mask`
takes them out of what is kept of the node's output and out of messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.local.subprocesses.refusals import Refusal
from fairlead.model import reasons
from fairlead.model.ids import secret_prefix, secret_variable

SHORTEST_MASKED = 4
"""Shorter values would blot out ordinary text without hiding anything."""
_STARS = b"***"


def environment(env_from: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, str]:
    """What `envFrom` asks for: variable of the node to value. Raises Refusal where a value is missing."""
    found: dict[str, str] = {}
    for entry in env_from:
        secret = entry["secret"]
        keys = entry.get("keys")
        if keys is None:
            found.update(_all_of(secret, environ))
            continue
        for name, key in keys.items():
            source = secret_variable(secret, key)
            if source not in environ:
                raise Refusal(
                    reasons.SECRET_MISSING,
                    f"key {key!r} of Secret {secret!r} is not here; expected the environment variable {source}",
                )
            found[name] = environ[source]
    return found


def contents(secret: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The files of a Secret: name to text."""
    return {name.lower(): value for name, value in _all_of(secret, environ).items()}


class Mask:
    """Replaces secret values in a stream that comes in pieces, a value that is cut between two pieces too.

    What might be the beginning of a value is held back until it is known. Of values that begin at the same place the longest
    is taken.
    """

    def __init__(self, values: Iterable[str]) -> None:
        known = {value.strip("\n").encode("utf-8", "surrogateescape") for value in values}
        self._values = sorted(
            (value for value in known if len(value) >= SHORTEST_MASKED), key=len, reverse=True
        )
        self._pattern = re.compile(b"|".join(re.escape(value) for value in self._values))
        self._held: dict[int, bytes] = {}

    def text(self, text: str) -> str:
        """A whole text without the values."""
        return self._replace(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def feed(self, stream: int, data: bytes) -> bytes:
        """What is certain of a stream after its next piece."""
        if not self._values:
            return data
        data = self._held.pop(stream, b"") + data
        passed = []
        position, held = 0, self._held_from(data, 0)
        while (match := self._pattern.search(data, position)) and match.start() < held:
            passed += [data[position : match.start()], _STARS]
            position = match.end()
            if position > held:
                held = self._held_from(data, position)
        passed.append(data[position:held])
        if held < len(data):
            self._held[stream] = data[held:]
        return b"".join(passed)

    def rest(self, stream: int) -> bytes:
        """What was held back at the end of a stream."""
        return self._replace(self._held.pop(stream, b""))

    def _replace(self, data: bytes) -> bytes:
        return self._pattern.sub(_STARS, data) if self._values else data

    def _held_from(self, data: bytes, start: int) -> int:
        """Where the first beginning of a value stands that goes on beyond the end of the data."""
        return len(data) - max(_overlap(data, value, start) for value in self._values)


def _overlap(data: bytes, value: bytes, start: int) -> int:
    """How many bytes at the end of `data`, from `start` on, are the beginning of `value` and not all of it."""
    for size in range(min(len(value) - 1, len(data) - start), 0, -1):
        if data.endswith(value[:size]):
            return size
    return 0


def _all_of(secret: str, environ: Mapping[str, str]) -> dict[str, str]:
    prefix = secret_prefix(secret)
    found = {
        name[len(prefix) :]: value
        for name, value in environ.items()
        if name.startswith(prefix) and name != prefix
    }
    if not found:
        raise Refusal(
            reasons.SECRET_MISSING,
            f"Secret {secret!r} is not here; expected environment variables {prefix}KEY",
        )
    return found
