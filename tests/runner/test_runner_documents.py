"""The node document: where it comes from, what is refused, and what of it the node never sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.runner.conftest import Start
from tests.runner.runner_support import document

pytestmark = pytest.mark.local

SOURCE_ROOT = Path(__file__).resolve().parents[2] / "runner_image"


@pytest.mark.parametrize("way", ["FAIRLEAD_NODE", "FAIRLEAD_NODE_FILE"])
def test_the_document_may_come_by_environment(start: Start, tmp_path: Path, way: str):
    """The cluster hands the document over in a variable or a mounted file; the node sees neither."""
    text = json.dumps(document({"sh": "env | grep -c -e ^FAIRLEAD_NODE= -e FAIRLEAD_NODE_FILE; cat"}))
    (tmp_path / "node.json").write_text(text)
    runner = start(
        node=b"", env_of_home={way: text if way == "FAIRLEAD_NODE" else str(tmp_path / "node.json")}
    )

    assert runner.outputs() == {}
    assert runner.stdout == "0\n"


def test_a_python_script_does_not_see_it_either(start: Start):
    """The environment of a Python script has nothing that is the runner's own."""
    text = json.dumps(document({"python": "import os; outputs['env'] = sorted(os.environ)"}))
    runner = start(node=b"", env_of_home={"FAIRLEAD_NODE": text, "LANG": "C"})

    assert runner.outputs()["env"] == [
        *("FAIRLEAD_ATTEMPT", "FAIRLEAD_EXECUTION", "FAIRLEAD_EXECUTION_UID", "FAIRLEAD_IDEMPOTENCY_KEY"),
        *("FAIRLEAD_INPUTS", "FAIRLEAD_NODE_ID", "FAIRLEAD_OUTPUTS", "LANG", "PATH", "TMPDIR"),
    ]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (b"", "the node document is no JSON: a value is expected at character 0"),
        (b"\xff", "the node document is no JSON: "),
        (b"[]", "the node document is of type list; expected an object"),
        (document({"sh": "true"}, version=2), "the node document has version 2; expected 1"),
        (document({}), "run has none of python, sh and image; expected exactly one"),
        (
            document({"sh": "", "python": ""}),
            "run has python and sh of python, sh and image; expected exactly one",
        ),
        (document({"sh": 3}), "run.sh is of type int; expected text"),
        (document({"image": "i", "command": "true"}), "run.command is 'true'; expected a list of texts"),
        (document({"sh": "true"}, inputs=[1]), "inputs is of type list; expected an object"),
        (document({"sh": "true\0"}), "the node could not be run: ValueError: embedded null byte"),
    ],
)
def test_a_document_that_cannot_be_run(start: Start, node: bytes | dict[str, Any], message: str):
    """A document that is none fails the attempt with one sentence, and does not crash the runner."""
    runner = start(node=node)

    error = runner.error()
    assert error["reason"] == "RunnerFailed"
    assert message in error["message"]
    assert runner.stderr == ""


def test_a_document_of_any_length_is_bounded(start: Start):
    """What is larger than any document can be is not read to its end."""
    runner = start(node=b" " * (9 * 1024 * 1024))

    assert runner.error()["message"] == "the node document is larger than 8388608 bytes"


def test_inputs_of_one_mib(start: Start):
    """The largest inputs there are reach the script."""
    runner = start(python="outputs['n'] = len(inputs['text'])", inputs={"text": "x" * 1024 * 1024})

    assert runner.outputs() == {"n": 1024 * 1024}


def test_a_place_that_cannot_be_written(start: Start):
    """No private folder, no attempt: the error says what could not be made."""
    runner = start(sh="true", env_of_home={"TMPDIR": "/nonexistent"})

    error = runner.error()
    assert error["reason"] == "RunnerFailed"
    assert "No such file or directory: '/nonexistent/fairlead-" in error["message"]


def test_the_home_may_choose_the_private_folder(start: Start, tmp_path: Path):
    """A folder that the home names is used, anew if something was left in it, and removed."""
    folder = tmp_path / "chosen"
    folder.mkdir()
    (folder / "outputs.json").write_text('{"old": 1}')
    (folder / "rest").mkdir()

    runner = start(
        sh='echo "$FAIRLEAD_INPUTS"; ls "$(dirname "$FAIRLEAD_INPUTS")"',
        env_of_home={"FAIRLEAD_SCRATCH": str(folder)},
    )

    assert runner.outputs() == {}
    assert runner.stdout.split() == [f"{folder}/inputs.json", "inputs.json", "outputs.json"]
    assert not folder.exists()


def test_what_a_node_puts_into_the_private_folder_goes_too(start: Start):
    """Folders that a node makes beside its outputs do not stay."""
    runner = start(sh='cd "$(dirname "$FAIRLEAD_INPUTS")" && mkdir -p a/b && touch a/b/c')

    assert runner.outputs() == {}


@pytest.mark.parametrize(
    ("script", "code", "stderr"),
    [
        ("echo out", 0, ""),
        ("exit 3", 3, "fairlead: NonZeroExit: exit code 3\n"),
        ("kill -9 $$", 137, "fairlead: Signalled: ended by SIGKILL\n"),
    ],
)
def test_started_by_hand(tmp_path: Path, script: str, code: int, stderr: str):
    """`python -m fairlead_runner < document.json` is enough to try a node: exit code, and a sentence if it failed."""
    ended = subprocess.run(
        [sys.executable, "-m", "fairlead_runner"],
        input=json.dumps(document({"sh": script})).encode(),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE_ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr.decode()) == (code, stderr)


def test_the_start_imports_nothing_dear():
    """Until the node runs, the runner has only modules that are built in C, what Python itself starts with, and its own."""
    script = f"import sys; sys.path.insert(0, {str(SOURCE_ROOT)!r}); before = set(sys.modules); import fairlead_runner.main; "
    script += (
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('fairlead_runner')))"
    )
    listed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, check=True, text=True
    ).stdout

    assert set(listed.split()) <= {"_json", "_signal", "math", "posix", "select", "time"}
