"""What tests of the store share: events and records to put into it, and programs that use it from other processes.

A program is Python text run in a process of its own. It finds `store`, the path in `sys.argv[1]`, and the names below; a line
that it prints is a sign to the test, which reads it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fairlead.local.store import ExecutionRecord, Store
from fairlead.model import events as e

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = b'{"nodes":[{"name":"a","set":{"x":1}}]}'
NO_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
"""Takes from root what lets it pass by the rights of files."""

_BEGIN = """
import asyncio, os, sys
from pathlib import Path
from fairlead.local.store import Store
from fairlead.model.errors import Conflict, FairleadError
from tests.support.stores import completed, created, first_bad, record
path = Path(sys.argv[1])
def append(store, uid, after, events): asyncio.run(store.append(uid, after, events))
def read(store, uid, after=0): return asyncio.run(store.read(uid, after))
def say(*words): print(*words, flush=True)
"""


def digest_of(definition: bytes) -> str:
    """The digest of a definition's canonical form."""
    return "sha256:" + hashlib.sha256(definition).hexdigest()


def record(name: str = "demo", **fields: Any) -> ExecutionRecord:
    """A record of DEFINITION; its uid is the name with `uid-` before it."""
    known: dict[str, Any] = {
        "uid": f"uid-{name}",
        "workflow": "flow",
        "digest": digest_of(DEFINITION),
        "created_at": 1,
    }
    return ExecutionRecord(name=name, **{**known, **fields})


def first_bad(store: Store, uid: str) -> int | None:
    """The number of the first event that is missing, changed or unreadable."""
    damage = store.damage(uid)
    return damage.seq if damage else None


def created(seq: int = 1, at: int = 10) -> e.Event:
    """The birth of a run."""
    return e.ExecutionCreated(seq=seq, at=at, name="demo", uid="uid-demo", digest="sha256:0", runtime="test")


def completed(seq: int, **fields: Any) -> e.Event:
    """The end of an engine node, with a seq of its own in what it says."""
    return e.NodeCompleted(seq=seq, node=f"n{seq}", path="0", port="success", **fields)


def a_run(count: int, after: int = 0) -> list[e.Event]:
    """So many events in a row."""
    return [completed(seq) for seq in range(after + 1, after + count + 1)]


@contextmanager
def program(
    store: Path, text: str, *words: str, prefix: list[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs beside the test and is killed at the end."""
    process = subprocess.Popen(
        [*(prefix or []), sys.executable, "-c", _BEGIN + text, str(store), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(store: Path, text: str, *words: str, prefix: list[str] | None = None) -> list[str]:
    """The lines that a program prints until its end, which has to be a good one."""
    with program(store, text, *words, prefix=prefix) as process:
        lines, _ = process.communicate()
        assert process.returncode == 0, lines
    return lines.splitlines()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest_of(process: subprocess.Popen[str]) -> str:
    """All that a program still prints until its end; `communicate` would miss what `line_of` has read ahead."""
    assert process.stdout is not None
    return process.stdout.read()


def tell(process: subprocess.Popen[str]) -> None:
    """Give a program that waits in `sys.stdin.readline()` its line."""
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()


def tamper(store: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    with closing(sqlite3.connect(store)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def with_execution(path: Path, name: str = "demo") -> Store:
    """An open store that has an execution."""
    store = Store(path)
    store.create(record(name), DEFINITION)
    return store
