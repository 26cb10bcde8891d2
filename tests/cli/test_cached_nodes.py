"""`cache` through the command line: runs of one store share results, and whatever is wrong is a miss (semantics 40)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cli import Cli, manifest
from tests.support.stores import tamper
from tests.support.waiting import until

KEY = {"key": "${inputs.k}", "ttl": "1h"}


def lookup(script: str = "", **fields: Any) -> dict[str, Any]:
    """A node that writes down that it ran, and gives a number that no other run gives."""
    text = f"echo ran >> ran; {script} echo '{{\"pid\": '$$'}}' > $FAIRLEAD_OUTPUTS"
    return {"name": "look", "run": {"sh": text}, "cache": KEY, **fields}


def runs(cli: Cli) -> int:
    """How often the node has run."""
    file = cli.folder / "ran"
    return len(file.read_text(encoding="utf-8").split()) if file.exists() else 0


def outputs(cli: Cli, name: str) -> Any:
    """What the node gave."""
    return cli.json("events", name, "--type", "NodeCompleted", "--node", "look")[0]["outputs"]


def missed(cli: Cli, name: str) -> str:
    """The note of a miss."""
    [event] = cli.json("events", name, "--type", "CacheMissed")
    return str(event.get("note", ""))


def test_a_second_run_starts_nothing_and_says_whose_result_it_has(cli):
    """In the lines of the run, in `get`, `events`, `graph` and `replay`."""
    file = cli.workflow(lookup(store={"seen": "${outputs.pid}"}))
    cli.ok("run", file, "one", "-i", "k=a")
    shown = cli.ok("run", file, "two", "-i", "k=a")

    assert 1 == runs(cli)
    assert outputs(cli, "one") == outputs(cli, "two")
    for text in (shown, cli.ok("events", "two"), cli.ok("get", "two")):
        assert "from the cache, filled by one at 20" in text
    node = cli.json("get", "two")["metrics"]["nodes"][0]
    assert ("cache", "one", None) == (node["via"], node["cached"]["execution"], node.get("attempts"))
    assert cli.json("get", "two")["status"]["variables"] == {"seen": outputs(cli, "one")["pid"]}
    kinds = [kind for kind in cli.types("two", "--node", "look") if kind.startswith(("Cache", "Node"))]
    assert ["CacheLookup", "NodeCompleted"] == kinds
    assert "(run, cached)" in cli.ok("graph", "two", "--format", "text")
    assert "the same as before" in cli.ok("replay", "two")


def test_another_key_script_or_workflow_runs(cli):
    """Nothing else is taken for the same."""
    cli.ok("run", cli.workflow(lookup()), "-i", "k=a")
    cli.ok("run", cli.workflow(lookup()), "-i", "k=b")
    cli.ok("run", cli.workflow(lookup("true;")), "-i", "k=a")
    cli.ok("run", cli.workflow(lookup(), name="other"), "-i", "k=a")

    assert 4 == runs(cli)


def test_a_result_outlives_the_execution_that_gave_it(cli):
    """Deleting that one removes nothing that others share."""
    file = cli.workflow(lookup())
    cli.ok("run", file, "one", "-i", "k=a")
    cli.ok("delete", "one")
    cli.ok("run", file, "two", "-i", "k=a")

    assert 1 == runs(cli)


def test_a_result_ends_with_its_ttl(cli):
    """A run after that has to look up again."""
    file = cli.workflow(lookup(cache={"key": "k", "ttl": "1ms"}))
    cli.ok("run", file, "one")
    cli.ok("run", file, "two")

    assert (2, "") == (runs(cli), missed(cli, "two"))


def test_two_processes_that_fill_one_key_at_once_both_run(cli):
    """Each keeps its own result, the first commit stays, and all that come later have that one."""
    file = cli.workflow(lookup('while [ ! -e "go-$$" ] && [ ! -e go ]; do sleep 0.02; done;'))
    with (
        cli.started("run", file, "one", "-i", "k=a") as one,
        cli.started("run", file, "two", "-i", "k=a") as two,
    ):
        until(lambda: runs(cli) == 2, "both lookups at work")
        (cli.folder / "go").touch()
        assert [0, 0] == [process.wait(30) for process in (one, two)]
    cli.ok("run", file, "three", "-i", "k=a")

    [hit] = cli.json("events", "three", "--type", "NodeCompleted")
    assert 2 == runs(cli)
    assert outputs(cli, "one") != outputs(cli, "two")
    assert outputs(cli, "three") == outputs(cli, hit["cachedFrom"])


DAMAGE = {
    "changed": (
        "UPDATE cache SET entry = replace(entry, '\"pid\":', '\"pit\":')",
        "the entry is damaged: its checksum",
    ),
    "cut": (
        "UPDATE cache SET entry = substr(entry, 1, 70)",
        "the entry is damaged: its checksum is not that of",
    ),
    "empty": ("UPDATE cache SET entry = x''", "the entry is damaged: its checksum"),
    "number": ("UPDATE cache SET entry = 7", "the entry is damaged: its checksum"),
    "no table": ("DROP TABLE cache", "the cache cannot be reached: the store "),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_a_miss_with_a_note(cli, damage):
    """The node runs as if nothing were there; an entry that cannot be read makes room for the next."""
    statement, note = DAMAGE[damage]
    file = cli.workflow(lookup())
    cli.ok("run", file, "one", "-i", "k=a")
    tamper(cli.store, statement)
    cli.ok("run", file, "two", "-i", "k=a")

    assert note in missed(cli, "two")
    assert note in cli.ok("events", "two")
    assert 2 == runs(cli)
    cli.ok("run", file, "three", "-i", "k=a")
    assert (3 if damage == "no table" else 2) == runs(cli)


def test_a_result_that_is_too_large_runs_each_time_and_says_why(cli):
    """More than 512 KiB are not kept."""
    large = {"name": "look", "run": {"python": "outputs['x'] = 'y' * 600_000"}, "cache": {"key": "k"}}
    file = cli.workflow(large)
    cli.ok("run", file, "one")
    cli.ok("run", file, "two")

    assert "the result of one has 600008 bytes and was not kept; expected at most 524288" == missed(
        cli, "two"
    )


def test_a_store_of_the_release_before_takes_results_too(cli):
    """Its schema is brought forward when it is opened."""
    file = cli.workflow(lookup())
    cli.ok("run", file, "one", "-i", "k=a")
    later = [f"DROP INDEX executions_by_{name}" for name in ("parent", "root", "bundle")]
    later += [f"ALTER TABLE executions DROP COLUMN {name}" for name in ("parent", "root", "bundle")]
    later += [f"DROP TABLE {name}" for name in ("cache", "blobs", "segments")]
    tamper(cli.store, *later, "PRAGMA user_version = 1")
    cli.ok("run", file, "two", "-i", "k=a")
    cli.ok("run", file, "three", "-i", "k=a")

    assert 2 == runs(cli)


def test_a_run_taken_up_again_does_not_run_what_the_cache_has(cli):
    """`--resume` after a suspension before the node: the lookup comes when it is ready."""
    file = cli.workflow({"name": "first", "set": {"x": 1}}, lookup(after=["first"]))
    cli.ok("run", file, "one", "-i", "k=a")
    spec = {"workflow": {"name": "flow"}, "inputs": {"k": "a"}, "suspend": True}
    held = cli.write(
        "held.yaml", manifest("WorkflowExecution", "two", spec), file.read_text(encoding="utf-8")
    )
    done = cli("run", held, "--no-wait")
    assert 4 == done.returncode, done
    cli.ok("resume", "two")
    cli.ok("run", "--resume", "two")

    assert 1 == runs(cli)


def test_cases_have_an_empty_cache_each(cli):
    """`fairlead test`: what one case keeps is not there for the next; within a case items share it."""
    inner = {"name": "look", "run": {"sh": "true"}, "cache": {"key": "k"}}
    file = cli.workflow({"name": "each", "forEach": {"items": [1, 2], "maxParallel": 1, "nodes": [inner]}})
    case = {
        "nodes": {"look": {"outputs": {"n": 1}}},
        "expect": {
            "phase": "Succeeded",
            "events": [
                {"type": "CacheMissed", "node": "each[0]/look"},
                {"type": "NodeScheduled", "node": "each[0]/look"},
                {"type": "CacheLookup", "node": "each[1]/look"},
                {"type": "NodeCompleted", "node": "each[1]/look"},
            ],
        },
    }
    cases = cli.write("cases.yaml", {"cases": [{"name": "one", **case}, {"name": "two", **case}]})

    cli.ok("test", file, cases)


@pytest.mark.parametrize(
    "key, reason, words",
    [
        (
            "${inputs.n}",
            "WrongType",
            "cache.key gives an int; expected text, as string(...) or hash(...) gives it",
        ),
        (5, "WrongType", "5 is a number; expected text"),
        ("", "CacheKey", "cache.key is empty"),
        ("x" * 1_025, "CacheKey", "cache.key has 1025 bytes; expected at most 1024"),
    ],
    ids=["typed", "number", "empty", "long"],
)
def test_a_key_that_is_surely_none_is_refused(cli, key, reason, words):
    """Before anything starts, with its place."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    done = cli("run", cli.workflow(lookup(cache={"key": key}), inputs=schema), "-i", "n=1")

    assert (2, "") == (done.returncode, done.stdout)
    assert f"error {reason}: " in done.stderr and words in done.stderr, done.stderr
    assert not cli.store.exists()


@pytest.mark.parametrize("value", ["5", "true", '{"a": 1}', '""'])
def test_a_key_that_turns_out_to_be_none_fails_the_node(cli, value):
    """With what it gave and what was expected; nothing runs."""
    done = cli("run", cli.workflow(lookup()), "-i", f"k={value}")

    assert 1 == done.returncode
    assert "look: CacheKeyInvalid: cache.key gave " in done.stdout
    assert "; expected a text of 1 to 1024 bytes" in done.stdout
    assert 0 == runs(cli)
