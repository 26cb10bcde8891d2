"""What a newer release has written, met by this one: told from damage, refused as a whole, and left for that release as it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.driver import Driver
from tests.support.kube_home import Reign
from tests.support.stores import a_run, completed

from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.home.shelf import GraphShelf
from fairlead.kube.log import forms, head_name, planning
from fairlead.model import events as e
from fairlead.model import state as states
from fairlead.model.errors import LogDamaged, NewerRelease
from fairlead.runtime.journal import Journal


class GuardGranted(e.Event, frozen=True):
    """A type that this release does not have."""

    node: str


class NodeStarted(e.NodeStarted, frozen=True):
    """One that it has, with more in it."""

    tenant: str = ""


class _Error(e.Error, frozen=True):
    hint: str = ""


MET = {
    "a type": (GuardGranted(seq=5, node="a"), "GuardGranted"),
    "a field": (NodeStarted(seq=5, node="a", path="0", attempt=1, tenant="blue"), "tenant"),
    "a field of a value": (e.NodeFailed(seq=5, node="a", path="0", error=_Error("Odd", hint="none")), "hint"),
}


@pytest.fixture
def uid(home):
    """A log of four events of this release."""
    uid = home.born()
    home.run(home.raw_log.append(uid, 0, a_run(4)))
    return uid


def refused(home, uid, release: str = forms.RELEASE) -> NewerRelease:
    """What a reader says who knows nothing yet."""
    with pytest.raises(NewerRelease, match=f"{release}.*upgrade again") as seen:
        home.run(home.another_log().read(uid))
    return seen.value


def change(home, uid, **data):
    """Change keys of the head."""
    name = head_name(home.places.of(uid))
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, name, {"data": data}))


def head(home, uid) -> dict[str, str]:
    """The keys of the head."""
    body = home.run(home.client.get(CONFIG_MAPS, home.namespace, head_name(home.places.of(uid))))
    found: dict[str, str] = msgspec.json.decode(body)["data"]
    return found


@pytest.mark.parametrize("what", MET)
@pytest.mark.parametrize("tail", [1, 32 << 10], ids=["in a segment", "in the tail"])
def test_an_event_that_we_do_not_know(home, uid, monkeypatch, what, tail):
    """It is named with its number and the release that wrote it; known events before and after it are not given out either."""
    event, word = MET[what]
    monkeypatch.setattr(planning, "TAIL", tail)
    monkeypatch.setattr(forms, "RELEASE", "9.9.9")
    home.run(home.raw_log.append(uid, 4, [event]))
    home.run(home.raw_log.append(uid, 5, a_run(1, 5)))
    monkeypatch.setattr(forms, "RELEASE", "0.0.1")

    found = refused(home, uid, "release 9.9.9 has written it, and this is 0.0.1")
    assert found.seq == 5
    assert word in str(found)


def test_that_release_reads_it_when_it_is_back(home, uid, monkeypatch):
    """This release has claimed the log meanwhile, and was refused: not an event is lost."""
    written = [GuardGranted(seq=5, node="a"), *a_run(1, 5)]
    home.run(home.raw_log.append(uid, 4, written))
    later = home.another_log(Reign(2))
    home.run(later.claim(uid))
    with pytest.raises(NewerRelease):
        home.run(later.read(uid))

    kinds: Any = e.AnyEvent | GuardGranted
    monkeypatch.setattr(forms, "decode", msgspec.json.Decoder(kinds).decode)
    assert home.run(home.another_log(Reign(3)).read(uid)) == [*a_run(4), *written]


def test_what_somebody_changed_is_damage(home, uid):
    """A word that no release knows, where the chain does not hold: nobody is told to upgrade."""
    home.run(home.raw_log.append(uid, 4, [completed(5)]))
    change(home, uid, b5=head(home, uid)["b5"].replace("NodeCompleted", "NodeConcluded"))

    with pytest.raises(LogDamaged, match=r"event 5 .* was changed") as seen:
        home.run(home.another_log().read(uid))
    assert not isinstance(seen.value, NewerRelease)


def test_a_head_of_a_newer_form(home, uid):
    """It is not written on; as soon as it is of a form that we know, it is read."""
    before = head(home, uid)["head"]
    change(home, uid, head='{"version": 2, "ends": "elsewhere"}')

    assert "version 2" in str(refused(home, uid))
    with pytest.raises(NewerRelease):
        home.run(home.another_log(Reign(2)).claim(uid))
    with pytest.raises(NewerRelease):
        home.run(home.another_log().append(uid, 4, a_run(1, 4)))
    change(home, uid, head=before)
    assert home.run(home.another_log().read(uid)) == a_run(4)


@pytest.mark.parametrize("newer", [False, True], ids=["by its own events", "by a newer one"])
def test_a_checkpoint_of_a_newer_release(home, newer):
    """It is not believed, since it holds what we would leave out: the log is folded, and is refused if it is newer as well."""
    uid = home.born()
    birth, *others = Driver({"nodes": [{"name": "a", "run": {"sh": "true"}}]}).create().events
    home.run(home.raw_log.append(uid, 0, [msgspec.structs.replace(birth, uid=uid), *others]))
    journal = Journal(uid, home.raw_log, home.raw_checkpoints, home.raw_blobs)
    folded = states.encode(home.run(journal.take_up())[0])
    kept = msgspec.json.decode(folded) | {"guards": ["one"], "workflow": "not of the log"}
    home.run(home.raw_checkpoints.save(uid, kept["seq"], msgspec.json.encode(kept)))
    if newer:
        home.run(home.raw_log.append(uid, kept["seq"], [GuardGranted(seq=kept["seq"] + 1, node="a")]))
        with pytest.raises(NewerRelease):
            home.run(journal.take_up())
    else:
        assert states.encode(home.run(journal.take_up())[0]) == folded


def test_a_definition_of_a_newer_release(home, uid):
    """It is as it was pinned, and says what this release cannot do: named by its field."""
    node = {"name": "a", "run": {"sh": "true"}, "tenancy": "blue"}
    digest = home.run(home.definitions.pin(uid, msgspec.json.encode({"nodes": [node]})))

    with pytest.raises(NewerRelease, match=r"tenancy.*upgrade again"):
        home.run(GraphShelf(home.definitions).graph(uid, digest, "flow"))
