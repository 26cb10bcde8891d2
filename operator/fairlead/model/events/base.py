"""What every event has, and the values that several of them carry."""

from __future__ import annotations

import msgspec


class Large(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Where a value was taken out because it is large: the steps to it, the digest of its blob, its size as JSON."""

    path: list[str | int]
    digest: str
    size: int


class Event(
    msgspec.Struct,
    frozen=True,
    tag_field="type",
    tag=True,
    omit_defaults=True,
    rename="camel",
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
):
    """Base of all events; the tag `type` is the class name. `large` stands in stored forms alone (see `model.large`)."""

    seq: int = 0
    at: int = 0
    large: list[Large] | None = None


class Error(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False, forbid_unknown_fields=True
):
    """Why something failed: `reason` is from the closed list in `model.reasons`; `causes` are earlier errors it stands for."""

    reason: str
    message: str = ""
    exit_code: int | None = None
    causes: list[Error] = []


class ResetNode(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False, forbid_unknown_fields=True
):
    """An instance that a redrive runs again, with what the connections that stay settled give it."""

    node: str
    taken: int = 0
    dead: int = 0
    arrivals: list[str] = []
