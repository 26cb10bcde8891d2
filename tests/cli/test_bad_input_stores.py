"""A store that cannot be used is one sentence and exit code 5; what it holds, and what has run, is not lost."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.cli import PROGRAM, Cli, gate, sh
from tests.support.stores import NO_RIGHTS, tamper
from tests.support.waiting import pid_in, until

READERS = (["list"], ["get", "r"], ["events", "r"], ["logs", "r"], ["replay", "r"])
WRITERS = (["run", "flow.yaml", "new"], ["run", "--resume", "r"])


def refused(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """Exit code 5, one line on stderr with this in it."""
    assert done.returncode == 5, done
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert sentence in line


def ledger(cli: Cli) -> Counter[str]:
    """How often each node has run: `note` writes it down."""
    return Counter((cli.folder / "ledger").read_text(encoding="utf-8").split())


def note(name: str, then: str = "") -> str:
    return f"echo {name} >> ledger\n{then}"


# ------------------------------------------------------------------------------------------------------------- read-only
def test_a_read_only_store_is_read_and_not_written(cli):
    """Without the right to write: every reader works, a run is refused before anything starts."""
    prefix = NO_RIGHTS if os.geteuid() == 0 else []
    home = cli.folder / "home"
    home.mkdir()
    store = home / "store.db"
    file = cli.workflow(sh("a", note("a")))
    cli.ok("run", file, "r", "--store", store)

    def tried(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*prefix, PROGRAM, *words, "--store", store]
        return subprocess.run(
            command, cwd=cli.folder, env=cli.env, capture_output=True, text=True, check=False
        )

    store.chmod(0o444)
    home.chmod(0o555)
    try:
        for words in READERS:
            assert tried(*words).returncode == 0, words
        assert tried("run", "--resume", "r").returncode == 0, "a run that has ended shows how it ended"
        refused(
            tried("run", file, "new"),
            f"the store {store} is read-only and nothing was written; expected a file",
        )
    finally:
        home.chmod(0o755)

    assert {"a": 1} == ledger(cli)


# ------------------------------------------------------------------------------------------------------------------ full
def test_a_run_whose_store_cannot_grow_stops_and_goes_on_with_room(cli):
    """In the middle of a run a file limit stands for the full disk: what was committed is kept, and nothing runs twice."""
    write = 'head -c 45000 /dev/urandom | base64 -w 0 | sed \'s/.*/{"x": "&"}/\' > "$FAIRLEAD_OUTPUTS"'
    names = [f"n{i}" for i in range(8)]
    file = cli.workflow(
        *(sh(name, note(name, write), after=names[max(0, i - 1) : i]) for i, name in enumerate(names))
    )
    limited = ["sh", "-c", 'ulimit -f 600; exec "$@"', "sh", PROGRAM, "run", file, "r"]

    done = subprocess.run(
        limited, cwd=cli.folder, env=cli.env, capture_output=True, text=True, check=False, timeout=30
    )

    refused(done, f"the store {cli.store} could not be read or written (disk I/O error); check its disk, ")
    assert done.stderr.endswith("then try again with `fairlead run --resume r`\n")
    completed = Counter(event["node"] for event in cli.json("events", "r", "--type", "NodeCompleted"))
    assert 0 < len(completed) < len(names)

    cli.ok("run", "--resume", "r")

    assert all(ledger(cli)[name] == 1 for name in completed)
    assert set(names) == set(ledger(cli))
    assert "the same as before" in cli.ok("replay", "r")


# --------------------------------------------------------------------------------------------------------------- damaged
def _middle(data: bytes) -> bytes:
    half = len(data) // 2
    return data[: half - 8192] + random.Random(1).randbytes(16384) + data[half + 8192 :]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "middle": (_middle, "is damaged ("),
    "truncated": (lambda data: data[: len(data) // 2], "is damaged ("),
    "header": (lambda data: random.Random(2).randbytes(100) + data[100:], "is no Fairlead store ("),
    "text": (lambda _: b"these are my notes\n" * 1000, "is no Fairlead store ("),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_told_and_left_as_it_is(cli, damage):
    """Random bytes in the middle, half of the file, another header, text: no command writes into it or shows a traceback."""
    spoil, sentence = DAMAGE[damage]
    cli.workflow(*(sh(f"n{i}") for i in range(4)))
    cli.ok("run", "flow.yaml", "r")
    spoilt = spoil(cli.store.read_bytes())
    cli.store.write_bytes(spoilt)

    refusals = 0
    for words in (*READERS, *WRITERS):
        done = cli(*words)
        assert done.returncode in (0, 5), (words, done)
        if done.returncode:
            refused(done, f"{cli.store} {sentence}")
            refusals += 1

    assert refusals >= len(WRITERS)
    assert cli.store.read_bytes() == spoilt


def test_a_log_with_a_changed_event_stops_its_run_alone(cli):
    """`run --resume` starts nothing and says what shows more, `replay` names the event; the other run of the store is fine."""
    go = cli.folder / "go"
    file = cli.workflow(gate("a", go), sh("b", note("b"), after=["a"]))
    with cli.started("run", file, "r") as process:
        pid_in(cli.folder / "go.pid")
        process.kill()
    go.touch()
    other = cli.workflow(sh("a"), file="other.yaml")
    cli.ok("run", other, "good")
    [uid] = [item["metadata"]["uid"] for item in cli.json("list") if item["metadata"]["name"] == "r"]
    tamper(
        cli.store,
        f"UPDATE events SET data = replace(data, 'NodeScheduled', 'NodeSkipped') WHERE uid = '{uid}'",
    )

    refused(cli("run", "--resume", "r"), "`fairlead replay` shows more")
    replay = cli("replay", "r")

    assert replay.returncode == 1
    assert "event 4" in replay.stdout
    assert not (cli.folder / "ledger").exists()
    assert "the same as before" in cli.ok("replay", "good")
    assert {"good", "r"} == {item["metadata"]["name"] for item in cli.json("list")}


# ---------------------------------------------------------------------------------------------------------------- locked
def test_a_foreign_lock_for_over_five_seconds_stops_runs_and_loses_nothing(cli):
    """A run in its middle and one at its start both say so; readers go on; without the lock --resume goes on."""
    go = cli.folder / "go"
    file = cli.workflow(
        gate("one", go), sh("two", note("two"), after=["one"]), sh("side", note("side", "sleep 600"))
    )
    locked = f"the store {cli.store} has been locked by another program for over 5 s; wait for that program or end it, "
    with cli.started("run", file, "middle") as middle:
        pid_in(cli.folder / "go.pid")
        with closing(sqlite3.connect(cli.store, isolation_level=None, timeout=20)) as foreign:
            foreign.execute("BEGIN EXCLUSIVE")
            go.touch()
            with cli.started("run", file, "start") as start:
                assert "Running" == cli.phase("middle")
                _, told = start.communicate()
            _, stopped = middle.communicate()

    assert (5, 5) == (start.returncode, middle.returncode)
    assert told == f"error: {locked}then try again\n"
    assert stopped == f"error: {locked}then try again with `fairlead run --resume middle`\n"
    assert not ledger(cli)["two"]
    assert ["middle"] == [item["metadata"]["name"] for item in cli.json("list")]

    cli.ok("cancel", "middle")

    assert cli("run", "--resume", "middle").returncode == 3


def test_hints_name_a_store_so_that_they_can_be_copied(cli):
    """A path with spaces is quoted; a suspended run says that it has to be resumed first."""
    store = cli.folder / "my runs" / "store.db"
    store.parent.mkdir()
    gate_file = cli.folder / "go"
    file = cli.workflow(gate("a", gate_file), sh("b", after=["a"]))
    with cli.started("run", file, "r", "--no-wait", "--store", store) as process:
        pid_in(cli.folder / "go.pid")
        cli.ok("suspend", "r", "--store", store)
        until(
            lambda: cli.json("get", "r", "--store", store)["status"]["phase"] == "Suspended",
            "a suspended run",
        )
        gate_file.touch()
        _, told = process.communicate()

    assert process.returncode == 4
    hint = (
        f"`fairlead resume r --store '{store}'` and then `fairlead run --resume r --store '{store}'` goes on"
    )
    assert told == f"not finished; {hint}\n"
    assert f"no process: `fairlead run --resume r --store '{store}'` goes on" in cli.ok(
        "get", "r", "--store", store
    )
