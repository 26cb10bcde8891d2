"""What is asked of the runner and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.model.times import SECOND


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of one attempt of one node."""

    key: str
    """Unique: UID/INSTANCE/ATTEMPT/DELIVERY."""
    document: Mapping[str, Any]
    """The node document (`fairlead_runner.documents`), without any secret."""
    grace: int = 2 * SECOND
    """Microseconds between TERM and KILL when nobody waits for it any more."""
    priority: int = 0
    """Of those that wait for a place the highest starts first, equal ones in the order in which they came."""
    secrets: Mapping[str, Any] = field(default_factory=dict)
    """`envFrom` and `files` as the manifest has them: names alone."""

    @property
    def uid(self) -> str:
        """The execution's."""
        return str(self.document["execution"]["uid"])


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt's process runs."""

    key: str
    at: int
    pid: int
    """Of the runner, which leads the session of the attempt."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over and nothing of it is left. Exactly one of `outputs` and `error` is set."""

    key: str
    at: int
    outputs: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    """`reason`, `message` and, where there is one, `exitCode`. `NodeLost`: it ended without a result (its
    runner was killed).
    """
    stopped: bool = False
    """`stop` was called before it ended: the error tells how it ended, the caller knows why."""
    output_problem: str = ""
    """Why some of what it printed could not be kept, if so."""


RunnerEvent = Started | Ended
