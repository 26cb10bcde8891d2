"""Attempts as subprocesses: start, result, places, stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.local.subprocess_support import UID, attempt, home
from tests.support.waiting import lives

from fairlead.local.subprocesses import Ended, Started
from fairlead.local.subprocesses import runner as runner_module

IGNORES_TERM = "trap '' TERM; echo $$ > {pid}; while :; do sleep 60; done"


def test_an_attempt_starts_and_ends(tmp_path: Path):
    """One Started with the pid, one Ended with the outputs, in this order; nothing else is left in the workspace."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(python="outputs['a'] = 1"))

            first, second = local.events
            assert isinstance(first, Started)
            assert first.pid > 0
            assert second is ended
            assert (ended.outputs, ended.error, ended.stopped, ended.output_problem) == (
                {"a": 1},
                None,
                False,
                "",
            )
            assert 0 < first.at <= ended.at
            assert list((tmp_path / "scratch" / UID).iterdir()) == []

    asyncio.run(scenario())


def test_an_error_is_reported_as_the_runner_says_it(tmp_path: Path):
    """A failure has reason, message with the last words, and exit code."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(sh="echo why >&2; exit 3"))

            assert ended.outputs is None
            assert ended.error == {"reason": "NonZeroExit", "message": "exit code 3: why", "exitCode": 3}

    asyncio.run(scenario())


def test_the_environment_is_exact(tmp_path: Path):
    """PATH, HOME, LANG, TMPDIR of ours, what the node names, FAIRLEAD_*, and no more."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/h",
        "LANG": "C",
        "TMPDIR": "/tmp",
        "EDITOR": "vi",
        "FAIRLEAD_STORE": "x",
    }
    script = (
        "import os; outputs['env'] = {k: v for k, v in os.environ.items() if not k.startswith('FAIRLEAD_')}; "
    )
    script += "outputs['ours'] = sorted(k for k in os.environ if k.startswith('FAIRLEAD_'))"

    async def scenario() -> None:
        async with home(tmp_path, environ=environ) as local:
            outputs = (await local.run(attempt(python=script, env={"COLOUR": "red"}))).outputs

            assert outputs == {
                "env": {
                    "PATH": os.environ["PATH"],
                    "HOME": "/h",
                    "LANG": "C",
                    "TMPDIR": "/tmp",
                    "COLOUR": "red",
                },
                "ours": [
                    *(
                        "FAIRLEAD_ATTEMPT",
                        "FAIRLEAD_ATTEMPT_KEY",
                        "FAIRLEAD_EXECUTION",
                        "FAIRLEAD_EXECUTION_UID",
                    ),
                    *("FAIRLEAD_IDEMPOTENCY_KEY", "FAIRLEAD_INPUTS", "FAIRLEAD_NODE_ID", "FAIRLEAD_OUTPUTS"),
                ],
            }

    asyncio.run(scenario())


def test_the_working_folder_is_where_fairlead_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without workingDir a node runs in our own working folder, a relative one is relative to that."""
    (tmp_path / "called" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "called")

    async def scenario() -> None:
        async with home(tmp_path / "workspace") as local:
            here = attempt("a", python="import os; outputs['cwd'] = os.getcwd()")
            below = attempt("b", python="import os; outputs['cwd'] = os.getcwd()", working_dir="sub")
            missing = attempt("c", sh="true", working_dir="nowhere")

            assert (await local.run(here)).outputs == {"cwd": str(tmp_path / "called")}
            assert (await local.run(below)).outputs == {"cwd": str(tmp_path / "called" / "sub")}
            error = (await local.run(missing)).error
            assert error is not None
            assert error["reason"] == "WorkingDirMissing"
            assert f"'nowhere' in {tmp_path}/called" in error["message"]

    asyncio.run(scenario())


def test_stop_ends_a_running_attempt(tmp_path: Path):
    """TERM reaches the node, the end is reported with what it was and that it was asked for."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh="sleep 60"))
            pid = (await local.started(key)).pid

            local.runner.stop(key, grace=30_000_000)
            ended = await local.ended(key)

            assert ended.stopped
            assert ended.error == {"reason": "Signalled", "message": "ended by SIGTERM", "exitCode": 143}
            await local.until(lambda: not lives(pid), "the end of the runner")

    asyncio.run(scenario())


def test_stop_kills_what_ignores_term(tmp_path: Path):
    """After the grace the node is killed, and a stop of what has ended or was never known does nothing."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh=IGNORES_TERM.format(pid=tmp_path / "ready")))
            await local.until((tmp_path / "ready").exists, "the node")

            local.runner.stop(key, grace=50_000)
            ended = await local.ended(key)

            assert ended.error is not None
            assert ended.error["exitCode"] == 137
            local.runner.stop(key, grace=0)
            local.runner.stop("unknown", grace=0)
            assert [type(event) for event in local.events] == [Started, Ended]

    asyncio.run(scenario())


def test_a_stop_withdraws_what_waits(tmp_path: Path):
    """What waits for a place and is stopped never starts, and its end says so."""

    async def scenario() -> None:
        async with home(tmp_path, limit=1) as local:
            first = local.start(attempt("first", sh=f"until [ -e {tmp_path}/open ]; do sleep 0.01; done"))
            second = local.start(attempt("second", sh=f"touch {tmp_path}/ran"))
            third = local.start(attempt("third", sh="true"))

            local.runner.stop(second, grace=0)
            ended = await local.ended(second)
            (tmp_path / "open").touch()
            await local.ended(first)
            await local.ended(third)

            assert ended.stopped
            assert ended.error == {"reason": "Cancelled", "message": "it was stopped before it had started"}
            assert not (tmp_path / "ran").exists()
            assert [event.key for event in local.events if isinstance(event, Started)] == [first, third]

    asyncio.run(scenario())


def test_leftovers_do_not_hold_up_the_end(tmp_path: Path):
    """A process that the node left behind holds the output pipes: it is ended, and the attempt's end is not delayed by it."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            pid = tmp_path / "pid"
            script = (
                f"setsid sh -c 'echo $$ > {pid}; exec sleep 60' & until [ -s {pid} ]; do :; done; echo said"
            )
            ended = await local.run(attempt(sh=script))

            assert ended.outputs == {}
            assert not lives(int(pid.read_text()))
            assert local.output(ended.key) == "said\n"

    asyncio.run(scenario())


def test_a_runner_that_dies_has_lost_the_attempt(tmp_path: Path):
    """When the runner itself is killed, what it left is ended, and then NodeLost says how it died."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh=f"env -i sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60'"))
            runner = (await local.started(key)).pid
            await local.until(
                lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the node"
            )

            os.kill(runner, signal.SIGKILL)
            ended = await local.ended(key)

            assert ended.error is not None
            assert ended.error["reason"] == "NodeLost"
            assert "was ended by SIGKILL before the node ended" in ended.error["message"]
            assert not lives(int((tmp_path / "pid").read_text()))
            assert list((tmp_path / "scratch" / UID).iterdir()) == []

    asyncio.run(scenario())


def test_a_runner_that_does_not_answer_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stop has a last word: a runner that hangs is killed with all that it started."""
    monkeypatch.setattr(runner_module, "ANSWER_TIME", 0.05)

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh=f"echo $$ > {tmp_path}/pid; sleep 60"))
            pid = (await local.started(key)).pid
            await local.until(
                lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the node"
            )
            os.kill(pid, signal.SIGSTOP)

            local.runner.stop(key, grace=0)
            ended = await local.ended(key)

            assert ended.stopped
            assert ended.error is not None
            assert ended.error["reason"] == "NodeLost"
            assert not lives(int((tmp_path / "pid").read_text()))

    asyncio.run(scenario())


def test_closing_ends_everything_and_reports_nothing(tmp_path: Path):
    """When fairlead leaves, what runs is ended without a word: it will be delivered again."""

    async def scenario() -> None:
        async with home(tmp_path, limit=1) as local:
            key = local.start(attempt("a", sh=IGNORES_TERM.format(pid=tmp_path / "pid")))
            local.start(attempt("b", sh="true"))
            await local.started(key)
            await local.until(
                lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the node"
            )

            await local.runner.close(grace=50_000)
            local.start(attempt("c", sh="true"))

            assert not lives(int((tmp_path / "pid").read_text()))
            assert [type(event) for event in local.events] == [Started]
            assert (local.runner.running, local.runner.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_workspace_that_cannot_be_written(tmp_path: Path):
    """No place for the private folder: the attempt fails with a sentence, and the runner goes on."""
    (tmp_path / "scratch").write_text("a file in the way")

    async def scenario() -> None:
        async with home(tmp_path) as local:
            ended = await local.run(attempt(sh="true"))

            assert ended.error is not None
            assert ended.error["reason"] == "RunnerFailed"
            assert "scratch" in ended.error["message"]

    asyncio.run(scenario())


@pytest.mark.parametrize("closed", [[0], [0, 1, 2]])
def test_fairlead_may_be_started_without_descriptors(tmp_path: Path, closed: list[int]):
    """A fairlead whose stdin, stdout or stderr is closed runs nodes all the same."""
    program = f"""
import os, sys
for descriptor in {closed}:
    os.close(descriptor)
sys.path[:0] = {sys.path!r}
import asyncio
from pathlib import Path
from tests.local.subprocess_support import attempt, home
async def main():
    async with home(Path({str(tmp_path)!r})) as local:
        ended = await local.run(attempt(sh="cat; echo out; echo err >&2; echo '{{}}' > $FAIRLEAD_OUTPUTS"))
        assert ended.outputs == {{}}, ended
        assert sorted(local.output(ended.key).split()) == ["err", "out"]
asyncio.run(main())
Path({str(tmp_path)!r}, "done").touch()
"""

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
        assert await asyncio.wait_for(process.wait(), 30) == 0

    asyncio.run(scenario())
    assert (tmp_path / "done").exists()
