"""`kill -9` of fairlead at any moment loses nothing: `run --resume` goes on, and no finished node runs again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import until

FAIRLEAD = Path(sys.executable).parent / "fairlead"
DEADLINE = 20.0


class Here:
    """A folder with a store and a ledger into which the nodes write when they run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        self.ledger.touch()

    def manifest(self, nodes: list[dict[str, Any]]) -> Path:
        path = self.folder / "flow.json"
        document = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "flow"}}
        path.write_text(json.dumps({**document, "spec": {"nodes": nodes}}), encoding="utf-8")
        return path

    def write(self, name: str, then: str = "") -> dict[str, Any]:
        return {"name": name, "run": {"sh": f"echo {name} >> {self.ledger}\n{then}"}}

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        command = [str(FAIRLEAD), *map(str, arguments), "--store", str(self.folder / "store.db")]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def ask(self, *arguments: str) -> Any:
        command = [str(FAIRLEAD), *arguments, "--store", str(self.folder / "store.db"), "-o", "json"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=True, timeout=30)
        return json.loads(done.stdout)

    def ran(self) -> Counter[str]:
        return Counter(self.ledger.read_text(encoding="utf-8").split())


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A fresh folder."""
    return Here(tmp_path)


def moved(here: Here, process: subprocess.Popen[bytes], enough: int) -> bool:
    """Whether so many nodes have run, or the process has ended."""
    return sum(here.ran().values()) >= enough or process.poll() is not None


def alive(folder: Path) -> list[str]:
    """Command lines of processes that still write into the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                directory = str((entry / "cwd").readlink())
            except OSError:
                continue
            if directory == str(folder) and int(entry.name) != os.getpid():
                found.append(line)
    return found


def test_a_killed_run_goes_on_where_it_was(here):
    """The finished node stays finished, the running one is delivered again, the rest follows."""
    manifest = here.manifest(
        [
            here.write("one"),
            {**here.write("two", "test -e go || sleep 600"), "after": ["one"]},
            {**here.write("three"), "after": ["two"]},
        ]
    )
    first = here.start("run", manifest, "killed")
    until(lambda: here.ran()["two"] == 1, "the second node")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (here.folder / "go").touch()

    assert 0 == here.start("run", "--resume", "killed").wait(DEADLINE)

    assert {"one": 1, "two": 2, "three": 1} == here.ran()
    events = here.ask("events", "killed")
    assert [("two", 1)] == [
        (event["node"], event["attempt"]) for event in events if event["type"] == "NodeLost"
    ]
    assert 1 == sum(event["type"] == "NodeStarted" and event["node"] == "two" for event in events)
    assert list(range(1, len(events) + 1)) == [event["seq"] for event in events]


def test_nothing_of_a_killed_run_goes_on_working(here):
    """The killed process takes its runners with it, children and those that ignore TERM included."""
    manifest = here.manifest([here.write("deaf", "trap '' TERM\nsleep 600 &\nsleep 600")])
    first = here.start("run", manifest, "killed")
    until(lambda: here.ran()["deaf"] == 1, "the node")
    first.send_signal(signal.SIGKILL)
    first.wait()

    until(lambda: not alive(here.folder), f"the end of {alive(here.folder)}")


@pytest.mark.parametrize("kills", [1, 2, 3, 4])
def test_killed_over_and_over_it_ends_all_the_same(here, kills):
    """Killed at moments that differ from run to run: every node completes once, no finished one runs again."""
    names = [f"n{i}" for i in range(8)]
    nodes = [
        {**here.write(name), **({"after": [names[i - 1]]} if i % 4 else {})} for i, name in enumerate(names)
    ]
    manifest = here.manifest([*nodes, {**here.write("last"), "after": ["n3", "n7"]}])
    process = here.start("run", manifest, "killed")
    finished: Counter[str] = Counter()
    for kill in range(kills):
        enough = 2 * kill + 1
        until(partial(moved, here, process, enough), "progress")
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = [event["node"] for event in here.ask("events", "killed", "--type", "NodeCompleted")]
        finished = Counter({name: here.ran()[name] for name in done})
        process = here.start("run", "--resume", "killed")
    assert 0 == process.wait(DEADLINE)

    ran = here.ran()
    assert all(ran[name] == times for name, times in finished.items()), "a finished node ran again"
    completed = Counter(event["node"] for event in here.ask("events", "killed", "--type", "NodeCompleted"))
    assert dict.fromkeys([*names, "last"], 1) == completed
    assert "Succeeded" == here.ask("get", "killed")["status"]["phase"]


def test_a_run_owned_by_a_live_process_is_refused(here):
    """Exit 2, with the pid; the owner is not disturbed."""
    manifest = here.manifest([here.write("one", "until test -e go; do sleep 0.05; done")])
    owner = here.start("run", manifest, "owned")
    until(lambda: here.ran()["one"] == 1, "the node")

    command = [str(FAIRLEAD), "run", "--resume", "owned", "--store", str(here.folder / "store.db")]
    second = subprocess.run(
        command, capture_output=True, text=True, cwd=here.folder, check=False, timeout=DEADLINE
    )

    assert 2 == second.returncode
    assert str(owner.pid) in second.stderr

    (here.folder / "go").touch()

    assert 0 == owner.wait(DEADLINE)
    assert 1 == here.ran()["one"]


def test_wishes_reach_a_running_process_through_the_store(here):
    """suspend, resume and cancel from another terminal."""
    manifest = here.manifest(
        [
            here.write("one", "until test -e go; do sleep 0.05; done"),
            {**here.write("two", "sleep 600"), "after": ["one"]},
        ]
    )
    process = here.start("run", manifest, "wished")
    until(lambda: here.ran()["one"] == 1, "the first node")
    store = ["--store", str(here.folder / "store.db")]
    subprocess.run([FAIRLEAD, "suspend", "wished", *store], check=True, capture_output=True)
    until(lambda: here.ask("get", "wished")["status"]["phase"] == "Suspended", "the suspension")
    (here.folder / "go").touch()
    until(lambda: here.ask("events", "wished", "--type", "NodeReady") != [], "the held node")

    assert not here.ran()["two"]

    subprocess.run([FAIRLEAD, "resume", "wished", *store], check=True, capture_output=True)
    until(lambda: here.ran()["two"] == 1, "the second node")
    subprocess.run([FAIRLEAD, "cancel", "wished", *store], check=True, capture_output=True)

    assert 3 == process.wait(DEADLINE)


def test_a_failed_run_is_redriven(here):
    """After `redrive`, `run --resume` runs the failed node again and what follows; attempts go on counting."""
    manifest = here.manifest([here.write("one", "test -e fixed"), {**here.write("two"), "after": ["one"]}])

    assert 1 == here.start("run", manifest, "failing").wait(DEADLINE)

    (here.folder / "fixed").touch()
    store = ["--store", str(here.folder / "store.db")]
    subprocess.run([FAIRLEAD, "redrive", "failing", *store], check=True, capture_output=True)

    assert 0 == here.start("run", "--resume", "failing").wait(DEADLINE)
    assert {"one": 2, "two": 1} == here.ran()
    attempts = [
        event["attempt"] for event in here.ask("events", "failing", "--type", "NodeStarted", "--node", "one")
    ]
    assert [1, 2] == attempts


def test_a_killed_loop_goes_on_with_the_items_that_are_left(here):
    """Items that had ended do not run again, those that ran are delivered once more, the rest follows."""
    body = {
        "name": "work",
        "with": {"n": "${item}"},
        "run": {"sh": f"echo w >> {here.ledger}; test -e go || sleep 600"},
    }
    first = {**body, "run": {"sh": f"cat $FAIRLEAD_INPUTS >> {here.ledger}; echo >> {here.ledger}"}}
    loop = {
        "items": [1, 2, 3],
        "maxParallel": 1,
        "nodes": [first, {**body, "name": "hold", "after": ["work"]}],
    }
    process = here.start("run", here.manifest([{"name": "each", "forEach": loop}]), "killed")
    until(lambda: here.ran()["w"] == 1, "the first item")
    process.send_signal(signal.SIGKILL)
    process.wait()
    (here.folder / "go").touch()

    assert 0 == here.start("run", "--resume", "killed").wait(DEADLINE)

    assert {'{"n":1}': 1, '{"n":2}': 1, '{"n":3}': 1, "w": 4} == here.ran()
    lost = [event["node"] for event in here.ask("events", "killed", "--type", "NodeLost")]
    assert ["each[0]/hold"] == lost
