"""The tables, and who may open them.

`PRAGMA user_version` is the version of the schema, `application_id` marks the file as ours. A newer version is refused, an older
one is brought forward by the steps that it lacks, in one transaction.

What is written with every append (`logs`) stands apart from what is large and stays (`executions`): SQLite writes a row whole.
`executions.record` is JSON, so a field more needs no step here.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fairlead.model.errors import Unavailable

APPLICATION = 0x46524C44  # "FRLD"

_FIRST = """
CREATE TABLE definitions (
  digest TEXT PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE executions (
  uid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, created_at INTEGER NOT NULL,
  digest TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX executions_by_digest ON executions (digest);
CREATE TABLE logs (
  uid TEXT PRIMARY KEY, last_seq INTEGER NOT NULL, chain BLOB NOT NULL, phase TEXT NOT NULL,
  started_at INTEGER, finished_at INTEGER) WITHOUT ROWID;
CREATE TABLE events (
  uid TEXT NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL, chain BLOB NOT NULL,
  PRIMARY KEY (uid, seq)) WITHOUT ROWID;
CREATE TABLE checkpoints (
  uid TEXT NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, state BLOB NOT NULL, PRIMARY KEY (uid, seq));
CREATE TABLE wishes (
  uid TEXT PRIMARY KEY, version INTEGER NOT NULL, wish TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE statuses (
  uid TEXT PRIMARY KEY, status TEXT NOT NULL);
"""
_FAMILIES = """
ALTER TABLE executions ADD COLUMN parent TEXT;
ALTER TABLE executions ADD COLUMN root TEXT;
ALTER TABLE executions ADD COLUMN bundle TEXT;
CREATE INDEX executions_by_parent ON executions (parent);
CREATE INDEX executions_by_root ON executions (root);
CREATE INDEX executions_by_bundle ON executions (bundle)
"""
_CACHE = """
CREATE TABLE cache (
  key TEXT PRIMARY KEY, entry BLOB NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX cache_by_expiry ON cache (expires) WHERE expires IS NOT NULL;
"""
_LARGE_AND_PACKED = """
CREATE TABLE blobs (
  uid TEXT NOT NULL, digest TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (uid, digest));
CREATE TABLE segments (
  uid TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, data BLOB NOT NULL, chain BLOB NOT NULL,
  PRIMARY KEY (uid, first))
"""
_STEPS = (_FIRST, _FAMILIES, _CACHE, _LARGE_AND_PACKED)
VERSION = len(_STEPS)


def is_current(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the schema is this release's. Raises Unavailable for a newer one, and for a file of another program."""
    application = _number(connection, "application_id")
    version = _number(connection, "user_version")
    if application != APPLICATION and (application or version or _number(connection, "schema_version")):
        raise Unavailable(
            f"{path} is an SQLite file of another program (application id {application}, expected {APPLICATION}); "
            "expected a file that `fairlead run` made, see --store"
        )
    if version > VERSION:
        raise Unavailable(
            f"the store {path} was written by a newer Fairlead (schema version {version}); "
            f"expected at most {VERSION}: use that release, or another --store"
        )
    return version == VERSION


def bring_forward(connection: sqlite3.Connection, path: Path) -> None:
    """Take the steps that the file lacks, all or none; called within a transaction."""
    if is_current(connection, path):
        return  # another process was first
    for step in _STEPS[_number(connection, "user_version") :]:
        for statement in step.split(";"):  # not executescript(), which would commit first
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    value: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return value
