"""The two ends of a result: what the real runner leaves behind in a container, and what is read from it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.runner.runner_support import document

from fairlead.kube.pods.results import LoggedResult, NoResult, from_log, of_image, of_runner
from fairlead.local.subprocesses.process import runner_command


class Left:
    """What a container leaves: its exit code, its termination message, its log."""

    def __init__(self, folder: Path, run: dict[str, Any], **fields: Any) -> None:
        message = folder / "termination-log"
        message.touch()
        env = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(folder),
            "FAIRLEAD_TERMINATION_LOG": str(message),
            "FAIRLEAD_NODE": json.dumps(document(run, **fields)),
        }
        done = subprocess.run(
            runner_command(),
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.exit_code, self.log = done.returncode, done.stdout.splitlines()
        self.message = message.read_text()


def test_small_outputs_stand_in_the_termination_message(tmp_path: Path):
    """What fits into 4 KiB needs nothing but the message, and a success exits with 0."""
    left = Left(tmp_path, {"python": "outputs['n'] = 2**53 + 1"})

    assert 0 == left.exit_code
    assert {"n": 2**53 + 1} == of_runner(left.message).outputs


def test_a_failure_stands_in_the_termination_message(tmp_path: Path):
    """The reason, the sentence and the exit code come through."""
    left = Left(tmp_path, {"sh": "echo no such order >&2; exit 3"})

    error = of_runner(left.message).error

    assert 3 == left.exit_code
    assert error is not None
    assert ("NonZeroExit", 3) == (error.reason, error.exit_code)
    assert "no such order" in error.message


def test_large_outputs_stand_at_the_end_of_the_log(tmp_path: Path):
    """More than 4 KiB comes in marked lines of at most 8 KiB, past what the node printed, and its digest is checked."""
    script = "print('fairlead-result 0123 0 AAAA'); print('x', end='')\noutputs['text'] = 'ä' * 200_000"
    left = Left(tmp_path, {"python": script})

    where = of_runner(left.message).log

    assert where is not None
    assert 8192 > max(len(line) for line in left.log)
    assert {"text": "ä" * 200_000} == from_log(where, left.log).outputs


def test_the_document_may_come_in_a_file(tmp_path: Path):
    """A node document that is too long for the environment is read from the file that is named."""
    path = tmp_path / "node.json"
    path.write_text(
        json.dumps(document({"python": "outputs['n'] = len(inputs['text'])"}, inputs={"text": "x" * 200_000}))
    )
    message = tmp_path / "message"
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "FAIRLEAD_TERMINATION_LOG": str(message)}
    subprocess.run(
        runner_command(),
        env={**env, "FAIRLEAD_NODE_FILE": str(path)},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )

    assert {"n": 200_000} == of_runner(message.read_text()).outputs


@pytest.mark.parametrize("lost", [0, 7, -1])
def test_a_log_without_one_of_the_lines_is_no_result(lost: int, tmp_path: Path):
    """A result is believed whole or not at all."""
    left = Left(tmp_path, {"python": "outputs['text'] = 'x' * 100_000"})
    where = of_runner(left.message).log
    assert where is not None
    lines = [line for line in left.log if line.startswith("fairlead-result")]
    del lines[lost]

    with pytest.raises(NoResult, match="is not in the log"):
        from_log(where, lines)


def test_a_log_that_was_altered_is_no_result(tmp_path: Path):
    """The digest of the termination message decides."""
    left = Left(tmp_path, {"python": "outputs['text'] = 'x' * 10_000"})
    where = of_runner(left.message).log
    assert where is not None
    lines = [line.replace("eHh4", "eHh5") for line in left.log]

    with pytest.raises(NoResult, match="another digest"):
        from_log(where, lines)


def test_a_size_beyond_reason_is_not_read():
    """Nobody makes the operator collect more than an output can be."""
    with pytest.raises(NoResult, match="at most"):
        from_log(LoggedResult(lines=10**9, bytes=10**12, sha256=hashlib.sha256(b"").hexdigest()), [])


@pytest.mark.parametrize(
    "message", ["", "no JSON", "[]", "{}", '{"outputs": 3}', '{"error": {}}', '{"log": {}}']
)
def test_what_is_no_result_is_called_so(message: str):
    """Nothing is concluded from a message that is not one of ours."""
    with pytest.raises(NoResult):
        of_runner(message)


def test_a_reason_that_a_script_made_up_is_not_taken_over():
    """Reasons are labels and conditions: what is no CamelCase word becomes RunnerFailed."""
    error = of_runner('{"error": {"reason": "x\\n{}", "message": "m"}}').error

    assert error is not None
    assert "RunnerFailed" == error.reason


def test_a_users_image_gives_its_termination_message_as_outputs():
    """Exit code 0 with JSON is done, with nothing is `{}`, and what is no object is OutputInvalid."""
    assert {"n": 1} == of_image(0, '{"n": 1}').outputs
    assert {} == of_image(0, "").outputs
    for message in ("[1]", "not JSON"):
        error = of_image(0, message).error
        assert error is not None
        assert "OutputInvalid" == error.reason


def test_a_users_image_that_fails_says_so_with_its_exit_code():
    """The last line of the termination message is shown."""
    error = of_image(4, "one\ntwo\n").error

    assert error is not None
    assert ("NonZeroExit", 4, "exit code 4: two") == (error.reason, error.exit_code, error.message)
