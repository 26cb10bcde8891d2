"""What is shown of a run, on a real API server: the newest, whatever was lost on the way, and whoever wrote in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.kube_faults import Fault
from tests.support.operators import UNSEEN

from fairlead.kube.client import EXECUTIONS
from fairlead.kube.client.replies import metadata_of
from fairlead.kube.statuses import LIMIT, KubernetesStatus
from fairlead.model.errors import Unavailable


def _shown(home, uid) -> dict[str, Any]:
    place = home.places.of(uid)
    there: dict[str, Any] = json.loads(home.run(home.client.get(EXECUTIONS, place.namespace, place.name)))
    return dict(there.get("status", {}))


def _of(sequence: int, **more: Any) -> dict[str, Any]:
    return {"phase": "Running", "log": {"sequence": sequence}, **more}


def _other(home, uid, status) -> None:
    """Somebody else writes."""
    place = home.places.of(uid)
    body = {"status": status}
    home.run(home.client.patch(EXECUTIONS, place.namespace, place.name, body, subresource="status"))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_what_was_there_before_a_lost_answer_is_shown_again(home, fault):
    """Nobody knows whether the trouble was shown: the status of before is written, not taken to be there still."""
    uid, before = home.born(), _of(3, phase="Succeeded")
    home.run(home.statuses.publish(uid, before))
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    with pytest.raises(Unavailable):
        home.run(home.statuses.amend(uid, {"phase": "Pending"}))
    home.run(home.statuses.publish(uid, before))
    assert before == _shown(home, uid)


def test_until_an_operator_has_looked_the_server_says_that_none_has(home):
    """The first status takes its place, whether what is there was read or is taken for granted."""
    looked, granted = home.born(), home.born()
    assert (UNSEEN, UNSEEN) == (_shown(home, looked), _shown(home, granted))
    place = home.places.of(granted)
    body = home.run(home.client.get(EXECUTIONS, place.namespace, place.name))
    home.statuses.begins(granted, metadata_of(body).resource_version)
    for uid in looked, granted:
        home.run(home.statuses.publish(uid, _of(1)))
        assert _of(1) == _shown(home, uid)


def test_somebody_who_wrote_in_between_hinders_nothing(home):
    """The write is made upon what is there now; keys that are not ours go."""
    uid = home.born()
    home.run(home.statuses.publish(uid, _of(1)))
    _other(home, uid, {"message": "theirs"})
    home.run(home.statuses.publish(uid, _of(2)))
    assert _of(2) == _shown(home, uid)


def test_an_older_status_is_not_written_over_a_newer_one(home):
    """Two homes, one of them asleep for a while."""
    uid = home.born()
    late = KubernetesStatus(home.client, home.places, home.reign)
    home.run(late.publish(uid, _of(1)))
    home.run(home.statuses.publish(uid, _of(5)))
    home.run(late.publish(uid, _of(2)))
    assert _of(5) == _shown(home, uid)


def test_a_status_beyond_the_end_of_the_log_was_invented(home):
    """It is written over."""

    async def last(_: str) -> int:
        return 5

    uid = home.born()
    ours = KubernetesStatus(home.client, home.places, home.reign, last)
    home.run(ours.publish(uid, _of(4)))
    _other(home, uid, _of(9999))
    home.run(ours.publish(uid, _of(5)))
    assert _of(5) == _shown(home, uid)


def test_a_status_that_is_too_large_is_cut(home):
    """Its lists are; the rest stays."""
    uid = home.born()
    paths = [{"id": str(number), "node": "x" * 60, "status": "Running"} for number in range(2000)]
    home.run(home.statuses.publish(uid, _of(1, paths=paths)))
    shown = _shown(home, uid)
    assert shown["log"] == {"sequence": 1}
    assert 0 < len(shown["paths"]) < 2000
    assert len(json.dumps(shown)) <= LIMIT * 1.2
