"""Executions as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from fairlead.apps.views import words
from fairlead.apps.views.graphs import texts
from fairlead.model.state import PENDING


class Row(Protocol):
    """What a list knows of an execution."""

    @property
    def name(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def phase(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def started_at(self) -> int | None: ...
    @property
    def finished_at(self) -> int | None: ...
    @property
    def parent(self) -> str: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def progress(self) -> dict[str, Any]: ...
    @property
    def status(self) -> dict[str, Any]: ...


HEADER = ("NAME", "WORKFLOW", "PHASE", "PROGRESS", "DURATION", "AGE")
WITH_PARENTS = (*HEADER, "PARENT")
WIDE_HEADER = (*HEADER, "PARENT", "EVENTS", "OWNER", "UID", "WAITING FOR")
_OWNER = WIDE_HEADER.index("OWNER")

Table = tuple[tuple[str, ...], list[list[str]]]
"""A header, and the rows below it."""


def rows(found: Iterable[Row], now: int) -> list[list[str]]:
    """One row an execution, for HEADER."""
    return [_row(row, now) for row in found]


def rows_with_parents(found: Iterable[Row], now: int) -> list[list[str]]:
    """One row an execution, for WITH_PARENTS: where nodes have started some."""
    return [[*_row(row, now), row.parent or "-"] for row in found]


def wide(found: Iterable[Row], now: int, owners: Mapping[str, int | None] | None) -> Table:
    """One row an execution with all that there is; `owners` are the processes that run them, by uid, where there are any."""
    cells = [
        [
            *_row(row, now),
            row.parent or "-",
            str(row.last_seq),
            str((owners or {}).get(row.uid) or "-"),
            row.uid,
            _waiting(row),
        ]
        for row in found
    ]
    if owners is not None:
        return WIDE_HEADER, cells
    return _without(WIDE_HEADER, _OWNER), [_without(row, _OWNER) for row in cells]


def with_namespaces(
    header: Sequence[str], cells: Sequence[Sequence[str]], namespaces: Iterable[str]
) -> Table:
    """The same table with the namespace of each in front."""
    rows = [[namespace, *cell] for namespace, cell in zip(namespaces, cells, strict=True)]
    return ("NAMESPACE", *header), rows


def _without(row: Any, column: int) -> Any:
    return row[:column] + row[column + 1 :]


def _row(row: Row, now: int) -> list[str]:
    duration = "-"
    if row.started_at:
        duration = words.duration((row.finished_at or now) - row.started_at)
    age = words.age(now - row.created_at)
    return [row.name, row.workflow or "-", row.phase, _progress(row), duration, age]


def _progress(row: Row) -> str:
    progress = row.progress
    if not progress:
        return "-"
    ended = progress["done"] + progress["failed"] + progress["skipped"]
    return f"{ended}/{progress['total']}"


def _waiting(row: Row) -> str:
    """The first thing that it waits for."""
    why, waiting = blocked(row.status), row.status.get("waitingFor") or []
    if why or row.finished_at or not waiting:
        return why or "-"
    more = f" (+{len(waiting) - 1})" if len(waiting) > 1 else ""
    return f"{waiting[0].get('node') or waiting[0]['kind']}: {waiting[0]['message']}{more}"


def blocked(status: dict[str, Any]) -> str:
    """Why a run has not begun, by the condition that is told of it before it has a state of its own; empty if none is."""
    if status.get("phase", PENDING) != PENDING:
        return ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("reason") not in (None, "", PENDING):
            message = condition.get("message")
            return texts.clean(f"{condition['reason']}: {message}" if message else condition["reason"])
    return ""
