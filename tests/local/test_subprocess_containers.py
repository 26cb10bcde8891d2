"""Nodes with an image: on the host where the user says so, else in a container of podman or docker, if one of them answers."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.local.container_tool import calls, containers, install
from tests.local.subprocess_support import UID, attempt, home
from tests.support.waiting import lives, until

from fairlead.local.subprocesses import end_leftovers
from fairlead.local.subprocesses.containers import name_of
from fairlead.model.errors import Unavailable


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    return install(tmp_path / "bin")


def on_path(tool: Path, **more: str) -> dict[str, Any]:
    return {"environ": {"PATH": f"{tool.parent}:{os.environ['PATH']}", "HOME": "/h", **more}}


def test_host_commands_run_the_command_here(tmp_path: Path):
    """With host_commands the command and its arguments run as they stand, without any container."""

    async def scenario() -> None:
        async with home(tmp_path, host_commands=True, environ={"PATH": os.environ["PATH"]}) as local:
            ended = await local.run(
                attempt(
                    image="acme/charge:1",
                    command=["sh", "-c", 'echo "{\\"got\\": \\"$0\\"}" > $FAIRLEAD_OUTPUTS'],
                    args=["x y"],
                )
            )
            assert ended.outputs == {"got": "x y"}

            error = (await local.run(attempt("b", image="acme/charge:1"))).error
            assert error is not None
            assert error["reason"] == "CommandNotFound"

    asyncio.run(scenario())


def test_without_a_tool_the_error_says_what_to_do(tmp_path: Path):
    """No podman, no docker: the attempt fails with the image, what was looked for, and both ways out."""

    async def scenario() -> None:
        async with home(tmp_path, environ={"PATH": str(tmp_path)}) as local:
            ended = await local.run(attempt(image="acme/charge:1", command=["charge"]))

            assert ended.error is not None
            assert ended.error["reason"] == "NoContainerRuntime"
            assert ended.error["message"] == (
                "image 'acme/charge:1' needs podman or docker, and there is neither: podman was not found; docker was not found; "
                "install podman, or run the command on this host with --host-commands"
            )

    asyncio.run(scenario())


def test_a_tool_that_does_not_answer_is_none(tmp_path: Path, tool: Path):
    """A client whose daemon does not run cannot run anything; the message has its own words."""
    (tool.parent / "broken").touch()

    async def scenario() -> None:
        async with home(tmp_path, container_tool="podman", **on_path(tool)) as local:
            first = local.start(attempt("a", image="i", command=["true"]))
            second = local.start(attempt("b", image="i", command=["true"]))

            for key in (first, second):
                error = (await local.ended(key)).error
                assert error is not None
                assert "podman does not work here (cannot connect)" in error["message"]
            assert calls(tool) == [["info"]]  # asked once

    asyncio.run(scenario())


def test_a_container_has_the_nodes_values_and_nothing_of_ours(tmp_path: Path, tool: Path):
    """Inputs and outputs are mounted files; variables are the node's and FAIRLEAD_* alone, and keep their values."""
    script = 'env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sed "s/=.*json$/=file/" | sort; '
    script += "cat $FAIRLEAD_INPUTS; cp $FAIRLEAD_INPUTS $FAIRLEAD_OUTPUTS"

    async def scenario() -> None:
        async with home(
            tmp_path, **on_path(tool, EDITOR="vi", FAIRLEAD_SECRET_DB_PASSWORD="hush-hush")
        ) as local:
            one = attempt(
                image="acme/tool:2",
                command=["sh", "-c"],
                args=[script],
                env={"COLOUR": "a b", "PATH": "/usr/bin:/bin"},
                from_secrets={"envFrom": [{"secret": "db", "keys": {"PASSWORD": "password"}}]},
            )
            ended = await local.run(one)

            assert ended.outputs == {}
            assert local.output(ended.key).splitlines() == [
                "COLOUR=a b",
                "FAIRLEAD_ATTEMPT=1",
                "FAIRLEAD_EXECUTION=order-x1",
                f"FAIRLEAD_EXECUTION_UID={UID}",
                "FAIRLEAD_IDEMPOTENCY_KEY=c0ffee",
                "FAIRLEAD_INPUTS=file",
                "FAIRLEAD_NODE_ID=pack",
                "FAIRLEAD_OUTPUTS=file",
                "PASSWORD=***",
                "PATH=/usr/bin:/bin",
                "{}",
            ]
            (line,) = [call for call in calls(tool) if call[0] == "run"]
            assert line[-3:] == ["acme/tool:2", "-c", script]
            assert "hush-hush" not in str(line)
            assert "COLOUR" in line
            assert "a b" not in line

    asyncio.run(scenario())


def test_the_image_keeps_its_own_command(tmp_path: Path, tool: Path):
    """Without `command` the image's entrypoint runs, with the node's arguments; workingDir is the container's."""

    async def scenario() -> None:
        async with home(tmp_path, **on_path(tool)) as local:
            await local.run(attempt(image="acme", args=["--fast"], working_dir="/srv"))

            (line,) = [call for call in calls(tool) if call[0] == "run"]
            assert "--entrypoint" not in line
            assert line[line.index("--workdir") + 1] == "/srv"
            assert line[-2:] == ["acme", "--fast"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image": "--privileged"}, "ImagePullFailed"),
        (
            {"image": "i", "from_secrets": {"envFrom": [{"secret": "db", "keys": {"PATH": "password"}}]}},
            "SecretUnusable",
        ),
    ],
)
def test_what_would_steer_the_tool_is_refused(
    tmp_path: Path, tool: Path, fields: dict[str, Any], reason: str
):
    """An image named like an option, or a Secret in a variable that the tool itself obeys, starts nothing."""

    async def scenario() -> None:
        async with home(tmp_path, **on_path(tool, FAIRLEAD_SECRET_DB_PASSWORD="hush-hush")) as local:
            ended = await local.run(attempt(**fields))

            assert ended.error is not None
            assert ended.error["reason"] == reason
            assert [call[0] for call in calls(tool)] == ["info"]

    asyncio.run(scenario())


def test_a_stop_ends_the_container_too(tmp_path: Path, tool: Path):
    """A container that ignores TERM outlives its client; it is removed before the end is reported."""

    async def scenario() -> None:
        async with home(tmp_path, **on_path(tool)) as local:
            script = f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 60; done"
            key = local.start(attempt(image="i", command=["sh", "-c", script]))
            await local.until((tmp_path / "ready").exists, "the container")
            ((name, pid),) = containers(tool).items()
            assert name == name_of(key)

            local.runner.stop(key, grace=50_000)
            ended = await local.ended(key)

            assert ended.error is not None
            assert ended.error["exitCode"] == 137
            assert containers(tool) == {}
            until(lambda: not lives(pid), "the end of the container")
            assert list((tmp_path / "containers" / UID).iterdir()) == []

    asyncio.run(scenario())


def test_a_stop_before_the_tool_is_known_starts_nothing(tmp_path: Path, tool: Path):
    """An attempt that is stopped while it is found out which tool there is ends at once and never runs."""

    async def scenario() -> None:
        async with home(tmp_path, **on_path(tool)) as local:
            key = local.start(attempt("a", image="i", command=["true"]))
            local.runner.stop(key, grace=0)
            ended = await local.ended(key)

            assert ended.error == {"reason": "Cancelled", "message": "it was stopped before it had started"}
            await local.run(attempt("b", image="j", command=["true"]))
            assert [call[-1] for call in calls(tool) if call[0] == "run"] == ["j"]

    asyncio.run(scenario())


def test_a_container_of_a_killed_runner_is_removed(tmp_path: Path, tool: Path):
    """When the runner is killed nobody is left to remove the container but us."""

    async def scenario() -> None:
        async with home(tmp_path, **on_path(tool)) as local:
            key = local.start(attempt(image="i", command=["env", "-i", "sleep", "60"]))
            runner = (await local.started(key)).pid
            await local.until(lambda: containers(tool), "the container")
            ((_, pid),) = containers(tool).items()

            os.kill(runner, signal.SIGKILL)
            ended = await local.ended(key)

            assert ended.error is not None
            assert ended.error["reason"] == "NodeLost"
            until(lambda: not lives(pid), "the end of the container")

    asyncio.run(scenario())


def test_containers_of_a_killed_fairlead_are_removed(tmp_path: Path, tool: Path):
    """A later process finds by its marker what a killed one left, and does not mind what is gone already."""
    folder = tmp_path / "containers" / UID
    folder.mkdir(parents=True)
    (folder / "fairlead-gone").write_text(str(tool))

    assert asyncio.run(end_leftovers(tmp_path, UID)) == []
    assert list(folder.iterdir()) == []
    assert calls(tool) == [["rm", "--force", "fairlead-gone"]]

    (folder / "fairlead-stuck").write_text(str(tmp_path / "no-such-tool"))
    with pytest.raises(Unavailable, match="container fairlead-stuck of an earlier attempt cannot be removed"):
        asyncio.run(end_leftovers(tmp_path, UID))
