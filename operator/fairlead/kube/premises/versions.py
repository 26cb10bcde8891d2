"""Whether the API server is new enough, by what it says at /version.

Rule of this file
- 1.30 is the first in which ValidatingAdmissionPolicies are served as v1 to everybody, and CRDs are checked with CEL: what guards
  logs and statuses, and what a run was begun with.
"""

from __future__ import annotations

import re

import msgspec

OLDEST = (1, 30)
VERSION = "/version"


class _Version(msgspec.Struct, rename="camel", gc=False):
    git_version: str = ""
    major: str = ""
    minor: str = ""


def too_old(answer: bytes) -> str:
    """Why the server of this answer is too old; empty if it is not. Raises msgspec.DecodeError for what is no version."""
    found = msgspec.json.decode(answer, type=_Version)
    numbers = [re.match(r"\d+", part) for part in (found.major, found.minor)]  # some say `30+`
    if None in numbers:
        return f"the API server says that it is of version {found.git_version or answer[:60]!r}; expected {_words()}"
    if tuple(int(number[0]) for number in numbers if number) >= OLDEST:
        return ""
    return f"the API server is of version {found.git_version}; expected {_words()}"


def _words() -> str:
    return f"{OLDEST[0]}.{OLDEST[1]} or newer"
