"""Shell scripts and commands: their environment, their ends, and programs that cannot be started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.runner.conftest import Start

pytestmark = pytest.mark.local


def test_inputs_are_a_file(start: Start):
    """FAIRLEAD_INPUTS names the inputs as JSON, FAIRLEAD_OUTPUTS takes the outputs."""
    runner = start(
        sh='cat "$FAIRLEAD_INPUTS" > "$FAIRLEAD_OUTPUTS"', inputs={"é": [1, 2.5, None, {"a": "\n"}]}
    )

    assert runner.outputs() == {"é": [1, 2.5, None, {"a": "\n"}]}


def test_the_environment_is_exact(start: Start):
    """A node has what its home gave, what it names, and who it is; nothing of the runner's own."""
    runner = start(
        sh="env | grep -v -e ^PWD= -e ^_= -e ^OLDPWD= -e ^SHLVL= -e ^FAIRLEAD_INPUTS= -e ^FAIRLEAD_OUTPUTS= | sort",
        env={"COLOUR": "red", "EMPTY": "", "HOME": "/nowhere", "YES": True, "N": 1.5},
        env_of_home={"HOME": "/elsewhere", "SECRET": "s"},
    )

    assert runner.outputs() == {}
    assert runner.stdout.splitlines() == sorted(
        [
            "COLOUR=red",
            "EMPTY=",
            "FAIRLEAD_ATTEMPT=2",
            "FAIRLEAD_EXECUTION=order-x1",
            "FAIRLEAD_EXECUTION_UID=0b6d",
            "FAIRLEAD_IDEMPOTENCY_KEY=c0ffee",
            "FAIRLEAD_NODE_ID=lines[3]/pack",
            "HOME=/nowhere",
            "N=1.5",
            "YES=true",
            f"PATH={os.environ['PATH']}",
            "SECRET=s",
            f"TMPDIR={runner.temporary}",
        ]
    )


def test_private_files_are_private(start: Start):
    """Nobody else on the machine can read the inputs or write the outputs."""
    runner = start(sh='stat -c "%a" "$FAIRLEAD_INPUTS" "$FAIRLEAD_OUTPUTS" "$(dirname "$FAIRLEAD_INPUTS")"')

    assert runner.outputs() == {}
    assert runner.stdout.split() == ["600", "600", "700"]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("exit 3", 3, "exit code 3"),
        ("echo no; echo why >&2; exit 4", 4, "exit code 4: why"),
        ("nosuchcommand", 127, "exit code 127: sh: 1: nosuchcommand: not found"),
        (r"printf '\033[31mred\033[0m\n\n  \n' >&2; exit 5", 5, "exit code 5: red"),
        ("kill -9 $$ & wait; exit 6", None, "ended by SIGKILL"),
        ("if then", 2, None),
    ],
)
def test_a_failure_says_its_code_and_last_words(
    start: Start, script: str, code: int | None, message: str | None
):
    """The message has the exit code and the last line of stderr that says something, without colours."""
    error = start(sh=script).error()

    assert error["reason"] == ("NonZeroExit" if code else "Signalled")
    assert error["exitCode"] == (code or 137)
    assert message is None or error["message"] == message


def test_a_long_last_line_is_cut(start: Start):
    """A message stays a sentence, whatever the node printed."""
    error = start(sh="head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").error()

    assert len(error["message"]) < 350
    assert error["message"].endswith("xxx...")


def test_a_script_larger_than_an_argument_may_be(start: Start):
    """The kernel takes 128 KiB for one argument; a script may be longer."""
    script = "\n".join(["# " + "é" * 998] * 200) + '\necho \'{"ran": true}\' > "$FAIRLEAD_OUTPUTS"'

    assert start(sh=script).outputs() == {"ran": True}


def test_dollar_signs_belong_to_the_shell(start: Start):
    """The text reaches the shell as it stands."""
    runner = start(sh="X=1; echo ${X:-2} ${#X} $${X} '${inputs}'")

    assert runner.outputs() == {}
    assert runner.stdout.split()[:2] == ["1", "1"]
    assert runner.stdout.split()[-1] == "${inputs}"


def test_stderr_passes_unchanged(start: Start):
    """Every byte of stderr arrives, however much there is and whatever it holds."""
    runner = start(python="import os\nfor n in range(300):\n    os.write(2, bytes([n % 256]) * 10007)")

    assert runner.outputs() == {}
    expected = b"".join(bytes([n % 256]) * 10007 for n in range(300))
    assert (runner.folder / "stderr").read_bytes() == expected


def test_a_command_gets_its_arguments(start: Start):
    """A command of an image that runs here is started with its arguments as they are, without a shell."""
    runner = start(command=["printf", "%s|", "a b", "$HOME", ""])

    assert runner.outputs() == {}
    assert runner.stdout == "a b|$HOME||"


def test_a_command_is_found_by_the_nodes_path(start: Start, tmp_path: Path):
    """PATH of the node's env decides where a command is found, as its shell would."""
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    runner = start(command=["tool"], env={"PATH": f"/nonexistent:{tool.parent}"})

    assert runner.outputs() == {}
    assert runner.stdout == "found\n"


def test_a_relative_command_belongs_to_the_working_folder(start: Start, tmp_path: Path):
    """`./tool` is the one in workingDir."""
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o755)

    runner = start(command=["./tool"], workingDir=str(tmp_path))

    assert runner.outputs() == {}
    assert runner.stdout == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["no-such-tool", "x"], 127, "command 'no-such-tool' was not found in PATH ("),
        (["./no-such-tool"], 127, "command './no-such-tool' was not found in "),
        (["./plain"], 126, "command './plain': ./plain may not be executed"),
        (["./no-interpreter"], 126, "names an interpreter in its first line that does not exist"),
        (["./garbage"], 126, "cannot be executed: Exec format error"),
        (["./folder"], 126, "./folder may not be executed"),
        ([], 127, "the node has no command"),
    ],
)
def test_a_command_that_cannot_be_started(
    start: Start, tmp_path: Path, command: list[str], code: int, message: str
):
    """What cannot be started says what was looked for and where, with the exit code of a shell."""
    (tmp_path / "plain").write_text("echo")
    (tmp_path / "folder").mkdir()
    for name, text in (("no-interpreter", "#!/no/such/thing\n"), ("garbage", "\x00\x01\x02")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    error = start(command=command, workingDir=str(tmp_path)).error()

    assert (error["reason"], error["exitCode"]) == ("CommandNotFound", code)
    assert message in error["message"]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_working_folder_that_is_none(start: Start, tmp_path: Path, kind: str):
    """A workingDir that cannot be entered fails the attempt with the folder's name, before anything runs."""
    (tmp_path / "file").write_text("")

    runner = start(sh="echo ran", workingDir=str(tmp_path / kind))

    error = runner.error()
    assert error["reason"] == "WorkingDirMissing"
    assert repr(str(tmp_path / kind)) in error["message"]
    assert runner.stdout == ""


def test_a_relative_working_folder_says_relative_to_what(start: Start):
    """The message names the folder that a relative workingDir was looked for in."""
    runner = start(sh="true", workingDir="no/such")

    assert (
        f"'no/such' in {runner.folder} cannot be entered (No such file or directory)"
        in runner.error()["message"]
    )
