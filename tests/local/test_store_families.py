"""Executions that came from others, in the store: trees, their lock, their deletion, and stores of before."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from tests.support.stores import DEFINITION, digest_of, record

from fairlead.local.store import Store, schema
from fairlead.model import events as e
from fairlead.model.children import Parent
from fairlead.model.commands import Wish
from fairlead.model.errors import InvalidInput, NotFound

BUNDLE = b'{"other":{"invalid":"no"}}'


def add(store: Store, name: str, parent: str = "", *, wait: bool = True, ended: bool = True) -> None:
    """An execution, started by another of the tree `root` unless it is that."""
    origin = None
    if parent:
        origin = Parent(name=parent, uid=f"uid-{parent}", node="a", root="uid-root", depth=1, wait=wait)
    bundle = digest_of(BUNDLE)
    store.create(record(name, parent=origin, bundle=bundle), DEFINITION, Wish(), BUNDLE)
    born = e.ExecutionCreated(seq=1, at=10, name=name, uid=f"uid-{name}", digest="sha256:0", runtime="test")
    events: list[e.Event] = [born, e.ExecutionStarted(seq=2, at=10, nodes=0)]
    if ended:
        events.append(e.ExecutionCompleted(seq=3, at=11))
    asyncio.run(store.append(f"uid-{name}", 0, events))


@pytest.fixture
def store(tmp_path):
    """A root with two children, one of them let go, and a grandchild under each."""
    with Store(tmp_path / "store.db") as store:
        add(store, "root")
        add(store, "kept", "root")
        add(store, "loose", "root", wait=False)
        add(store, "grandchild", "kept")
        add(store, "other", "loose", ended=False)
        yield store


def names(store: Store) -> list[str]:
    """All executions by name."""
    return sorted(row.name for row in store.list())


def test_a_tree_is_known_by_what_its_executions_came_from(store):
    """All below one, the oldest first, each with whether it has ended; the size of the whole; the parents in a list."""
    below = [(found.name, ended) for found, ended in store.below("uid-root")]
    assert [("kept", True), ("loose", True), ("grandchild", True), ("other", False)] == below
    assert ["grandchild"] == [found.name for found, _ in store.below("uid-kept")]
    assert {"Succeeded": 2} == store.children_by_phase("uid-root")
    assert {"Running": 1} == store.children_by_phase("uid-loose")
    assert (5, 1) == (store.tree_size("uid-root"), store.tree_size("uid-nobody"))
    assert {"root": "", "kept": "root", "loose": "root", "grandchild": "kept", "other": "loose"} == {
        row.name: row.parent for row in store.list()
    }


def test_deleting_takes_along_what_was_waited_for_and_leaves_what_was_let_go(store):
    """With the bundle, once nobody is pinned to it."""
    store.delete("root")
    assert ["loose", "other"] == names(store)
    assert {"other": {"invalid": "no"}} == store.definition(digest_of(BUNDLE))

    asyncio.run(store.append("uid-other", 2, [e.ExecutionCompleted(seq=3, at=12)]))
    store.delete("other")
    store.delete("loose")
    with pytest.raises(NotFound):
        store.definition(digest_of(BUNDLE))


def test_deleting_is_refused_while_something_below_has_not_ended(store):
    """Then nothing is deleted."""
    add(store, "late", "grandchild", ended=False)

    with pytest.raises(InvalidInput, match="execution late is Running; expected one that has ended"):
        store.delete("root")

    assert 6 == len(names(store))


def test_one_process_owns_a_tree(store):
    """Whoever owns one execution of it owns all."""
    with store.own("uid-grandchild"):
        assert store.owner("uid-root") == store.owner("uid-other") is not None
        with pytest.raises(InvalidInput, match="execution root is owned by"):
            store.own("uid-root")
    assert store.owner("uid-root") is None


def test_a_wish_is_changed_by_a_function_and_only_if_that_changes_it(store):
    """So that a level told twice wakes nobody."""
    before = store.wish_version("uid-kept")
    store.change_wish("uid-kept", lambda wish: Wish(held=True, redrive=wish.redrive))
    store.change_wish("uid-kept", lambda wish: wish)

    assert (before + 1, Wish(held=True)) == (store.wish_version("uid-kept"), store.wish("uid-kept"))


def test_a_store_of_before_children_is_brought_forward(tmp_path, monkeypatch):
    """Its executions are roots of their own, and may have children from now on."""
    path = tmp_path / "old.db"
    with monkeypatch.context() as old:
        old.setattr(schema, "_STEPS", schema._STEPS[:1])
        old.setattr(schema, "VERSION", 1)
        Store(path).close()
    form = '{"uid":"uid-root","name":"root","workflow":"flow","digest":"sha256:0","createdAt":1}'
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO executions VALUES ('uid-root', 'root', 'flow', 1, 'sha256:0', ?)", (form,)
        )
        connection.execute("INSERT INTO wishes VALUES ('uid-root', 1, '{}')")
    with Store(path) as store:
        assert ("root", "") == (store.get("root").name, store.get("root").bundle)
        add(store, "kept", "root")
        assert 2 == store.tree_size("uid-root")
