"""How attempts end: nothing that a node started outlives it, whoever ends it and however it resists."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.runner.conftest import Start
from tests.runner.runner_support import document
from tests.support.waiting import lives, pid_in, until

from fairlead.local.subprocesses.process import runner_command

pytestmark = pytest.mark.local

IGNORES_TERM = "trap '' TERM; echo $$ > {pid}; while :; do sleep 60; done"
OURS = "import sys; sys.path.insert(0, sys.argv[1]); "
WITHOUT_PRCTL = f"{OURS}import fairlead_runner.processes as p; p.adopt_orphans = lambda: False"

DAEMON = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.closerange(0, 256)
        with open(PID, 'w') as file:
            file.write(str(os.getpid()))
        while True:
            signal.pause()
    os._exit(0)
os.wait()
while not (os.path.exists(PID) and open(PID).read()):
    pass
outputs['left'] = int(open(PID).read())
"""


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "pid"


@pytest.mark.parametrize("prelude", ["", WITHOUT_PRCTL], ids=["adopting", "by group"])
@pytest.mark.parametrize(
    "left", ["echo $$ > {pid}; sleep 60", IGNORES_TERM], ids=["obedient", "ignores TERM"]
)
def test_what_is_left_in_the_group_is_ended(start: Start, pid_file: Path, left: str, prelude: str):
    """A background process does not outlive its node, and does not change the node's result."""
    script = f"""
        sh -c '{left.format(pid=pid_file).replace("'", '"')}' &
        until [ -s {pid_file} ]; do :; done
        echo '{{"done": 1}}' > $FAIRLEAD_OUTPUTS
    """

    assert start(sh=script, prelude=prelude, grace=100_000).outputs() == {"done": 1}
    assert not lives(pid_in(pid_file))


def test_a_daemon_is_ended(start: Start, pid_file: Path):
    """A process that forked twice, left the session, closed everything and ignores TERM is ended all the same."""
    outputs = start(python=DAEMON.replace("PID", repr(str(pid_file))), grace=100_000).outputs()

    assert not lives(outputs["left"])


def test_what_is_left_may_finish_its_last_words(start: Start, tmp_path: Path):
    """A process behind a pipe that ends by itself in a moment is not cut off."""
    script = f"mkfifo {tmp_path}/p; (cat {tmp_path}/p > {tmp_path}/copy; echo all >> {tmp_path}/copy) & echo text > {tmp_path}/p"

    assert start(sh=script).outputs() == {}
    assert (tmp_path / "copy").read_text() == "text\nall\n"


def test_the_message_is_the_nodes_own(start: Start):
    """What leftovers say when they are ended is not the message of the failure."""
    script = "(trap 'echo cleaning >&2; exit' TERM; while :; do sleep 0.01; done) & echo reason >&2; exit 3"
    runner = start(sh=script)

    assert runner.error()["message"] == "exit code 3: reason"
    assert "cleaning" in runner.stderr


def test_stop_sends_term(start: Start, pid_file: Path):
    """A stopped node is told by TERM, and so are the processes of its group; its end is reported."""
    runner = start(sh=f"sleep 60 & echo $! > {pid_file}; wait")
    child = pid_in(pid_file)

    runner.stop(grace=30)

    error = {"reason": "Signalled", "message": "ended by SIGTERM", "exitCode": 143}
    assert runner.result() == {"error": error, "stopped": True}
    assert not lives(child)


def test_stop_lets_a_node_end_well(start: Start, pid_file: Path):
    """A node that handles TERM may still give outputs and succeed."""
    script = f"""
import os, signal, sys
def finish(*_):
    outputs['saved'] = True
    sys.exit()
signal.signal(signal.SIGTERM, finish)
with open({str(pid_file)!r}, 'w') as file:
    file.write(str(os.getpid()))
while True:
    signal.pause()
"""
    runner = start(python=script)
    pid_in(pid_file)

    runner.stop(grace=30)

    assert runner.outputs() == {"saved": True}


@pytest.mark.parametrize("prelude", ["", WITHOUT_PRCTL], ids=["adopting", "by group"])
def test_stop_kills_after_the_grace(start: Start, pid_file: Path, prelude: str):
    """A node that ignores TERM is killed, with all that it started."""
    runner = start(sh=IGNORES_TERM.format(pid=pid_file), prelude=prelude)
    pid = pid_in(pid_file)

    runner.stop(grace=0.05)

    assert runner.error() == {"reason": "Signalled", "message": "ended by SIGKILL", "exitCode": 137}
    assert not lives(pid)


def test_a_second_stop_shortens_the_grace(start: Start, pid_file: Path):
    """Whoever is in more of a hurry wins, and a later patient stop changes nothing."""
    runner = start(sh=IGNORES_TERM.format(pid=pid_file))
    pid_in(pid_file)

    runner.stop(grace=3600)
    runner.stop(grace=0.05)
    runner.stop(grace=3600)

    assert runner.error()["exitCode"] == 137


@pytest.mark.parametrize(
    "script", ["echo $$ > {pid}; sleep 60", IGNORES_TERM], ids=["obedient", "ignores TERM"]
)
def test_nobody_waits_any_more(start: Start, pid_file: Path, script: str):
    """When whoever started the runner dies, runner and node end by themselves and the private folder goes."""
    runner = start(sh=script.format(pid=pid_file), grace=50_000)
    pid = pid_in(pid_file)

    runner.channel.close()

    runner.process.wait(30)
    assert not lives(pid)
    assert list(runner.temporary.iterdir()) == []


def test_an_abandoned_node_is_not_started(tmp_path: Path):
    """A runner whose home died while it was starting does not begin the node's work."""
    ours, theirs = socket.socketpair()
    ours.close()
    node = json.dumps(document({"sh": f"touch {tmp_path}/ran"}))
    ended = subprocess.run(
        runner_command(),
        input=node.encode(),
        env={"TMPDIR": str(tmp_path), "FAIRLEAD_CONTROL_FD": str(theirs.fileno())},
        pass_fds=[theirs.fileno()],
        capture_output=True,
        check=False,
    )
    theirs.close()

    assert ended.returncode == 1
    assert b"nobody waits for the node any more; it was not started" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_grace_of_an_orphan_is_short(start: Start, pid_file: Path):
    """A node with a long grace does not hold up its own redelivery: two seconds are the most."""
    runner = start(sh=IGNORES_TERM.format(pid=pid_file), grace=3_600_000_000)
    pid = pid_in(pid_file)

    runner.channel.close()

    runner.process.wait(30)
    assert not lives(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_runner_ends_the_node_first(start: Start, pid_file: Path, number: signal.Signals):
    """Whoever ends the runner (the kubelet, a user) ends the node by TERM, and the result is still reported."""
    runner = start(sh=f"echo $$ > {pid_file}; sleep 60")
    pid_in(pid_file)

    runner.process.send_signal(number)

    assert runner.error()["exitCode"] == 143


@pytest.mark.parametrize("number", ["TERM", "KILL"])
def test_a_node_that_kills_its_own_group(start: Start, number: str):
    """`kill 0` reaches the node's processes, not the runner."""
    error = start(sh=f"sleep 60 & kill -{number} 0; wait").error()

    assert error["reason"] == "Signalled"


def test_a_node_that_kills_its_parent(start: Start, pid_file: Path):
    """A runner that is killed reports nothing; what it reported nothing of is not a result."""
    runner = start(sh=f"echo $$ > {pid_file}; kill -9 $PPID; exec sleep 60")
    pid = pid_in(pid_file)

    runner.process.wait(30)
    assert runner.channel.recv(1024) == b""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid), "the end of the node that the test has just killed")


def test_a_full_pipe_does_not_hold_up_a_stop(start: Start, pid_file: Path):
    """The runner obeys while nobody reads the stderr that the node fills."""
    runner = start(
        sh=f"echo $$ > {pid_file}; head -c 1000000 /dev/zero >&2; sleep 60", stderr=subprocess.PIPE
    )
    pid = pid_in(pid_file)

    runner.stop(grace=0.05)

    until(lambda: not lives(pid), "the end of the node")
    assert runner.process.stderr is not None
    runner.process.stderr.read()
    assert runner.error()["reason"] == "Signalled"


def test_a_reader_that_went_away_is_no_matter(start: Start):
    """When nobody reads stderr any more, the node is not disturbed."""
    reader, writer = os.pipe()
    runner = start(sh="head -c 1000000 /dev/zero >&2; echo '{}' > $FAIRLEAD_OUTPUTS", stderr=writer)
    os.close(reader)
    os.close(writer)

    assert runner.outputs() == {}


@pytest.mark.parametrize(
    ("script", "cleaned"),
    [("exit 0", False), ("exit 3", False), ("kill -9 $$", True), ("stop", True)],
)
def test_cleanup_runs_if_the_command_did_not_end_by_itself(
    start: Start, tmp_path: Path, pid_file: Path, script: str, *, cleaned: bool
):
    """What a stopped or killed command leaves behind (a container) is taken away by its cleanup command."""
    text = f"echo $$ > {pid_file}; {'sleep 60' if script == 'stop' else script}"
    runner = start(command=["sh", "-c", text], cleanup=["touch", f"{tmp_path}/cleaned"])
    pid_in(pid_file)

    if script == "stop":
        runner.stop(grace=30)
    runner.result()

    assert (tmp_path / "cleaned").exists() == cleaned


@pytest.mark.parametrize("cleanup", [["no-such-tool"], ["sh", "-c", "sleep 60 & wait"]])
def test_a_cleanup_that_fails_or_hangs_keeps_nobody(start: Start, cleanup: list[str]):
    """The result is reported although the cleanup command cannot be found or does not end."""
    quick = f"{OURS}import fairlead_runner.main as m; m.CLEANUP_LIMIT = 0.05"
    runner = start(command=["sh", "-c", "kill -9 $$"], cleanup=cleanup, prelude=quick)

    assert runner.error()["exitCode"] == 137
