"""Executions in the store: names, records, definitions, what a list shows, deletion."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stores import DEFINITION, a_run, created, digest_of, record, said, tamper

from fairlead.local.store import Store, default_store_path
from fairlead.model import events as e
from fairlead.model.commands import Wish
from fairlead.model.errors import Bug, InvalidInput, LogDamaged, NotFound, Unavailable

OTHER = b'{"nodes":[]}'
STARTED = [created(1, at=10), e.ExecutionStarted(seq=2, at=20, nodes=1)]
FAILED = e.ExecutionFailed(seq=3, at=30, error=e.Error(reason="NodeFailed"))
SUCCEEDED = e.ExecutionCompleted(seq=3, at=30)
CANCELLED = e.ExecutionCancelled(seq=3, at=30)
SUSPENDED = e.ExecutionSuspended(seq=3, at=30)
REDRIVEN = e.Redriven(seq=4, at=40, redrive=1, epoch=1, reset=[])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


def append(store: Store, *events: e.Event, uid: str = "uid-demo") -> None:
    asyncio.run(store.append(uid, events[0].seq - 1, events))


def test_a_record_comes_back_whole(store):
    """Everything that was given is there, to the last field."""
    given = record(
        generation=3,
        spec={
            "workflow": {"name": "flow"},
            "inputs": {"text": "größe 👍", "n": 2**53 + 1, "f": 1.5, "none": None},
        },
        inputs={"a": [1, {"b": True}]},
        metadata={"labels": {"team": "x"}},
        source="flows/demo.yaml",
        priority=-5,
    )
    store.create(given, DEFINITION)

    assert given == store.get("demo")


def test_another_process_finds_it(store):
    """A record is in the file, not in the process."""
    store.create(record(source="me.yaml"), DEFINITION)

    assert ["uid-demo me.yaml"] == said(
        store.path, "with Store(path) as store: found = store.get('demo'); say(found.uid, found.source)"
    )


def test_a_name_is_given_once(store):
    """The second execution of a name is refused and leaves nothing behind, the first stays as it was."""
    store.create(record(), DEFINITION)

    with pytest.raises(
        InvalidInput, match=r"^an execution named demo exists already; expected another name$"
    ) as caught:
        store.create(
            record(uid="uid-2", workflow="other", digest=digest_of(OTHER)), OTHER, Wish(suspend=True)
        )

    assert "NameTaken" == caught.value.reason
    assert record() == store.get("demo")
    assert ["uid-demo"] == [row.uid for row in store.list()]
    with pytest.raises(NotFound):
        store.definition(digest_of(OTHER))


@pytest.mark.parametrize(
    "wanted, hint",
    [
        ("dema", "did you mean demo?"),
        ("demoo", "did you mean demo?"),
        ("nightly-abcd", "did you mean nightly-abcde?"),
        ("zzz", "see `fairlead list --local`"),
        ("", "see `fairlead list --local`"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(store, wanted, hint):
    """NotFound names what was asked for, where, and what was probably meant."""
    for name in ("demo", "nightly-abcde", "other"):
        store.create(record(name), DEFINITION)

    with pytest.raises(NotFound) as caught:
        store.get(wanted)

    assert f"no execution is named {wanted} in the store {store.path}; {hint}" == str(caught.value)


def test_a_definition_is_kept_once_and_comes_back_as_json(store):
    """Executions that are pinned to the same digest share one copy."""
    store.create(record("one"), DEFINITION)
    store.create(record("two"), DEFINITION)

    assert {"nodes": [{"name": "a", "set": {"x": 1}}]} == store.definition(digest_of(DEFINITION))
    assert [(1,)] == store._database.rows("SELECT count(*) FROM definitions")


def test_a_definition_must_have_the_digest_it_is_pinned_by(store):
    """Other bytes than those of the digest are our own bug, and nothing is created."""
    with pytest.raises(Bug, match="digest"):
        store.create(record(), OTHER)

    assert [] == store.list()


def test_a_changed_definition_is_found(store):
    """A run never goes on with another graph than the one it began with."""
    store.create(record(), DEFINITION)
    tamper(store.path, """UPDATE definitions SET spec = replace(spec, '"x":1', '"x":2')""")

    with pytest.raises(LogDamaged, match="the definition was changed: its digest is sha256:"):
        store.definition(digest_of(DEFINITION))


def test_a_damaged_record_is_one_sentence(store):
    """A record that somebody cut off is told as damage, not as a traceback."""
    store.create(record(), DEFINITION)
    tamper(store.path, "UPDATE executions SET record = substr(record, 1, 20)")

    with pytest.raises(
        Unavailable, match=r"store\.db is damaged \(the record of demo: .*\); restore it from a copy"
    ):
        store.get("demo")


def test_a_list_has_the_newest_last(store):
    """By time of creation, and by order of arrival within the same microsecond."""
    for name, at in (("late", 30), ("early", 10), ("b", 20), ("a", 20)):
        store.create(record(name, created_at=at), DEFINITION)

    assert ["early", "b", "a", "late"] == [row.name for row in store.list()]


@pytest.mark.parametrize(
    "events, phase, started, finished",
    [
        ([], "Pending", None, None),
        ([created(1, at=10)], "Pending", None, None),
        (STARTED, "Running", 20, None),
        ([*STARTED, SUSPENDED], "Suspended", 20, None),
        ([*STARTED, SUSPENDED, e.ExecutionResumed(seq=4, at=40)], "Running", 20, None),
        ([*STARTED, SUCCEEDED], "Succeeded", 20, 30),
        ([*STARTED, CANCELLED], "Cancelled", 20, 30),
        ([*STARTED, FAILED], "Failed", 20, 30),
        ([*STARTED, FAILED, REDRIVEN], "Running", 20, None),
        (
            [*STARTED, FAILED, e.LateResult(seq=4, at=99, node="a", attempt=1, delivery=1, succeeded=True)],
            "Failed",
            20,
            30,
        ),
        (
            [created(1, at=10), e.ExecutionFailed(seq=2, at=20, error=e.Error(reason="InputInvalid"))],
            "Failed",
            None,
            20,
        ),
    ],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["one append", "many appends"])
def test_phase_and_times_in_a_list_are_those_of_the_log(store, events, phase, started, finished, at_once):
    """Whatever the last status says, and in whatever batches the events came."""
    store.create(record(), DEFINITION)
    asyncio.run(store.publish("uid-demo", {"phase": "Suspended"}))
    for batch in [events] if at_once and events else [[event] for event in events]:
        append(store, *batch)
    [row] = store.list()

    assert (phase, started, finished, len(events)) == (
        row.phase,
        row.started_at,
        row.finished_at,
        row.last_seq,
    )


def test_a_list_shows_the_last_status(store):
    """A status replaces the one before; without one there is an empty one."""
    store.create(record(), DEFINITION)
    assert [({}, {})] == [(row.status, row.progress) for row in store.list()]
    assert store.status("uid-demo") is None

    for done in (1, 2):
        asyncio.run(store.publish("uid-demo", {"phase": "Running", "progress": {"done": done}}))

    assert [{"done": 2}] == [row.progress for row in store.list()]
    assert {"phase": "Running", "progress": {"done": 2}} == store.status("uid-demo")


def test_a_damaged_status_counts_as_none(store):
    """It is a cache; a list goes on without it."""
    store.create(record(), DEFINITION)
    asyncio.run(store.publish("uid-demo", {"phase": "Running"}))
    tamper(store.path, "UPDATE statuses SET status = '{\"phase\":'")

    assert [{}] == [row.status for row in store.list()]
    assert store.status("uid-demo") is None


@pytest.mark.parametrize(
    "events", [[], [*STARTED, SUCCEEDED], [*STARTED, FAILED], [*STARTED, CANCELLED]], ids=len
)
def test_deletion_leaves_nothing(store, events):
    """An execution that has ended, or never began, goes with its log, checkpoints, status, wish, definition and files."""
    store.create(record(), DEFINITION)
    if events:
        append(store, *events)
    asyncio.run(store.save("uid-demo", 1, b"state"))
    asyncio.run(store.publish("uid-demo", {}))
    for folder in store.folders("uid-demo"):
        folder.mkdir(parents=True)
        (folder / "a.log").write_text("hello")

    store.delete("demo")

    tables = ["definitions", "executions", "logs", "events", "checkpoints", "wishes", "statuses"]
    assert [] == [table for table in tables if store._database.rows(f"SELECT 1 FROM {table}")]
    assert [] == [path for path in store.folder.rglob("*") if path.is_file()]
    assert [] == asyncio.run(store.read("uid-demo"))
    with pytest.raises(NotFound):
        store.delete("demo")


@pytest.mark.parametrize(
    "events",
    [STARTED, [*STARTED, SUSPENDED], [*STARTED, FAILED, REDRIVEN]],
    ids=["running", "held", "redriven"],
)
def test_what_has_not_ended_is_not_deleted(store, events):
    """The refusal names the phase, and everything stays."""
    store.create(record(), DEFINITION)
    append(store, *events)
    phase = store.list()[0].phase

    with pytest.raises(
        InvalidInput, match=f"execution demo is {phase}; expected one that has ended"
    ) as caught:
        store.delete("demo")

    assert "NotEnded" == caught.value.reason
    assert events == asyncio.run(store.read("uid-demo"))


def test_deletion_spares_the_others(store):
    """Logs and the shared definition of other executions stay."""
    for name in ("demo", "kept"):
        store.create(record(name), DEFINITION)
        append(store, *STARTED, SUCCEEDED, uid=f"uid-{name}")
    store.delete("demo")

    assert ["kept"] == [row.name for row in store.list()]
    assert 3 == len(asyncio.run(store.read("uid-kept")))
    assert store.definition(digest_of(DEFINITION))


def test_a_writer_of_a_deleted_execution_finds_out(store):
    """Its next append is a conflict: the log ends at 0."""
    store.create(record(), DEFINITION)
    append(store, *STARTED, SUCCEEDED)
    store.delete("demo")

    with pytest.raises(Exception, match="ends at event 0; expected 3"):
        append(store, *a_run(1, after=3))


@pytest.mark.parametrize("uid", ["", ".", "..", "../x", "a/b", ".hidden"])
def test_a_uid_never_leads_out_of_the_folder(store, uid):
    """Files of an execution lie below the store's folder, whatever the uid."""
    with pytest.raises(Bug, match="cannot name a folder"):
        store.folders(uid)


def test_a_new_store_is_for_its_user_alone(tmp_path):
    """Folder and files carry no rights for others: logs hold what nodes were given and gave."""
    path = tmp_path / "state" / "deep" / "store.db"
    with Store(path) as store:
        store.create(record(), DEFINITION)
        with store.own("uid-demo"):
            found = {file: stat.S_IMODE(file.stat().st_mode) & 0o077 for file in path.parent.rglob("*")}

    assert len(found) >= 4
    assert set(found.values()) == {0}
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize(
    "env, expected",
    [
        ({"FAIRLEAD_STORE": "/a/b.db", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/a/b.db"),
        ({"FAIRLEAD_STORE": "here.db", "HOME": "/h"}, "here.db"),
        ({"FAIRLEAD_STORE": "", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/fairlead/store.db"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/fairlead/store.db"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/fairlead/store.db"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/fairlead/store.db"),
        ({}, str(Path.home() / ".local/state/fairlead/store.db")),
    ],
)
def test_where_the_store_lies(env, expected):
    """FAIRLEAD_STORE, else the state folder of the XDG base directories, else ~/.local/state."""
    assert Path(expected) == default_store_path(env)
