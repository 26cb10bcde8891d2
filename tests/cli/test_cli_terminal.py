"""What a person sees on a terminal: the real program on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.cli import PROGRAM, Cli, gate, sh
from tests.support.waiting import pid_in

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program on a pseudo-terminal, and all that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.raw = ""

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    @property
    def text(self) -> str:
        """What was written, without what steers the terminal."""
        return ESCAPES.sub("", self.raw).replace("\r", "")

    def until(self, words: str) -> None:
        """Read until these words were written."""
        while words not in self.text:
            assert self._read(), f"{words!r} never came:\n{self.text}"

    def rest(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait()


@contextmanager
def terminal(cli: Cli, *words: str, **env: str) -> Iterator[Terminal]:
    """Run a command on a terminal of 100 columns and 30 lines."""
    master, slave = pty.openpty()
    environment = {**cli.env, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **env}
    process = subprocess.Popen(
        [PROGRAM, *words], cwd=cli.folder, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    with process:
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def test_a_run_is_drawn_live(cli):
    """A line per active node with its time, a bar with percent, what ended stays, and the end of the run below."""
    door = cli.folder / "door"
    cli.workflow(
        sh("first"),
        gate("long-one", door, after=["first"]),
        {"name": "say", "log": {"message": "[b]hello[/b]"}},
    )
    with terminal(cli, "run", "flow.yaml", "r") as shown:
        shown.until("✓ first")
        pid_in(door.with_name("door.pid"))
        shown.until(" long-one  ")
        shown.until(" 66%  2/3")
        assert "  [b]hello[/b]" in shown.text
        door.touch()
        assert shown.rest() == 0

    lines = shown.text.splitlines()
    assert "r: 3 nodes" in lines
    assert lines[-1].startswith("r Succeeded in ")
    assert re.search(r"✓ long-one  \d", shown.text)
    assert "\x1b[?25h" in shown.raw  # the cursor is back


def test_a_wait_is_drawn_as_a_wait(cli):
    """What waits for a time says how long yet, in a loop too and for a run that is watched; it is no attempt that failed."""
    rest = {"name": "rest", "wait": {"for": "10m"}}
    late = {"name": "late", "wait": {"until": "2999-01-01T00:00:00Z", "timeout": "1h"}}
    cli.workflow({"name": "poll", "while": {"condition": "true", "nodes": [rest]}}, late)
    with terminal(cli, "run", "flow.yaml", "r") as shown:
        shown.until("○ poll[0]/rest waits 9m")
        shown.until("○ late waits 59m")
        with terminal(cli, "watch", "r") as watched:
            watched.until("○ poll[0]/rest waits 9m")
        cli.ok("suspend", "r")
        shown.until("poll[0]/rest waits, and its time stands still until the run is resumed")
        shown.until("○ late waits 59m")
        cli.ok("cancel", "r")
        assert shown.rest() == 3

    assert "failed" not in shown.text


def test_failures_are_red_with_their_last_output(cli):
    """The reason and the last lines that the node printed, both in red; markup in them is no markup."""
    cli.workflow(sh("broken", "echo '[red]no luck[/red]' >&2; exit 3"))
    with terminal(cli, "run", "flow.yaml", "r") as shown:
        assert shown.rest() == 1

    assert "✗ broken NonZeroExit: exit code 3" in shown.text
    assert "    [red]no luck[/red]" in shown.text
    assert re.search(r"\x1b\[(1;)?31m✗ broken", shown.raw)
    assert re.search(r"\x1b\[31m {4}\[red\]no luck", shown.raw)


def test_what_nodes_print_cannot_steer_the_terminal(cli):
    """Escape sequences in output and names reach a person as harmless signs."""
    cli.workflow(
        sh("broken", "printf '\\033[2Jgone\\n'; exit 3"), {"name": "say", "log": {"message": "a\x1b[2Jb"}}
    )
    with terminal(cli, "run", "flow.yaml", "r") as shown:
        assert shown.rest() == 1

    assert "\x1b[2J" not in shown.raw
    assert "gone" in shown.text


def test_with_a_document_the_picture_is_on_stderr(cli):
    """-o json on a terminal: the JSON document comes whole after the picture is gone."""
    cli.workflow(sh("a"))
    with terminal(cli, "run", "flow.yaml", "r", "-o", "json") as shown:
        assert shown.rest() == 0

    assert "✓ a" in shown.text
    assert shown.text.rstrip().endswith("}")


def test_colours_can_be_turned_off(cli):
    """With NO_COLOR tables and headings have none."""
    cli.workflow(sh("a"))
    cli.ok("run", "flow.yaml", "r")

    with terminal(cli, "list") as coloured:
        assert coloured.rest() == 0
    with terminal(cli, "list", NO_COLOR="1") as plain:
        assert plain.rest() == 0

    assert "\x1b[32mSucceeded" in coloured.raw
    assert "\x1b" not in plain.raw


@pytest.mark.parametrize("signals, code", [(1, 4), (2, 130)])
def test_ctrl_c_leaves_the_terminal_as_it_was(cli, signals, code):
    """The first Ctrl-C stops with 4 and a hint; a second one at once ends with 130. The cursor is back either way."""
    stubborn = f'trap "" TERM; echo $$ > {cli.folder}/door.pid; while true; do sleep 0.05; done'
    cli.workflow(sh("a", stubborn, terminationGrace="20s" if signals == 2 else "100ms"))
    with terminal(cli, "run", "flow.yaml", "r") as shown:
        pid_in(cli.folder / "door.pid")
        shown.until(" a  ")
        shown.process.send_signal(signal.SIGINT)
        shown.until("stopping what runs; a second Ctrl-C leaves at once")
        if signals == 2:
            shown.process.send_signal(signal.SIGINT)
        assert shown.rest() == code

    assert shown.raw.rindex("\x1b[?25h") > shown.raw.rindex("\x1b[?25l")
    assert ("`fairlead run --resume r` goes on" in shown.text) == (signals == 1)
