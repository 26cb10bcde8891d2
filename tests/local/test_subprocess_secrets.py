"""Secrets of a laptop: from FAIRLEAD_SECRET_* into the node, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.local.container_tool import calls, install
from tests.local.subprocess_support import Home, attempt, home

from fairlead.local.subprocesses.secret_files import SecretFiles
from fairlead.model.ids import secret_variable

PASSWORD = "correct horse battery"
ENVIRON = {
    "PATH": os.environ["PATH"],
    "FAIRLEAD_SECRET_DB_MAIN_PASSWORD": PASSWORD,
    "FAIRLEAD_SECRET_DB_MAIN_CA_CRT": "-----BEGIN\nline\n-----END\n",
}


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("secret", "key", "name"),
    [
        ("db-main", "password", "FAIRLEAD_SECRET_DB_MAIN_PASSWORD"),
        ("db.main", "ca.crt", "FAIRLEAD_SECRET_DB_MAIN_CA_CRT"),
        ("s3", "Access_Key-2", "FAIRLEAD_SECRET_S3_ACCESS_KEY_2"),
    ],
)
def test_the_variable_of_a_key(secret: str, key: str, name: str):
    """Upper case, and an underscore for everything that is neither letter nor digit."""
    assert secret_variable(secret, key) == name


def test_env_from_names_keys(tmp_path: Path):
    """`keys` gives each variable of the node the value of one key; the value stands in no log, event or file of ours."""

    async def scenario() -> None:
        async with home(tmp_path, environ=ENVIRON) as local:
            one = attempt(
                sh=f'test "$PW" = "{PASSWORD}" && echo "pw: $PW" && echo "failed for $PW" >&2 && exit 3',
                from_secrets={"envFrom": [{"secret": "db-main", "keys": {"PW": "password"}}]},
            )
            ended = await local.run(one)

            assert ended.error == {
                "reason": "NonZeroExit",
                "message": "exit code 3: failed for ***",
                "exitCode": 3,
            }
            assert sorted(local.output(ended.key).splitlines()) == ["failed for ***", "pw: ***"]
            assert PASSWORD.encode() not in everything_in(tmp_path)
            assert [line.text for line in local.runner.tail("", ended.key, 5)] == []

    asyncio.run(scenario())


def test_env_from_takes_all_keys(tmp_path: Path):
    """Without `keys` every variable of the Secret comes under its own end."""

    async def scenario() -> None:
        async with home(tmp_path, environ=ENVIRON) as local:
            script = "import os; outputs['n'] = len(os.environ['PASSWORD']); "
            script += "outputs['lines'] = os.environ['CA_CRT'].count('\\n')"
            ended = await local.run(attempt(python=script, from_secrets={"envFrom": [{"secret": "db-main"}]}))

            assert ended.outputs == {"n": len(PASSWORD), "lines": 3}

    asyncio.run(scenario())


def test_env_wins_over_env_from(tmp_path: Path):
    """As in a pod, what the node names itself is stronger than what comes from a Secret."""

    async def scenario() -> None:
        async with home(tmp_path, environ=ENVIRON) as local:
            one = attempt(
                python="import os; outputs['v'] = os.environ['PASSWORD']",
                env={"PASSWORD": "mine"},
                from_secrets={"envFrom": [{"secret": "db-main"}]},
            )
            assert (await local.run(one)).outputs == {"v": "mine"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        (
            {"envFrom": [{"secret": "db-main", "keys": {"T": "api-token"}}]},
            (
                "key 'api-token' of Secret 'db-main' is not here; expected the environment variable "
                "FAIRLEAD_SECRET_DB_MAIN_API_TOKEN"
            ),
        ),
        (
            {"envFrom": [{"secret": "mail"}]},
            "Secret 'mail' is not here; expected environment variables FAIRLEAD_SECRET_MAIL_KEY",
        ),
        ({"files": [{"secret": "mail", "path": "/x"}]}, "Secret 'mail' is not here"),
    ],
)
def test_a_missing_secret_names_its_variable(tmp_path: Path, secrets: dict[str, Any], message: str):
    """What is missing is named by the variable that would give it, and nothing is started."""

    async def scenario() -> None:
        async with home(tmp_path, environ=ENVIRON) as local:
            ended = await local.run(attempt(sh="true", from_secrets=secrets))

            assert ended.error is not None
            assert ended.error["reason"] == "SecretMissing"
            assert message in ended.error["message"]
            assert len(local.events) == 1

    asyncio.run(scenario())


async def _files(local: Home, path: Path, script: str = "true", key: str = "pack/1") -> Any:
    secrets = {"files": [{"secret": "db-main", "path": str(path)}]}
    return await local.run(attempt(key, sh=script, from_secrets=secrets))


def test_files_are_where_the_node_wants_them(tmp_path: Path):
    """During the attempt the path is a folder with a private file per key; afterwards nothing of it is left."""
    path = tmp_path / "run" / "db"
    script = f"cat {path}/password > {tmp_path}/seen; stat -L -c %a {path} {path}/password; ls {path}"

    async def scenario() -> None:
        async with home(tmp_path / "workspace", environ=ENVIRON) as local:
            ended = await _files(local, path, script)

            assert ended.outputs == {}
            assert local.output(ended.key).split() == ["700", "600", "ca_crt", "password"]
            assert (tmp_path / "seen").read_text() == PASSWORD
            assert not path.is_symlink()
        assert PASSWORD.encode() not in everything_in(tmp_path / "workspace")

    asyncio.run(scenario())


def test_attempts_share_a_path(tmp_path: Path):
    """Items of a forEach that run side by side find the same files; the path goes with the last of them."""
    path = tmp_path / "db"

    async def scenario() -> None:
        async with home(tmp_path / "workspace", environ=ENVIRON, limit=3) as local:
            secrets = {"files": [{"secret": "db-main", "path": str(path)}]}
            waits = f"until [ -e {tmp_path}/%d ]; do sleep 0.01; done; cat {path}/password"
            keys = [
                local.start(attempt(f"n{number}", sh=waits % number, from_secrets=secrets))
                for number in range(3)
            ]
            for number, key in enumerate(keys):
                await local.started(key)
                assert path.is_symlink()
                (tmp_path / str(number)).touch()
                assert (await local.ended(key)).outputs == {}
            assert not path.is_symlink()

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/proc/fairlead/db", "relative/db", "taken"])
def test_a_path_that_cannot_be(tmp_path: Path, path: str):
    """Where the files cannot be put the attempt fails with the path and what else to do, and nothing there is touched."""
    (tmp_path / "taken").mkdir()
    wanted = Path(path) if path != "taken" else tmp_path / "taken"

    async def scenario() -> None:
        async with home(tmp_path / "workspace", environ=ENVIRON) as local:
            ended = await _files(local, wanted)

            assert ended.error is not None
            assert ended.error["reason"] == "SecretUnusable"
            assert repr(str(wanted)) in ended.error["message"]
            assert (tmp_path / "taken").is_dir()

    asyncio.run(scenario())


def test_what_a_killed_process_left_is_replaced(tmp_path: Path):
    """Secret files and links of a fairlead that was killed do not stay, and are no obstacle."""
    path, workspace = tmp_path / "db", tmp_path / "workspace"
    program = """
import os, sys
from pathlib import Path
from fairlead.local.subprocesses.secret_files import SecretFiles
SecretFiles(Path(sys.argv[1]), os.environ).link([{"secret": "db-main", "path": sys.argv[2]}])
os.kill(os.getpid(), 9)
"""

    async def scenario() -> None:
        killed = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(workspace), str(path)),
            env={**ENVIRON, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert await killed.wait() == -9
        assert (path / "password").read_text() == PASSWORD
        async with home(workspace, environ=ENVIRON) as local:
            assert (await _files(local, path, f"cat {path}/password")).outputs == {}
        assert list((workspace / "secrets").iterdir()) == []
        assert not path.is_symlink()

    asyncio.run(scenario())


def test_files_in_a_container_are_mounted(tmp_path: Path):
    """In a container the folder is mounted read-only at the path, with files that any user of the image can read."""
    tool = install(tmp_path / "bin")
    environ = {**ENVIRON, "PATH": f"{tool.parent}:{os.environ['PATH']}"}

    async def scenario() -> None:
        async with home(tmp_path / "workspace", environ=environ) as local:
            secrets = {"files": [{"secret": "db-main", "path": "/run/db"}]}
            await local.run(attempt(image="i", command=["true"], from_secrets=secrets))

            line = next(call for call in calls(tool) if call[0] == "run")
            (mount,) = [argument for argument in line if argument.endswith(":/run/db:ro,z")]
            folder = Path(mount.partition(":")[0])
            assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o644
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700

    asyncio.run(scenario())


def test_close_takes_links_away(tmp_path: Path):
    """A process that leaves in order leaves no link and no file, whatever still used them."""
    path = tmp_path / "db"
    files = SecretFiles(tmp_path / "workspace", ENVIRON)
    files.link([{"secret": "db-main", "path": str(path)}])
    assert path.is_symlink()

    files.close()

    assert not path.is_symlink()
    assert list((tmp_path / "workspace" / "secrets").iterdir()) == []
