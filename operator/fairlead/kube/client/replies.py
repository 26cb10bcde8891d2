"""The few fields that we read of an answer: msgspec passes over everything else, which costs nearly nothing."""

from __future__ import annotations

import sys

import msgspec

DEPTH = 12_000
"""How deep decoders may go: the server takes objects that are nested 10,000 deep, and then their managedFields are so, too."""


def allow_depth() -> None:
    """Let decoders go as deep as the server lets anybody write: one poisoned object must not keep us from reading the others.

    They count as calls. What is too deep for a manifest is refused when it is parsed.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEPTH))


class OwnerReference(msgspec.Struct, gc=False):
    """Whom an object belongs to."""

    uid: str = ""


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """What we use of an object's metadata."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[OwnerReference] = []


class Partial(msgspec.Struct, gc=False):
    """An object of which only the metadata matters."""

    metadata: Metadata


class ListMetadata(msgspec.Struct, rename="camel", gc=False):
    """What we use of a list's metadata; `continue_` is where the next page begins."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class PartialList(msgspec.Struct, gc=False):
    """Objects of which only the metadata matters. The server says null where there are none."""

    metadata: ListMetadata
    items: list[Partial] | None = None

    @property
    def found(self) -> list[Metadata]:
        """What there is; the server writes null for nothing."""
        return [one.metadata for one in self.items or ()]


partial_list_decoder = msgspec.json.Decoder(PartialList)
metadata_decoder = msgspec.json.Decoder(Partial)


def metadata_of(body: bytes) -> Metadata:
    """The metadata of an object."""
    return metadata_decoder.decode(body).metadata
