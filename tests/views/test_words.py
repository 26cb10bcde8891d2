"""Durations, ages and tables as people read them."""

from __future__ import annotations

import pytest

from fairlead.apps.views import words
from fairlead.apps.views.attempts import AttemptRow, chosen
from fairlead.apps.views.tables import table
from fairlead.model.times import HOUR, MILLISECOND, MINUTE, SECOND


@pytest.mark.parametrize(
    "micros, text",
    [
        (0, "0ms"),
        (999_999, "999ms"),
        (SECOND, "1.0s"),
        (9_960_000, "9.9s"),
        (10 * SECOND, "10s"),
        (59 * SECOND + 999 * MILLISECOND, "59s"),
        (92 * SECOND, "1m32s"),
        (2 * HOUR + 5 * MINUTE, "2h05m"),
        (76 * HOUR, "3d4h"),
    ],
)
def test_durations_have_about_three_digits(micros, text):
    """Never more than is true: cut, not rounded up."""
    assert words.duration(micros) == text


@pytest.mark.parametrize(
    "micros, text",
    [(-5, "0s"), (119 * SECOND, "119s"), (2 * MINUTE, "2m"), (3 * HOUR, "3h"), (49 * HOUR, "2d")],
)
def test_ages_have_one_unit(micros, text):
    """As kubectl shows them."""
    assert words.age(micros) == text


def test_what_is_left_is_told_in_whole_seconds():
    """An estimate pretends no precision."""
    assert [words.left(seconds) for seconds in (0, 59, 90)] == [
        "about 0s left",
        "about 59s left",
        "about 1m30s left",
    ]


def test_a_table_is_aligned_whatever_stands_in_it():
    """Wide characters count two columns, control characters become harmless, the last column is not padded."""
    lines = table(("NAME", "WHY"), [["日本", "x"], ["abcdefg", "one\ntwo"]])

    assert lines == ["NAME      WHY", "日本      x", "abcdefg   one two"]


def test_a_name_with_several_instances_needs_an_id():
    """An instance id names one; a name only if there is no choice, but all passes of a loop if it is in the graph itself."""
    rows = [AttemptRow(node, 1, 1, 0) for node in ("each[0]/pack", "each[1]/pack", "other")]

    assert [row.node for row in chosen(rows, "each[1]/pack")] == ["each[1]/pack"]
    assert [row.node for row in chosen(rows, "other")] == ["other"]
    passes = [AttemptRow(node, 1, 1, 0) for node in ("a", "a#1")]
    assert [row.node for row in chosen(passes, "a")] == ["a", "a#1"]
    assert [row.node for row in chosen(passes, "a#1")] == ["a#1"]
    with pytest.raises(
        ValueError, match=r"pack has 2 instances; expected one of each\[0\]/pack, each\[1\]/pack"
    ):
        chosen(rows, "pack")
    assert [row.node for row in chosen(rows, "pack", several=True)] == ["each[0]/pack", "each[1]/pack"]
