"""Values of Secrets stay out of the message of a failure, the one thing that the runner takes out of a node's output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.runner.conftest import Start

PASSWORD = "correct-horse-battery"


def hidden(**where: Any) -> dict[str, str]:
    """What a home says of Secrets."""
    return {"FAIRLEAD_HIDDEN": json.dumps(where)}


def test_a_variable_that_is_named(start: Start):
    """Last words are shown without its value; the node itself has it, and is not told what is hidden."""
    one = start(
        sh='[ -z "$FAIRLEAD_HIDDEN" ] && echo "no login with $PW" >&2; exit 3',
        env_of_home={"PW": PASSWORD, "SHOWN": "shown", **hidden(env=["PW"])},
    )
    assert one.error()["message"] == "exit code 3: no login with ***"


def test_variables_whose_names_only_the_secret_knows(start: Start):
    """With `rest` every variable is hidden that neither the node, the image nor Kubernetes has set."""
    one = start(
        sh='echo "$PW $MINE $KUBERNETES_PORT $HOSTNAME" >&2; exit 1',
        env={"MINE": "my-own-value"},
        env_of_home={
            "PW": PASSWORD,
            "KUBERNETES_PORT": "tcp://10.0.0.1",
            "HOSTNAME": "host-1",
            **hidden(rest=True),
        },
    )
    assert one.error()["message"] == "exit code 1: *** my-own-value tcp://10.0.0.1 host-1"


def test_files_line_by_line(start: Start, tmp_path: Path):
    """As a kubelet mounts them: a link to a folder that begins with two dots, whose name is no key."""
    (tmp_path / "db" / "..data").mkdir(parents=True)
    (tmp_path / "db" / "..data" / "key").write_text("first line of it\nsecond line of it\n")
    (tmp_path / "db" / "key").symlink_to("..data/key")
    one = start(
        python=f"raise ValueError('cannot read ' + open('{tmp_path}/db/key').read().splitlines()[1])",
        env_of_home=hidden(files=[str(tmp_path / "db"), str(tmp_path / "none")]),
    )
    assert one.error()["message"] == "exit code 1: ValueError: cannot read ***"


@pytest.mark.parametrize("before", [280, 290, 4_080, 70_000])
def test_no_half_of_a_value_is_left(start: Start, before: int):
    """Neither where a long line is cut at its end nor where its beginning is forgotten."""
    script = f"import os, sys\nsys.stderr.write('x' * {before} + os.environ['PW'] * 200 + 'y' * 10 + '\\n')\nos._exit(2)"
    message = start(python=script, env_of_home={"PW": PASSWORD, **hidden(env=["PW"])}).error()["message"]
    assert "x" in message or "***" in message
    assert set(message.removeprefix("exit code 2: ")) <= set("xy*.")


def test_short_values_are_left(start: Start):
    """Three letters would blot out ordinary text."""
    one = start(sh="echo 'yes it failed' >&2; exit 1", env_of_home={"FLAG": "yes", **hidden(env=["FLAG"])})
    assert one.error()["message"] == "exit code 1: yes it failed"
