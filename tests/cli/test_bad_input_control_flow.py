"""Control flow and nodes that reach out, given what they cannot use: one sentence with the value and what was expected.

What can be known before is refused before anything starts (exit code 2, no store); the rest fails its node, and what the node
would have started does not start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runner import api_servers
from tests.runner.reach_support import Reply, serving
from tests.support.cli import Cli, sh

BODY = [sh("inner", "echo ran >> ran")]
OPEN = {
    "FAIRLEAD_HTTP_ALLOW_PLAIN": "true",
    "FAIRLEAD_HTTP_ALLOW_PRIVATE": "true",
    "FAIRLEAD_HTTP_ALLOW_HOSTS": "*:*",
}


def refused(cli: Cli, file: Path, *words: str) -> str:
    """What is said of a run that does not start."""
    done = cli("run", file, *words)
    assert (2, "") == (done.returncode, done.stdout), done
    assert "nothing was started" in done.stderr
    assert not cli.store.exists()
    return done.stderr


def failed(cli: Cli, file: Path, *words: str, node: str = "f", **env: str) -> tuple[str, str]:
    """Reason and message of the node that failed, and with it the run; nothing of a body has run."""
    done = cli("run", file, "r", *words, **env)
    assert 1 == done.returncode, done
    assert "Traceback" not in done.stderr
    assert not (cli.folder / "ran").exists()
    [event] = cli.json("events", "r", "--type", "NodeFailed", "--node", node)
    assert event["error"]["reason"] in cli.ok("get", "r")
    return event["error"]["reason"], event["error"]["message"]


def each(items: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "f", "forEach": {"items": items, "nodes": BODY}, **fields}


# ----------------------------------------------------------------------------------------------------------------- items
@pytest.mark.parametrize(
    "value, shown",
    [('{"a": 1}', '{"a":1} (map)'), ("text", '"text" (string)'), ("5", "5 (int)"), ("null", "null (null)")],
    ids=["object", "text", "number", "null"],
)
def test_items_that_are_no_list(cli, value, shown):
    """From an input that may be anything."""
    reason, message = failed(cli, cli.workflow(each("${inputs.x}")), "-i", f"x={value}")

    assert "ExpressionError" == reason
    assert f"items is {shown}; expected a list in `${{inputs.x}}`" == message


def test_items_that_are_surely_no_list_are_refused_before(cli):
    """By the schema of the inputs, or by what an expression gives."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    said = refused(cli, cli.workflow(each("${inputs.n}"), inputs=schema), "-i", "n=1")

    assert (
        "error WrongType: forEach.items gives an int; expected a list (spec.nodes[0].forEach.items)" in said
    )


def test_a_million_items_written_out(cli):
    """Refused with the limit: of items, and of the file where they make it too long."""
    text = json.dumps({"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "flow"},
                       "spec": {"nodes": [each([0] * 150_000)]}})  # fmt: skip
    assert "TooManyItems: items has 150000 entries; expected at most 100000" in refused(
        cli, cli.write("many.yaml", text)
    )
    million = text.replace(json.dumps([0] * 150_000), json.dumps([0] * 1_000_000))
    assert "more than 1,000,000 values" in refused(cli, cli.write("million.yaml", million))


def test_a_million_items_from_the_inputs(cli):
    """Of the file that has them, or of the node, before any item starts."""
    file = cli.workflow(each("${inputs.x}"))
    million = cli.write("million.json", json.dumps({"x": [0] * 1_000_000}))
    done = cli("run", file, "--inputs", million)
    assert (2, "") == (done.returncode, done.stdout)
    assert "the text has more than 1,000,000 values" in done.stderr
    assert not cli.store.exists()

    many = cli.write("many.json", json.dumps({"x": [0] * 150_000}))
    reason, message = failed(cli, file, "--inputs", many)
    assert ("ExpressionError", "items has 150000 entries; expected at most 100000 in `${inputs.x}`") == (
        reason,
        message,
    )


def test_too_many_items_from_an_earlier_node(cli):
    """The node that gives a million is over the limit of outputs; of 200,000 the forEach fails before any item starts."""
    source = {
        "name": "a",
        "run": {"python": "outputs['n'] = [0] * inputs['n']"},
        "with": {"n": "${inputs.n}"},
    }
    file = cli.workflow(source, each("${nodes.a.outputs.n}", after=["a"]))

    assert "items has 200000 entries; expected at most 100000" in failed(cli, file, "-i", "n=200000")[1]
    assert not [kind for kind in cli.types("r") if kind in ("LoopStarted", "LoopIteration")]
    cli.ok("delete", "r")
    assert "OutputTooLarge" == failed(cli, file, "-i", "n=1000000", node="a")[0]


# ------------------------------------------------------------------------------------------------------------ conditions
CONDITIONS = {
    "if": [{"name": "f", "if": "inputs.x"}],
    "when": [sh("f", "echo ran >> ran", when="inputs.x")],
    "while": [{"name": "f", "while": {"condition": "inputs.x", "nodes": BODY}}],
    "switch": [{"name": "f", "switch": {"cases": [{"name": "a", "when": "inputs.x"}]}}],
    "connection": [{"name": "f", "log": {"message": "x"}}, sh("g", "echo ran >> ran")],
}


@pytest.mark.parametrize("place", CONDITIONS)
def test_a_condition_that_is_no_bool(cli, place):
    """Told with the value; where the schema says so, before anything starts."""
    edges = [{"from": "f", "to": "g", "when": "inputs.x"}] if place == "connection" else []
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    typed = cli.workflow(*CONDITIONS[place], connections=edges, inputs=schema, file="typed.yaml")
    assert "a condition must be true or false, but this one is an int" in refused(cli, typed, "-i", "x=5")

    reason, message = failed(cli, cli.workflow(*CONDITIONS[place], connections=edges), "-i", "x=5")
    assert "ExpressionError" == reason
    assert (
        "a condition must be true or false, but this one is 5 (int) in `inputs.x`, with inputs.x = 5"
        == message
    )


# -------------------------------------------------------------------------------------------------------------- parallel
@pytest.mark.parametrize(
    "strategy, words",
    [
        ("race", "2 of 2 branches of the race failed; the first: f."),
        ("any", "2 of 2 branches of the any failed; the first: f."),
        ({"atLeast": 2}, "of 2 branches of the atLeast 2 failed; the first: f."),
        ("all", " failed: exit code 3"),
    ],
    ids=["race", "any", "atLeast", "all"],
)
def test_a_parallel_all_of_whose_branches_fail(cli, strategy, words):
    """Says how many and why the first, and its `failed` port handles it."""
    branches = [{"name": name, "nodes": [sh(f"{name}n", "exit 3")]} for name in ("l", "r")]
    race = {"name": "f", "parallel": {"strategy": strategy, "branches": branches}}
    reason, message = failed(cli, cli.workflow(race))

    assert "BodyFailed" == reason
    assert words in message and message.endswith("failed: exit code 3")
    handled = cli.workflow(
        race, {"name": "g", "after": ["f.failed"], "set": {"x": "${nodes.f.error.reason}"}}
    )
    assert {"x": "BodyFailed"} == cli.json("run", handled)["variables"]


# ----------------------------------------------------------------------------------------------------------------- until
def test_until_in_the_past_is_over_at_once(cli):
    """That is no mistake: a run that was held up goes on. The log says so."""
    file = cli.workflow({"name": "f", "wait": {"until": "${inputs.x}"}})
    cli.ok("run", file, "r", "-i", "x=2020-01-01T00:00:00Z")

    [event] = cli.json("events", "r", "--type", "NodeCompleted")
    assert ("done", "2020-01-01T00:00:00Z had passed when the wait began") == (
        event["port"],
        event["message"],
    )


@pytest.mark.parametrize(
    "value, shown",
    [("tomorrow", "'tomorrow'"), ("5", "5"), ("2026-13-01T00:00:00Z", "'2026-13-01T00:00:00Z'")],
)
def test_until_that_is_no_time(cli, value, shown):
    """With what was given and an example."""
    reason, message = failed(
        cli, cli.workflow({"name": "f", "wait": {"until": "${inputs.x}"}}), "-i", f"x={value}"
    )

    assert "ExpressionError" == reason
    assert message.startswith(f"until is {shown}; expected a time such as 2026-11-21T09:00:00Z")


# ------------------------------------------------------------------------------------------------------------- reach out
def http(url: str, **fields: Any) -> dict[str, Any]:
    return {"name": "f", "http": {"url": url, **fields}}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1"])
def test_a_host_of_a_private_address_is_not_asked(cli, host):
    """By name or by number."""
    reason, message = failed(cli, cli.workflow(http(f"https://{host}/")))

    assert "HttpRefused" == reason
    assert host.strip("[]") in message


def test_a_redirect_to_a_private_address_is_not_followed(cli):
    """It is an answer like any other: its status does not fit `expect`, and the second server is not asked."""
    with serving(lambda _: Reply()) as inner:
        there = Reply(302, {"Location": f"{inner.url}/secret"})
        with serving(lambda _: there) as outer:
            done = cli("run", cli.workflow(http(f"{outer.url}/", expect="status == 200")), "r", **OPEN)

            assert 1 == done.returncode
            assert [] == inner.requests and 1 == len(outer.requests)
    assert "HttpStatus: " in done.stdout and "302" in done.stdout


def test_a_body_of_ten_megabytes_is_given_up_at_the_limit(cli):
    """With the limit; the node fails and nothing of it is kept."""
    with serving(lambda _: Reply(body=b"x" * 10_000_000)) as server:
        reason, message = failed(cli, cli.workflow(http(f"{server.url}/")), **OPEN)

    assert ("OutputTooLarge", "the answer has 10000000 bytes; at most 1048576 are kept") == (reason, message)
    assert cli.store.stat().st_size < 1_000_000


@pytest.fixture
def api(tmp_path: Path) -> Iterator[api_servers.Api]:
    with api_servers.small(tmp_path) as found:
        yield found


def test_a_resource_beyond_the_rights_of_the_service_account(cli, api):
    """The verb and the resource are named; nothing was made."""
    node = {"name": "f", "resource": {"action": "create", "manifest": api_servers.config_map("no")}}
    reason, message = failed(cli, cli.workflow(node), **api.kubeconfig("weak"))

    assert "Forbidden" == reason
    assert 'cannot create resource "configmaps"' in message
    assert api.ask("GET", "/api/v1/namespaces/default/configmaps/no") is None


# ------------------------------------------------------------------------------------------------------- for the runner
@pytest.mark.parametrize(
    "expect, words",
    [
        ("body.items.sum() > 3", "UnknownFunction: sum() is a function of Fairlead's own, which the runner does not have"),
        ("status == inputs.code", "NameOutOfPlace: inputs means nothing in the expect of node f; the runner evaluates it"),
        ("size(body) == 1.0", "TypeMismatch: the runner, which has plain CEL, cannot evaluate this: it compares an int"),
        ("status.max() < 300", "expected math.greatest(...), or an `if` node after this one"),
    ],
    ids=["function", "name", "numbers", "instead"],
)  # fmt: skip
def test_a_condition_that_the_runner_could_not_evaluate(cli, expect, words):
    """Is refused before the request that it would judge is made; so are those of `resource`."""
    assert words in refused(cli, cli.workflow(http("https://api.example.com/", expect=expect)))
    wait = {"action": "get", "manifest": {"kind": "Pod"}, "success": expect.replace("status", "object")}
    said = refused(cli, cli.workflow({"name": "f", "resource": wait}))
    assert words.partition(":")[0].partition(" node")[0] in said
