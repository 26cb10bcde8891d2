"""Whether a kube context is set, which decides where a command looks: known without loading anything for Kubernetes.

The files are those that kubectl reads: the list of KUBECONFIG, else ~/.kube/config; the first that names a current context
decides, and one that is not there names none. kubectl writes `current-context: NAME` on a line of its own, which is found without
parsing the file; one in another style is parsed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(rb"^current-context:[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_NOTHING = frozenset({b"", b'""', b"''", b"null", b"~"})


def context_is_set(environ: Mapping[str, str]) -> bool:
    """Whether a kubeconfig names a current context."""
    return any(_names_one(path) for path in kubeconfigs(environ))


def kubeconfigs(environ: Mapping[str, str]) -> list[Path]:
    """The files in which kubectl would look."""
    given = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return given or [Path(environ.get("HOME") or Path.home()) / ".kube" / "config"]


def _names_one(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False
    line = _LINE.search(text)
    if line is not None:
        return line[1] not in _NOTHING
    return b"current-context" in text and bool(_parsed(text))


def _parsed(text: bytes) -> str:
    """The current context of a kubeconfig in flow style, such as JSON; none of one that cannot be read."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return ""
    return str(found.get("current-context") or "") if isinstance(found, dict) else ""
