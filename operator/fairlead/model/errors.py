"""What can go wrong, as a small tree by what the caller must do.

    FairleadError
    ├── InvalidInput        the user's text or value is wrong: change it (exit 2); nothing was started
    ├── Conflict            somebody else wrote first: load again, decide again
    ├── NotFound            what was named does not exist (exit 2)
    ├── Unavailable         the store or the cluster cannot be reached or refuses to write (exit 5)
    ├── ReplayMismatch      a log and the state it should give disagree: stop, show the first event that differs
    │   └── LogDamaged      an event of the log is missing, changed or unreadable
    │       └── NewerRelease  it is whole, and a newer release has written what this one does not know: that one goes on with it
    └── Bug                 an illegal move of our own machines; never the user's fault

Every message is one sentence that shows the value and what was expected.
"""

from __future__ import annotations


class FairleadError(Exception):
    """Base of every error that Fairlead raises on purpose."""


class InvalidInput(FairleadError):
    """The user's input is wrong; `reason` is a CamelCase constant fit for a condition."""

    def __init__(self, message: str, reason: str = "InvalidInput") -> None:
        super().__init__(message)
        self.reason = reason


class Conflict(FairleadError):
    """A compare-and-set lost: the caller's state is older than the log."""


class NotFound(FairleadError):
    """What was named does not exist."""


class Unavailable(FairleadError):
    """The store or the cluster cannot be reached, or refuses to write."""


class ReplayMismatch(FairleadError):
    """Folding a log gave something else than what was recorded; `seq` is the first event that differs."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


class LogDamaged(ReplayMismatch):
    """An event of the log is missing, changed or unreadable."""


class NewerRelease(LogDamaged):
    """What is recorded is whole, and a newer release of Fairlead has written it: this one must not guess what it means."""


class Bug(FairleadError):
    """An illegal move of our own machines."""
