"""What the API server answers, as errors by what the caller must do.

Conflict              409: somebody else wrote first: read again, decide again
└── AlreadyExists     409 on create: compare what is there, then adopt it or complain
NotFound              404
InvalidInput
└── Invalid           400, 413, 415, 422: the object is refused for good; `causes` say which field and why. Admission policies
                      answer so too
Expired               410: a place in a watch or a list that the server no longer knows: list anew
Unavailable
├── Forbidden         401, 403: refused until somebody grants the verb on the resource, both of which are named
│   └── NamespaceTerminating   nothing can be created any more: the namespace is going
├── Fenced            the API server knows another epoch than ours (protocol.md 3): ask for the Lease anew. It says nothing about
│                     the object
├── TooManyRequests   429 for longer than our patience: nothing was done
└── Ambiguous         the request was sent and no verdict came (cut, timed out, 5xx): it may have been done, or may be done
                      yet; read before anything else is sent
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from fairlead.model.errors import Conflict, FairleadError, InvalidInput, NotFound, Unavailable

_FENCE = re.compile(r"ValidatingAdmissionPolicy 'fence\.([a-z0-9.-]+\.)?fairlead\.dev'")
"""How a denial by charts/fairlead/policies/fence.yaml begins, whatever the install calls it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, for messages: verb, path without the query, name of the object if it is in the body."""

    verb: str
    path: str

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class AlreadyExists(Conflict):
    """An object of that name is there."""


class Expired(FairleadError):
    """The server has forgotten the place where we wanted to go on."""


class Invalid(InvalidInput):
    """The server refuses the object; `causes` are (field, reason, message)."""

    def __init__(self, message: str, reason: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message, reason)
        self.causes = causes


class Forbidden(Unavailable):
    """We may not do it."""


class NamespaceTerminating(Forbidden):
    """The namespace is being deleted."""


class Fenced(Unavailable):
    """The fence in the API server denies the epoch of what we wrote, or finds no Lease; nothing was done."""


class TooManyRequests(Unavailable):
    """The server has had enough; nothing was done. `after` are the seconds it asks us to wait."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Ambiguous(Unavailable):
    """Nobody knows whether it was done."""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """One finding of the server."""

    reason: str = ""
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct, gc=False):
    causes: list[Cause] = []
    retryAfterSeconds: int = 0  # noqa: N815 - the API's name


class Status(msgspec.Struct, gc=False):
    """The body of an error."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The findings."""
        return tuple(self.details.causes) if self.details else ()


_decoder = msgspec.json.Decoder(Status)


def status_of(body: bytes) -> Status:
    """The Status in a body; what is no Status (a proxy's page) is a message."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return Status(message=body[:200].decode("utf-8", "replace").strip())


def error_of(request: Request, code: int, headers: Mapping[str, str], body: bytes) -> FairleadError:
    """The error of an answer that is not 2xx."""
    status = status_of(body)
    said = f"{request} was answered {code} {status.reason}: {status.message or 'no message'}"
    reasons = {cause.reason for cause in status.causes}
    if code < 500 and _FENCE.search(status.message):
        return Fenced(said)
    match code:
        case 409 if status.reason == "AlreadyExists":
            return AlreadyExists(said)
        case 409:
            return Conflict(said)
        case 404:
            return NotFound(said)
        case 410:
            return Expired(said)
        case 403 if "NamespaceTerminating" in reasons:
            return NamespaceTerminating(said)
        case 401:
            return Forbidden(f"{said}; expected credentials that are known and have not expired")
        case 403:
            return Forbidden(f"{said}; expected a role that allows it")
        case 429:
            return TooManyRequests(said, _retry_after(headers, status))
        case _ if code < 500:
            return Invalid(said, status.reason or "Invalid", status.causes)
        case _:
            return Ambiguous(said)


def _retry_after(headers: Mapping[str, str], status: Status) -> float:
    try:
        return float(headers.get("Retry-After", ""))
    except ValueError:
        return float(status.details.retryAfterSeconds) if status.details else 0.0
