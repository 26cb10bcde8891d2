"""Large values through the real command line: exact, stored once, shown whole to documents and short to people."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from tests.support.cli import Cli

from fairlead.model.documents import read_documents

BIG = 9_007_199_254_740_993
MANIFEST = """
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: large}
spec:
  nodes:
  - name: make
    run:
      python: |
        outputs["list"] = [{"id": 9007199254740993 + n, "text": "t" * 60, "part": 1.5} for n in range(4000)]
  - name: readers
    after: [make]
    forEach:
      items: [0, 1, 2]
      nodes:
      - name: read
        with: {data: "${nodes.make.outputs.list}", number: "${item}"}
        run:
          python: |
            outputs["id"] = inputs["data"][inputs["number"]]["id"]
            outputs["list"] = inputs["data"]
      outputs: {id: "${nodes.read.outputs.id}"}
  - name: each
    after: [readers]
    forEach: {items: "${nodes.make.outputs.list}", nodes: [{name: say, log: {message: "${string(item.id)}"}}]}
  outputs: {list: "${nodes.make.outputs.list}", ids: "${nodes.readers.outputs.items}"}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A run of MANIFEST, named r."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "large.yaml").write_text(MANIFEST)
    cli = Cli(folder)
    cli.ok("run", "large.yaml", "r")
    return cli


def test_integers_beyond_2_to_the_53_are_exact_all_the_way(ran):
    """From a script into a blob, out of it into another script, from there into the outputs and the JSON of `get`."""
    outputs = ran.json("get", "r")["status"]["outputs"]

    assert [{"id": BIG}, {"id": BIG + 1}, {"id": BIG + 2}] == outputs["ids"]
    assert [BIG + n for n in range(4_000)] == [item["id"] for item in outputs["list"]]


def test_a_value_that_many_read_and_give_is_stored_once(ran):
    """Three readers are given it and give it back, a loop walks it, the run gives it: one blob, and a small log."""
    with closing(sqlite3.connect(ran.store)) as connection:
        blobs = connection.execute("SELECT count(*) FROM blobs").fetchone()[0]
        most = 'SELECT max(length(data)) FROM events WHERE data NOT LIKE \'{"type":"TurnPaused"%\''
        largest = connection.execute(most).fetchone()[0]

    assert blobs == 1
    assert largest < 4_096


def test_people_are_shown_digest_and_size(ran):
    """In the table of `get`, where a list of 400 KiB helps nobody."""
    shown = ran.ok("get", "r")

    assert 'list: {"digest": "sha256:' in shown
    assert max(map(len, shown.splitlines())) < 400


def test_an_export_leaves_large_values_out_and_is_replayed_with_the_store(ran):
    """They are shown as digest and size; without the store that has them such an export cannot be folded."""
    exported = ran.ok("events", "r", "-o", "json")
    (ran.folder / "r.json").write_text(exported)
    made = next(event for event in json.loads(exported) if event["type"] == "NodeCompleted")

    assert {"digest", "size"} == set(made["outputs"]["list"])
    assert [["outputs", "list"]] == [large["path"] for large in made["large"]]
    assert ran("replay", "r.json").returncode == ran("replay", "r").returncode == 0
    other = ran("replay", "r.json", "--store", "other.db")
    assert other.returncode != 0
    assert "Traceback" not in other.stderr


def test_a_missing_value_is_damage_that_is_named(ran, tmp_path):
    """By `replay` as the first difference, by everything else as an error of one sentence."""
    (tmp_path / "store.db").write_bytes(ran.store.read_bytes())
    cli = Cli(tmp_path)
    with closing(sqlite3.connect(cli.store)) as connection, connection:
        digest = connection.execute("SELECT digest FROM blobs").fetchone()[0]
        connection.execute("DELETE FROM blobs")

    replayed = cli("replay", "r")
    got = cli("get", "r")

    assert (1, 5) == (replayed.returncode, got.returncode)
    assert f"refers to what is not there: the value {digest} is missing" in replayed.stdout
    assert len(got.stderr.splitlines()) == 1
    assert digest in got.stderr


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "9223372036854775808"])
def test_numbers_that_json_or_int64_cannot_hold_are_refused_as_inputs(text):
    """By name, wherever they come from."""
    documents, findings = read_documents(f'{{"x": {text}}}')

    assert [finding.severity for finding in findings] == ["error"]
    assert documents is not None


def test_fractions_and_large_doubles_keep_their_value(ran):
    """A number with a fraction is a double to the last bit."""
    assert {1.5} == {item["part"] for item in ran.json("get", "r")["status"]["outputs"]["list"]}
