"""Finding `${ … }` in strings: CEL's own lexical rules say where a hole ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions import ExpressionSyntaxError, compile_template
from fairlead.engine.expressions.scanner import Hole, escape, scan

SCOPE = {"inputs": {"a": "x"}}


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("", ()),
        ("plain", ("plain",)),
        ("${a}", (Hole("a", 2),)),
        ("x${a}y${b}", ("x", Hole("a", 3), "y", Hole("b", 8))),
        ("$${a}", ("${a}",)),
        ("$$${a}", ("$${a}",)),
        ("$", ("$",)),
        ("cost: 5$ and $x", ("cost: 5$ and $x",)),
        ("${ {'a': {'b': 1}}.a.b }", (Hole(" {'a': {'b': 1}}.a.b ", 2),)),
        ("${'}'}", (Hole("'}'", 2),)),
        ('${"\\"}"}', (Hole('"\\"}"', 2),)),
        ("${'''}'\n''}'''}", (Hole("'''}'\n''}'''", 2),)),
        ('${r"\\"}!', (Hole('r"\\"', 2), "!")),
        ("${bR'\\'}!", (Hole("bR'\\'", 2), "!")),
        ("${char'}'}", (Hole("char'}'", 2),)),
        ("${a // }\n}", (Hole("a // }\n", 2),)),
        ("${a.`b}c`}", (Hole("a.`b}c`", 2),)),
        ("${}", (Hole("", 2),)),
    ],
)
def test_pieces(text, pieces):
    """Strings of every kind, comments, quoted names and braces within a hole do not end it; `$${` is no hole."""
    assert scan(text) == pieces


@pytest.mark.parametrize(
    "text, offset, message",
    [
        ("${a", 0, "no closing '}'"),
        ("ab${ {'a': 1}", 2, "no closing '}'"),
        ("${a // }", 0, "no closing '}'"),
        ("${'a}", 2, "the string that begins with ' is not closed"),
        ("${'''a}''}", 2, "the string that begins with ''' is not closed"),
        ("${'a\n'}", 2, "is not closed"),
        ("${a.`b}", 4, "the name that begins with ` is not closed"),
    ],
)
def test_what_does_not_end_is_an_error_with_its_place(text, offset, message):
    """An unterminated hole, string or name is found when the template is compiled, where it begins."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_template(text)

    assert caught.value.offset == offset
    assert message in caught.value.message


TEXT = st.text(st.sampled_from("$${}'\"\\ab \n/`") | st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_any_text_can_be_written_as_a_template(text):
    """An escaped text is a constant template that gives back the text."""
    template = compile_template(escape(text))

    assert template.constant
    assert template.evaluate({}) == text


@given(st.lists(TEXT | st.just(None), max_size=6))
def test_literals_and_holes_keep_their_places(parts):
    """Literal pieces come back as they were, with the value between them wherever a hole stood."""
    written = "".join("${inputs.a}" if part is None else escape(part) for part in parts)
    # A dollar before a hole would make it a literal.
    ambiguous = any(part and part.endswith("$") for part in parts)
    expected = "".join("x" if part is None else part for part in parts)

    if not ambiguous:
        assert compile_template(written).evaluate(SCOPE) == expected


@given(TEXT)
def test_no_text_breaks_the_scanner(text):
    """Whatever stands in a string, scanning gives pieces that cover it, or an error within it."""
    pieces: tuple[str | Hole, ...] = ()
    error = None
    try:
        pieces = scan(text)
    except ExpressionSyntaxError as found:
        error = found

    assert error is None or 0 <= error.offset <= len(text)
    assert all(text[hole.offset :].startswith(hole.source + "}") for hole in pieces if isinstance(hole, Hole))
