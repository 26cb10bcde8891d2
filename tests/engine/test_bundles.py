"""Bundles: what is read back is what was written, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
from typing import Any

import pytest
from tests.support.driver import Driver

from fairlead.model import commands as c
from fairlead.model.errors import InvalidInput
from fairlead.model.events import encode
from fairlead.model.large import Taker
from fairlead.model.manifests import canonical_json
from fairlead.runtime import bundles
from fairlead.runtime.bundles import KIND, VERSION, Bundle, Header, check, log_digest, packed, unpacked

FLOW = {"nodes": [{"name": "a", "run": {"sh": "true"}}], "outputs": {"x": "${nodes.a.outputs.x}"}}


def bundle(*, suspended=False, **header):
    """A run with a large value in a large value, or one that was suspended before it had any."""
    run = Driver(FLOW).create(wish=c.Wish(suspend=suspended))
    if not suspended:
        run.end("a", {"x": {"deep": "y" * 9000, "list": ["z" * 5000]}})
    taker = Taker()
    events: list[Any] = [taker.thin(event) for event in run.events]
    about = {
        "kind": KIND,
        "version": VERSION,
        "execution": {"spec": {"workflow": {"name": "flow"}}},
        "events": len(events),
        **header,
    }
    return Bundle(Header(**about), canonical_json(run.spec), events, dict(taker.fresh), b'{"other":{}}')


def altered(change, *, seal=True) -> bytes:
    """A bundle of which the lines were changed, with a digest that fits them."""
    lines = gzip.decompress(packed(bundle())).splitlines()[:-1]
    found = [json.dumps(one).encode() for one in change([json.loads(line) for line in lines])]
    body = b"".join(line + b"\n" for line in found)
    end = {"lines": len(found), "digest": f"sha256:{hashlib.sha256(body if seal else b'').hexdigest()}"}
    return gzip.compress(body + json.dumps(end).encode() + b"\n")


def test_what_was_written_is_read():
    """Every part of it, byte for byte, and it folds to the state with all values whole."""
    given = bundle()

    found = unpacked(packed(given), "FILE")

    assert given == found
    assert 2 <= len(found.values)
    state = check(found, "FILE")
    assert ("Succeeded", {"x": {"deep": "y" * 9000, "list": ["z" * 5000]}}) == (state.phase, state.outputs)
    assert given == found, "checking changes nothing"
    assert log_digest(given.events) == log_digest(found.events)
    assert packed(given) == packed(found)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_is_refused(share):
    """Wherever the cut is."""
    whole = packed(bundle())

    with pytest.raises(InvalidInput, match="nothing was imported") as error:
        unpacked(whole[: int(len(whole) * share)], "FILE")
    assert "BadBundle" == error.value.reason


def test_a_file_in_which_a_byte_changed_is_refused():
    """Any one of some hundred places, or it is read as the same."""
    whole, given = packed(bundle()), bundle()

    for place in range(0, len(whole), max(1, len(whole) // 150)):
        changed = bytearray(whole)
        changed[place] ^= 0x20
        with contextlib.suppress(InvalidInput):
            assert given == unpacked(bytes(changed), "FILE")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "FILE is no bundle"),
        (b"kind: Workflow\n", "FILE is no bundle"),
        (b"\x1f\x8bgarbage that is no gzip", "FILE "),
        (gzip.compress(b""), "FILE is no bundle"),
        (gzip.compress(b"[1]\n"), "FILE is no bundle"),
        (gzip.compress(b'{"kind":"Workflow","version":1}\n'), "FILE is no bundle"),
        (gzip.compress(b'{"kind":"FairleadBundle","version":2}\n'), r"newer Fairlead \(bundle version 2\)"),
        (gzip.compress(b'{"kind":"FairleadBundle","version":1}\n'), "cut or altered"),
    ],
    ids=[
        "empty",
        "yaml",
        "no gzip",
        "no line",
        "a list",
        "another kind",
        "newer",
        "no end",
    ],  # gzip tells the time
)
def test_what_is_no_bundle_is_told(data, said):
    """Or a bundle of a newer release."""
    with pytest.raises(InvalidInput, match=said):
        unpacked(data, "FILE")


def test_what_is_too_large_is_refused(monkeypatch):
    """Unpacking takes bounded memory, whatever a file promises."""
    monkeypatch.setattr(bundles, "LARGEST", 2 << 20)

    with pytest.raises(InvalidInput, match="more than 2 MiB unpacked"):
        unpacked(gzip.compress(bytes(50 << 20)), "FILE")


def _event(lines, number):
    return [line for line in lines if "event" in line][number]["event"]


def _without(lines, key):
    return [line for line in lines if key not in line]


def _newer(lines):
    _event(lines, 0)["schema"] = 99
    return lines


def _no_spec(lines):
    lines[0]["execution"]["spec"]["suspend"] = "perhaps"
    return lines


def _swapped(lines):
    lines[1]["definition"] = lines[1]["definition"].replace('"a"', '"b"')
    return lines


def _gap(lines):
    del lines[4]
    lines[0]["events"] -= 1
    return lines


def _unknown(lines):
    _event(lines, 2)["type"] = "Teleported"
    return lines


def _other_value(lines):
    next(line for line in lines if "value" in line)["content"] = '{"value":1}'
    return lines


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: _without(lines, "event"), "has 0 events"),
        (lambda lines: _without(lines, "value"), "does not fit together: the value sha256:.* is missing"),
        (lambda lines: _without(lines, "definition"), "the definition in FILE has the digest"),
        (lambda lines: lines[:-3] + lines[-2:], "has .* events; expected|is missing"),
        (_no_spec, "the execution in FILE is no execution"),
        (_newer, r"was written by a newer Fairlead \(version 99\)"),
        (_swapped, "the definition in FILE has the digest"),
        (_gap, "does not fit together"),
        (_unknown, r"line \d+ of FILE cannot be read: .*Teleported"),
        (_other_value, "was changed"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, said):
    """Also where the digest in the last line fits: nothing is taken in that could not go on."""
    with pytest.raises(InvalidInput, match=said):
        check(unpacked(altered(change), "FILE"), "FILE")


def test_a_digest_that_does_not_fit_is_refused():
    """Whatever the lines are."""
    with pytest.raises(InvalidInput, match="does not fit the digest"):
        unpacked(altered(lambda lines: lines, seal=False), "FILE")


def test_the_digest_of_a_log_follows_from_its_events():
    """One more, or another, is another digest."""
    events = bundle().events

    assert log_digest(events) != log_digest(events[:-1])
    assert (
        log_digest(events)
        == "sha256:" + hashlib.sha256(b"".join(encode(x) + b"\n" for x in events)).hexdigest()
    )
