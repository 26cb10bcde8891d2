"""Help, wrong words, and how errors look."""

from __future__ import annotations

import subprocess

import pytest
from tests.support.cli import PROGRAM

from fairlead.apps.cli.commands import COMMANDS


def one_error(done, code=2):
    """The sentence of a command that failed: one line on stderr, nothing on stdout, no traceback."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def test_help_lists_every_command_with_what_it_does(cli):
    """`--help`, `-h` and nothing at all print the same list."""
    shown = cli.ok("--help")

    assert all(f"  {name} " in shown for name in COMMANDS)
    assert cli.ok("-h") == shown == cli.ok()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    """The help of a command shows a line that can be copied."""
    shown = cli.ok(command, "--help")

    assert f"Usage: fairlead {command}" in shown
    assert "  Example" in shown
    assert f"    fairlead {command} " in shown or f"    fairlead {command}\n" in shown


def test_help_loads_neither_the_model_nor_drawing(cli):
    """What answers at once imports nothing heavy (the time itself is measured in bench/)."""
    heavy = (
        "pydantic msgspec rich asyncio yaml sqlite3 fairlead.model.manifests fairlead.engine fairlead.local"
    )
    script = (
        "import sys; from fairlead.apps.cli import main; main(['--help']);"
        f"print([name for name in {heavy.split()!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [PROGRAM.with_name("python"), "-c", script], env=cli.env, capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"


WRONG_WORDS = [
    ("rnu", "'rnu' is no command; did you mean run? See `fairlead --help`."),
    ("xyzzy", "'xyzzy' is no command; see `fairlead --help`"),
    (
        "run --sotre x",
        "--sotre is no option of `fairlead run`; did you mean --store? See `fairlead run --help`.",
    ),
    ("list --xyzzy", "--xyzzy is no option of `fairlead list`; see `fairlead list --help`"),
    ("get", "missing argument 'ID'; see `fairlead get --help`"),
    (
        "run x -o xml",
        "invalid value for '--output' / '-o': 'xml' is not one of 'json', 'yaml'; see `fairlead run --help`",
    ),
    ("list more", "got unexpected extra argument(s) (more); see `fairlead list --help`"),
    ("run", "neither FILE nor --resume is given; see `fairlead run --help`"),
    (
        "run --resume x f",
        "--resume goes on with what was started; expected neither FILE, NAME nor inputs with it",
    ),
]


@pytest.mark.parametrize("words, expected", WRONG_WORDS)
def test_wrong_words_are_refused_with_the_nearest_right_one(cli, words, expected):
    """Exit code 2, one sentence on stderr, nothing on stdout."""
    assert one_error(cli(*words.split())) == expected


def test_a_traceback_is_shown_with_debug_alone(cli):
    """The same mistake is one sentence without --debug and has its place with it, wherever the option stands."""
    plain = cli("get", "x", "--store", "/nowhere/at/all.db")
    assert one_error(plain, code=5).startswith("there is no store /nowhere/at/all.db")

    for words in (["--debug", "get", "x"], ["get", "--debug", "x"], ["get", "x", "--debug"]):
        shown = cli(*words, "--store", "/nowhere/at/all.db")
        assert "Traceback" in shown.stderr


def test_the_version_is_printed(cli):
    """`--version` names the program and its version."""
    assert cli.ok("--version").startswith("fairlead 0.")


def test_as_a_plugin_of_kubectl_it_calls_itself_so(cli):
    """Installed as `kubectl-fairlead` its usage says `kubectl fairlead`."""
    program = PROGRAM.with_name("kubectl-fairlead")

    done = subprocess.run(
        [program, "list", "--help"], env=cli.env, capture_output=True, text=True, check=True
    )

    assert "Usage: kubectl fairlead list" in done.stdout


def test_a_reader_that_goes_away_ends_a_command_quietly(cli):
    """`fairlead … | head` prints no complaint."""
    command = f"{PROGRAM} crds | head -1"

    done = subprocess.run(["bash", "-c", command], env=cli.env, capture_output=True, text=True, check=True)

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command, code, sentence",
    [
        ("list > /dev/full", 5, "error: the output could not be written (No space left on device)"),
        ("list >&-", 0, ""),
        ("list 2>&-", 0, ""),
        ("list | true", 0, ""),
    ],
)
def test_output_that_goes_nowhere_is_no_mistake_of_ours(cli, command, code, sentence):
    """A full disk is told, closed streams and readers that go away are not; a run in the store stays as it is."""
    cli.ok("run", cli.workflow({"name": "a", "set": {"x": 1}}))

    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} {command}; exit ${{PIPESTATUS[0]}}"],
        env={name: value for name, value in cli.env.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr.split(";")[0].strip()) == (code, sentence)


def test_a_run_goes_on_when_nobody_reads_it(cli):
    """`run | head -1` ends with the run's own exit code."""
    file = cli.workflow(
        {"name": "a", "set": {"x": 1}}, {"name": "f", "finish": {"result": "failed"}, "after": ["a"]}
    )

    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} run {file} r | head -1; exit ${{PIPESTATUS[0]}}"],
        env=cli.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert cli.phase("r") == "Failed"


def test_crds_prints_all_five_kinds(cli):
    """What it prints is the folder crds/, as one YAML stream."""
    shown = cli.ok("crds")

    assert shown.count("kind: CustomResourceDefinition") == 5
    assert shown.count("\n---\n") == 4
