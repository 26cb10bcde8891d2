"""Trees of expressions: decoded from the runtime's own bytes, encoded back, and found to mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.expressions import runtime, trees, wire
from fairlead.engine.expressions.syntax import Call, Fold, macro_of, walk

DATA = {"inputs": {"xs": [1, 2, 3], "m": {"k": "v"}, "s": "text"}}


@pytest.mark.parametrize(
    "source",
    [
        "inputs.xs.map(i, i > 1, i * 2)",
        "inputs.xs.filter(i, i != 2)",
        "inputs.xs.exists_one(i, i == 2) && !inputs.xs.all(i, i > 1)",
        "has(inputs.m.k) ? inputs['m'].k : 'none'",
        "{'a': [1, -2, 3u, 2.5, true, null], 'b': b'bytes', 'c': \"ü\"}.size()",
        "[?inputs.?m.?k, ?inputs.?missing].size()",
        "{?'a': inputs.?m, 'b': 1}.size()",
        "optional.of(4).optMap(x, x + 1).orValue(0)",
        "math.greatest(1, 2) + 'a,b'.split(',').size()",
        "-9223372036854775808",
    ],
)
@pytest.mark.parametrize("unchecked", [False, True])
def test_an_encoded_tree_means_the_same(source, unchecked):
    """Decoding what the runtime serialised, encoding it and running it gives the value that the text gives."""
    environment = runtime.environment(frozenset())
    program = environment.compile(source, disable_check=unchecked)

    tree = trees.decode(program.serialize())
    again = environment.deserialize(trees.encode(tree))

    assert tree.checked is not unchecked
    assert again.eval(data=DATA).plain_value() == program.eval(data=DATA).plain_value()


@pytest.mark.parametrize(
    "source, macro",
    [
        ("inputs.xs.map(i, i)", "map"),
        ("inputs.xs.map(i, i > 1, i + 1)", "map"),
        ("inputs.xs.filter(i, i > 1)", "filter"),
        ("inputs.xs.all(i, i > 1)", "all"),
        ("inputs.xs.exists(i, i > 1)", "exists"),
        ("inputs.xs.exists_one(i, i > 1)", "exists_one"),
    ],
)
def test_a_comprehension_is_known_by_the_macro_it_was(source, macro):
    """What the macros became can be told apart, so that messages use the author's word."""
    tree = trees.decode(runtime.environment(frozenset()).compile(source).serialize())

    folds = [node for node in walk(tree.root) if isinstance(node, Fold)]

    assert [macro_of(fold) for fold in folds] == [macro]


def test_nodes_know_their_types_and_offsets():
    """The checker's types and the places in the text are found by the id of a node."""
    tree = trees.decode(runtime.environment(frozenset()).compile("size(inputs.xs) + 1").serialize())
    assert isinstance(tree.root, Call)

    assert tree.type_of(tree.root) == "int"
    assert tree.type_of(tree.root.args[0]) == "int"
    assert tree.offset_of(tree.root) == len("size(inputs.xs) ")


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_number_comes_back_from_its_bytes(value):
    """Every int64 survives being written and read as a varint."""
    written = wire.varint(value)

    number, end = wire.read_varint(written, 0)

    assert (wire.signed(number), end) == (value, len(written))


@pytest.mark.parametrize("cut", [b"\x0a", b"\x0a\x05abc", b"\x08", b"\x08\xff", b"\x0b", b"\x09\x01"])
def test_cut_bytes_are_refused(cut):
    """Bytes that are no message raise ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"cut|wire type"):
        wire.read_fields(cut)
