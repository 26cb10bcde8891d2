"""Keeps values of Secrets out of the message of a failure, which goes where many may read it.

FAIRLEAD_HIDDEN says where they are: `{"env": ["TOKEN"], "rest": true, "files": ["/run/db"]}`. With `rest` they are also in
variables whose names only the Secret knows: all that neither the node, the image nor Kubernetes has set.
A node that prints or returns a Secret has done so itself: only what we pick out of its output is our own doing.
"""

import posix

from fairlead_runner import lean_json
from fairlead_runner.documents import Node

VARIABLE = b"FAIRLEAD_HIDDEN"
SHORTEST = 4
"""Shorter values would blot out ordinary text without hiding anything."""
LARGEST = 1 << 20
"""Bytes of a file that are read at once; a whole Secret has no more."""
_STARS = "***"
_ORDINARY = {
    "PATH",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TZ",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "USER",
    "_",
}
_FAMILIES = ("FAIRLEAD_", "KUBERNETES_", "PYTHON", "LC_")


class Hidden:
    """The values to hide from texts."""

    __slots__ = ("_values", "longest")

    def __init__(self, environ: dict[bytes, bytes], node: Node) -> None:
        """Raises ValueError for a FAIRLEAD_HIDDEN that cannot be read."""
        told = environ.get(VARIABLE)
        values = _values(lean_json.decode(told.decode()), environ, node) if told else []
        parts = {part for value in values for part in (value.strip("\n"), *value.splitlines())}
        self._values = sorted((part for part in parts if len(part) >= SHORTEST), key=len, reverse=True)
        self.longest = len(self._values[0].encode(errors="surrogateescape")) if self._values else 0

    def text(self, text: str) -> str:
        """A text without the values."""
        for value in self._values:
            text = text.replace(value, _STARS)
        return text

    def result(self, result: dict[str, object]) -> dict[str, object]:
        """A result whose message is without the values."""
        error = result.get("error")
        if not self._values or not isinstance(error, dict) or not isinstance(error.get("message"), str):
            return result
        return {**result, "error": {**error, "message": self.text(error["message"])}}


def _values(told: object, environ: dict[bytes, bytes], node: Node) -> list[str]:
    where = told if isinstance(told, dict) else {}
    names = set(where.get("env", ()))
    found = []
    for name, value in environ.items():
        text = name.decode(errors="surrogateescape")
        if text in names or (where.get("rest") and _is_none_of_ours(text, node)):
            found.append(value.decode(errors="surrogateescape"))
    for folder in where.get("files", ()):
        found += _contents(folder)
    return found


def _is_none_of_ours(name: str, node: Node) -> bool:
    return name not in _ORDINARY and name not in node.env and not name.startswith(_FAMILIES)


def _contents(folder: str) -> list[str]:
    try:
        names = [name for name in posix.listdir(folder) if not name.startswith("..")]  # a kubelet's own
    except OSError:
        return []
    return [text for name in names if (text := _content(f"{folder}/{name}"))]


def _content(path: str) -> str:
    try:
        descriptor = posix.open(path, posix.O_RDONLY)
    except OSError:
        return ""
    try:
        parts = []
        while part := posix.read(descriptor, LARGEST):
            parts.append(part)
        return b"".join(parts).decode(errors="surrogateescape")
    except OSError:  # a folder
        return ""
    finally:
        posix.close(descriptor)
