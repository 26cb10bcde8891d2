"""Wishes: what people want of a run, written by any process, noticed by the one that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import DEFINITION, line_of, program, record, said, tamper, tell, with_execution
from tests.support.waiting import until

from fairlead.local.store import Store
from fairlead.model.commands import Wish
from fairlead.model.errors import NotFound, Unavailable


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with with_execution(tmp_path / "store.db") as opened:
        yield opened


def test_at_first_nothing_is_wished_for(store):
    """An execution that was created without more has the empty wish."""
    assert Wish() == store.wish("uid-demo")


def test_a_manifest_may_wish_from_the_start(store):
    """What `create` was given stands."""
    store.create(record("held"), DEFINITION, Wish(suspend=True, redrive=4))

    assert Wish(suspend=True, redrive=4) == store.wish("uid-held")


def test_changes_touch_only_what_they_name(store):
    """Each field keeps its value until it is named again."""
    changes: list[tuple[dict[str, Any], Wish]] = [
        ({"suspend": True, "suspend_timeout": 5}, Wish(suspend=True, suspend_timeout=5)),
        (
            {"cancel": True, "cancel_reason": "late"},
            Wish(suspend=True, suspend_timeout=5, cancel=True, cancel_reason="late"),
        ),
        ({"suspend": False, "suspend_timeout": None}, Wish(cancel=True, cancel_reason="late")),
        ({"force": True}, Wish(cancel=True, cancel_reason="late", force=True)),
    ]
    for change, expected in changes:
        assert expected == store.set_wish("demo", **change)
        assert expected == store.wish("uid-demo")


def test_redrive_counts_up(store):
    """Each call asks once more."""
    assert [1, 2, 3] == [store.redrive("demo").redrive for _ in range(3)]


def test_a_field_that_is_none_is_refused(store):
    """A misspelt field is our own bug and changes nothing."""
    with pytest.raises(TypeError, match="suspnd"):
        store.set_wish("demo", suspnd=True)

    assert (1, Wish()) == (store.wish_version("uid-demo"), store.wish("uid-demo"))


def test_the_version_grows_with_each_change_and_only_then(store):
    """Saying the same again is no change."""
    versions = [store.wish_version("uid-demo")]
    for suspend in (True, True, False, False):
        store.set_wish("demo", suspend=suspend)
        versions.append(store.wish_version("uid-demo"))

    assert [1, 2, 2, 3, 3] == versions


def test_unknown_names_and_uids_are_not_found(store):
    """A wish for nobody is refused with the nearest name."""
    with pytest.raises(NotFound, match="did you mean demo"):
        store.set_wish("demos", suspend=True)
    with pytest.raises(NotFound, match="did you mean demo"):
        store.redrive("dem")
    with pytest.raises(NotFound, match="no execution with uid nobody"):
        store.wish("nobody")


def test_a_damaged_wish_is_one_sentence(store):
    """It is told as damage of the store, with the name."""
    tamper(store.path, "UPDATE wishes SET wish = '{'")

    with pytest.raises(Unavailable, match=r"is damaged \(the wish of uid-demo"):
        store.wish("uid-demo")
    with pytest.raises(Unavailable, match=r"is damaged \(the wish of demo"):
        store.redrive("demo")


def test_the_owner_notices_a_wish_of_another_process(store):
    """The data version, the cheapest question, changes with a foreign commit and not with an own one."""
    version = store.data_version()
    store.set_wish("demo", suspend=True)
    assert version == store.data_version()

    said(
        store.path,
        "with Store(path) as store: store.set_wish('demo', cancel=True, cancel_reason=sys.argv[2])",
        "enough",
    )

    assert version != store.data_version()
    assert Wish(suspend=True, cancel=True, cancel_reason="enough") == store.wish("uid-demo")


def test_a_waiting_process_sees_the_wish(store):
    """The other way round: an owner in another process, polling, acts on what is wished here."""
    waits = """
from tests.support.waiting import until
with Store(path) as store:
    version = store.data_version()
    say("waiting")
    until(lambda: store.data_version() != version, "a change by another process")
    say(store.wish("uid-demo").cancel_reason)
"""
    with program(store.path, waits) as owner:
        assert "waiting" == line_of(owner)
        store.set_wish("demo", cancel=True, cancel_reason="seen")

        assert "seen" == line_of(owner)


def test_wishes_made_at_the_same_time_all_count(store):
    """Two processes raise `redrive` while a third field is changed here: none is lost."""
    raises = "with Store(path) as store:\n  say('ready'); sys.stdin.readline()\n  for _ in range(50): store.redrive('demo')"
    with program(store.path, raises) as one, program(store.path, raises) as other:
        for process in (one, other):
            assert "ready" == line_of(process)
        for process in (one, other):
            tell(process)
        for number in range(50):
            store.set_wish("demo", cancel_reason=str(number))
        until(lambda: one.poll() is not None and other.poll() is not None, "the end of both processes")

    assert Wish(cancel_reason="49", redrive=100) == store.wish("uid-demo")
    assert 151 == store.wish_version("uid-demo")
