"""What we read of a ConfigMap, and what a record is, pure: shared by those who write and those who only decode."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from fairlead.kube.client.replies import Metadata


class ConfigMap(msgspec.Struct, rename="camel", gc=False):
    """What we read of a ConfigMap."""

    metadata: Metadata
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}

    @property
    def owner(self) -> str:
        """The uid of whom it belongs to."""
        return self.metadata.owner_references[0].uid if self.metadata.owner_references else ""


config_map_decoder = msgspec.json.Decoder(ConfigMap)


@dataclass(frozen=True, slots=True)
class Record:
    """Where a content is, and what it takes to check it; `stored` is its compressed size."""

    name: str
    parts: int
    size: int
    digest: str
    stored: int


def part_name(name: str, number: int) -> str:
    """The first part has the record's name, the others a number behind it."""
    return name if number == 0 else f"{name}-{number}"


def part_names(name: str, parts: int) -> list[str]:
    """The names of all parts of a record."""
    return [part_name(name, number) for number in range(parts)]


def born(about: Metadata) -> datetime:
    """When an object was created, by the server's clock."""
    return datetime.fromisoformat(about.creation_timestamp)
