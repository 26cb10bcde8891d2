"""Nodes that misbehave: each fails with one clear sentence, ends with all it has started, and takes nothing else with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.support.cli import PROGRAM, Cli, sh
from tests.support.waiting import lives, pid_in, until

MIB = 1024 * 1024


def failed(cli: Cli, name: str) -> dict[str, str]:
    """The reason and message of each node that failed."""
    events = cli.json("events", name, "--type", "NodeFailed")
    return {
        event["node"]: f"{event['error']['reason']}: {event['error'].get('message', '')}" for event in events
    }


def python(name, script, **fields):
    return {"name": name, "run": {"python": script}, **fields}


# --------------------------------------------------------------------------------------------------------------- outputs
OUTPUTS = {
    "nan": ('outputs["x"] = float("nan")', "OutputInvalid: outputs.x is nan; expected a finite number"),
    "inf": (
        'outputs["a"] = [{"b": float("-inf")}]',
        "OutputInvalid: outputs.a[0].b is -inf; expected a finite",
    ),
    "huge": (
        'outputs["x"] = 2**64',
        "OutputInvalid: outputs.x is 18446744073709551616, beyond 64 bits; write it as",
    ),
    "object": ('outputs["x"] = object()', "OutputInvalid: outputs.x is an object <object object at "),
    "itself": ('outputs["x"] = outputs', "OutputInvalid: outputs.x.x.x.x"),
    "list": ("outputs = [1]", "OutputInvalid: outputs is a list; expected a JSON object"),
    "nan-sh": ('{"x": NaN}', "OutputInvalid: the outputs are no JSON: NaN is no JSON number"),
    "huge-sh": (
        '{"x": 9223372036854775808}',
        "OutputInvalid: outputs.x is 9223372036854775808, beyond 64 bits",
    ),
    "float-sh": (
        '{"x": 1e300}',
        "OutputInvalid: outputs.x is 10000000000000000525... (301 digits), beyond the 64 bits",
    ),
    "list-sh": ("[1, 2]", "OutputInvalid: outputs is a list; expected a JSON object"),
    "text-sh": ("hello", "OutputInvalid: the outputs are no JSON: a value is expected at character 0"),
    "null-sh": ("null", "OutputInvalid: outputs is null; expected a JSON object"),
}


def test_outputs_that_are_none_fail_their_node_alone(cli):
    """Numbers that JSON or 64 bits cannot hold, and what is no object: told with path and value; the rest is kept."""
    nodes = []
    for name, (text, _) in OUTPUTS.items():
        (cli.folder / name).write_text(text, encoding="utf-8")
        nodes.append(
            sh(name, f'cat {name} > "$FAIRLEAD_OUTPUTS"') if name.endswith("-sh") else python(name, text)
        )
    good = python("good", 'outputs["x"] = [2**63 - 1, 1.5]')

    done = cli("run", cli.workflow(*nodes, good, failFast=False), "r")

    found = failed(cli, "r")
    assert done.returncode == 1
    assert set(OUTPUTS) == set(found)
    for name, (_, sentence) in OUTPUTS.items():
        assert found[name].startswith(sentence), found[name]
        assert len(found[name]) < 250, found[name]
    [kept] = cli.json("events", "r", "--type", "NodeCompleted")
    assert {"x": [2**63 - 1, 1.5]} == kept["outputs"]


def test_a_script_that_writes_nothing_has_no_outputs(cli):
    """Nothing, an empty file, no file: `{}`, and the node is done."""
    nodes = [
        sh("nothing"),
        sh("empty", ': > "$FAIRLEAD_OUTPUTS"'),
        sh("removed", 'rm "$FAIRLEAD_OUTPUTS"'),
        python("comment", "# nothing"),
    ]

    cli.ok("run", cli.workflow(*nodes), "r")

    completed = cli.json("events", "r", "--type", "NodeCompleted")
    assert 4 == len(completed)
    assert all(event.get("outputs", {}) == {} for event in completed)


# ------------------------------------------------------------------------------------------------------------- processes
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def test_a_hundred_megabytes_of_output_cost_neither_memory_nor_disk(cli):
    """The first and the last MiB are kept, `logs` says how much is missing between, and memory stays small."""
    file = cli.workflow(sh("loud", "echo first; yes 0123456789 | head -c 100000000; echo last"))

    # A small process starts and measures it: a child's peak begins with the size of the process that forked it.
    measured = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, PROGRAM, "run", file, "r"],
        cwd=cli.folder,
        env=cli.env,
        capture_output=True,
        check=True,
    )

    printed = cli.ok("logs", "r")
    code, peak = map(int, measured.stdout.split()[-2:])
    assert code == 0
    assert peak * 1024 < 150 * MIB
    assert "\nfirst\n" in printed
    assert printed.endswith("last\n")
    assert " bytes left out " in printed
    assert len(printed) < 3 * MIB
    stored = sum(path.stat().st_size for path in Path(f"{cli.store}.d").rglob("*") if path.is_file())
    assert stored < 5 * MIB


def test_children_that_a_script_leaves_end_with_it(cli):
    """In the background, in a session of their own, deaf to TERM: none is left, and the node keeps its outputs."""
    script = """
        sleep 600 & echo $! > plain.pid
        setsid sh -c 'echo $$ > session.pid; exec sleep 600' &
        sh -c 'trap "" TERM; echo $$ > deaf.pid; sleep 600 & wait; sleep 600' &
        until [ -s plain.pid ] && [ -s session.pid ] && [ -s deaf.pid ]; do sleep 0.02; done
        echo '{"a": 1}' > "$FAIRLEAD_OUTPUTS"
    """

    cli.ok("run", cli.workflow(sh("forks", script, terminationGrace="100ms")), "r")

    [completed] = cli.json("events", "r", "--type", "NodeCompleted")
    assert {"a": 1} == completed["outputs"]
    for name in ("plain", "session", "deaf"):
        assert not lives(pid_in(cli.folder / f"{name}.pid")), name


DEAF = 'trap "" TERM; echo $$ > deaf.pid; while :; do sleep 0.05; done'


def test_a_timeout_ends_a_script_that_ignores_term(cli):
    """KILL comes after terminationGrace; the node failed with Timeout, the run with 1."""
    file = cli.workflow(sh("deaf", DEAF, timeout="300ms", terminationGrace="100ms"))

    done = cli("run", file, "r")

    assert done.returncode == 1
    assert {"deaf": "Timeout: attempt 1 ran longer than its timeout of 300ms"} == failed(cli, "r")
    assert not lives(pid_in(cli.folder / "deaf.pid"))


def test_a_cancel_ends_a_script_that_ignores_term(cli):
    """Exit code 3, and `finally` has run."""
    tidy = {"name": "tidy", "log": {"message": "tidied"}}
    file = cli.workflow(sh("deaf", DEAF, terminationGrace="100ms"), **{"finally": [tidy]})

    with cli.started("run", file, "r") as process:
        pid = pid_in(cli.folder / "deaf.pid")
        cli.ok("cancel", "r", "--reason", "enough")
        shown, _ = process.communicate()

    assert process.returncode == 3
    assert not lives(pid)
    assert "NodeCompleted tidy info: tidied" in shown
    assert "ExecutionCancelled enough" in shown


def test_a_script_that_kills_its_own_runner_is_lost_and_takes_nobody_with_it(cli):
    """Delivered again up to maxDeliveries, then NodeLost; the node beside it is done."""
    file = cli.workflow(
        sh("rogue", "echo x >> tries; kill -9 $PPID; sleep 600", maxDeliveries=2), sh("good"), failFast=False
    )

    done = cli("run", file, "r")

    assert done.returncode == 1
    assert "x\nx\n" == (cli.folder / "tries").read_text()
    assert failed(cli, "r")["rogue"].startswith("NodeLost: delivery 2 of 2 was lost: ")
    assert ["good"] == [event["node"] for event in cli.json("events", "r", "--type", "NodeCompleted")]


@pytest.mark.parametrize("signals", [1, 2])
def test_stopped_once_or_twice_nothing_goes_on_working(cli, signals):
    """After Ctrl-C the deaf script is ended within its grace; after two the process has left and the script ends all the same."""
    file = cli.workflow(sh("deaf", DEAF, terminationGrace="200ms"))

    with cli.started("run", file, "r") as process:
        pid = pid_in(cli.folder / "deaf.pid")
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        process.communicate()

    assert process.returncode in ((4,) if signals == 1 else (4, 130))
    until(lambda: not lives(pid), "the end of the script")
    assert "Running" == cli.phase("r")


# ----------------------------------------------------------------------------------------------------------- expressions
EXPRESSIONS = {
    "divide": ("1 / inputs.zero", "divide by zero in `1 / inputs.zero`, with inputs.zero = 0"),
    "modulus": ("1 % inputs.zero", "modulus by zero in "),
    "key": ("inputs.nokey", "inputs has no key 'nokey' "),
    "deep-key": ("inputs.empty.a.b", "inputs.empty has no key 'a' (it is empty)"),
    "index": ("inputs.list[5]", "index 5 is outside of a list of 1 elements in "),
    "overflow": ("9223372036854775807 + inputs.list[0]", "integer overflow in "),
    "endless": (
        "inputs.many.all(x, inputs.many.all(y, inputs.many.all(z, x + y + z >= 0)))",
        "all() would walk 3000 elements, more than the 2000 that a comprehension may",
    ),
    "square": (
        "range(1500).map(x, range(1500).map(y, x * y))",
        "it would take too much work for one expression",
    ),
    "range": ("range(100000000)", "range(100000000) would give more than 10000 elements"),
}


EXPENSIVE = ("endless", "square", "range")


def test_expressions_that_fail_name_themselves_and_what_they_saw(cli):
    """Division by zero, missing keys, loops without an end: refused at once; the nodes beside them are done."""
    nodes = [{"name": name, "log": {"message": f"${{{cel}}}"}} for name, (cel, _) in EXPRESSIONS.items()]
    inputs = cli.write("inputs.yaml", {"zero": 0, "empty": {}, "list": [1], "many": list(range(3000))})
    file = cli.workflow(*nodes, {"name": "good", "log": {"message": "fine"}}, failFast=False)

    done = cli("run", file, "r", "--inputs", inputs)

    found = failed(cli, "r")
    assert done.returncode == 1
    assert set(EXPRESSIONS) == set(found)
    for name, (_, sentence) in EXPRESSIONS.items():
        reason = "ExpressionTooExpensive" if name in EXPENSIVE else "ExpressionError"
        assert found[name].startswith(f"{reason}: {sentence}"), found[name]
        assert len(found[name]) < 1000
    assert Counter(cli.types("r"))["NodeCompleted"] == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 1000 + "1" + ")" * 1000 + " > 0",
        "[" * 1000 + "1" + "]" * 1000 + " == []",
        "(" * 1000,
        "inputs" + ".a" * 1000 + " > 0",
        "+".join(["1"] * 1000) + " > 0",
        "[1].map(x, " * 200 + "1" + ")" * 200 + " == []",
    ],
    ids=["parentheses", "lists", "unclosed", "fields", "chain", "comprehensions"],
)
def test_an_expression_that_nests_too_deep_is_refused_at_its_place(cli, expression):
    """Neither the parser nor anything behind it meets it; nothing is started."""
    file = cli.workflow({"name": "a", "if": expression})

    done = cli("run", file)

    [finding, _] = done.stderr.splitlines()
    assert done.returncode == 2
    assert "error ExpressionInvalid: the expression is nested too deeply: more than 32 levels" in finding
    assert finding.endswith("(spec.nodes[0].if)")
    assert not cli.store.exists()
