"""A whole expression as a tree: decoded from what the CEL runtime serialises, and encoded back.

The runtime gives no access to its tree, but `serialize()` gives a `google.protobuf.Any` with a `cel.expr.CheckedExpr` or,
without type checking, a `cel.expr.ParsedExpr` (cel-spec `syntax.proto` and `checked.proto`); `deserialize()` takes a changed
one back. Rule of this file: encoding a decoded tree gives an expression that means the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cached_property

from fairlead.engine.expressions import wire
from fairlead.engine.expressions.syntax import (
    Call,
    Const,
    Entry,
    Fold,
    Ident,
    ListNode,
    MapNode,
    Node,
    Select,
    Type,
)

_CHECKED_URL = b"type.googleapis.com/cel.expr.CheckedExpr"
_PARSED_URL = b"type.googleapis.com/cel.expr.ParsedExpr"
_TYPES, _ROOT, _SOURCE = 3, 4, 5  # fields of a CheckedExpr
_PARSED_ROOT, _PARSED_SOURCE = 2, 3  # fields of a ParsedExpr

_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {1: "dyn", 2: "timestamp", 3: "duration"}


class Tree:
    """A whole expression: its root node, and what the checker found out about the nodes, by id.

    Only the root is decoded at once: types and offsets are asked for by few.
    """

    def __init__(
        self,
        root: Node,
        message: list[tuple[int, bytes]],
        *,
        checked: bool,
        original: Callable[[int], int] | None = None,
    ) -> None:
        self.root = root
        self.original = original
        """Counts an offset back to the text that the author wrote, where it is not the one that was compiled."""
        self.message = message
        """The serialised fields other than the root, to be written back as they were."""
        self.checked = checked

    @cached_property
    def types(self) -> dict[int, Type]:
        """The type of each node of which the checker says one."""
        entries = (
            dict(wire.read_fields(data)) for number, data in self.message if self.checked and number == _TYPES
        )
        return {_number(entry.get(1, 0)): _type(_message(entry.get(2, b""))) for entry in entries}

    @cached_property
    def offsets(self) -> dict[int, int]:
        """Where each node's main token stands, in characters from the start of the text."""
        source = _SOURCE if self.checked else _PARSED_SOURCE
        infos = [wire.read_fields(data) for number, data in self.message if number == source]
        pairs = (
            dict(wire.read_fields(_message(pair))) for info in infos for number, pair in info if number == 4
        )
        offsets = {_number(pair.get(1, 0)): _number(pair.get(2, 0)) for pair in pairs}
        if self.original is None:
            return offsets
        return {node: self.original(offset) for node, offset in offsets.items()}

    def type_of(self, node: Node) -> Type:
        """What the checker says of a node; `dyn` where it says nothing."""
        return self.types.get(node.id, "dyn")

    def offset_of(self, node: Node) -> int:
        """Where the node's main token stands."""
        return self.offsets.get(node.id, 0)

    def with_root(self, root: Node) -> Tree:
        """The same expression with another root."""
        return Tree(root, self.message, checked=self.checked, original=self.original)


# --- decoding --------------------------------------------------------------------------------------------------------


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"{value} stands where a message was expected")
    return value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError(f"{value!r} stands where a number was expected")
    return value


def _text(value: int | bytes) -> str:
    return _message(value).decode()


def decode(serialised: bytes, original: Callable[[int], int] | None = None) -> Tree:
    """The tree of what `Expression.serialize()` gave; `original` counts its offsets back to the author's text."""
    envelope = dict(wire.read_fields(serialised))
    checked = envelope[1] == _CHECKED_URL
    root = _ROOT if checked else _PARSED_ROOT
    message = [(number, _message(value)) for number, value in wire.read_fields(_message(envelope[2]))]
    for index, (number, data) in enumerate(message):
        if number == root:
            del message[index]
            return Tree(_node(data), message, checked=checked, original=original)
    raise ValueError("the serialised expression has no root")


def _type(data: bytes) -> Type:
    for number, value in wire.read_fields(data):
        if number == 2:
            return "null"
        if number in (3, 4):
            return _PRIMITIVES.get(_number(value), "dyn")
        if number == 5:
            return _WELL_KNOWN.get(_number(value), "dyn")
        if number == 6:
            inner = dict(wire.read_fields(_message(value)))
            return ("list", _type(_message(inner.get(1, b""))))
        if number == 7:
            inner = dict(wire.read_fields(_message(value)))
            return ("map", _type(_message(inner.get(1, b""))), _type(_message(inner.get(2, b""))))
        if number == 9:
            return ("message", _text(value))
        if number == 11:
            return ("type", _type(_message(value)))
        if number == 14:
            fields = list(wire.read_fields(_message(value)))
            name = next((_text(v) for n, v in fields if n == 1), "")
            parameters = tuple(_type(_message(v)) for n, v in fields if n == 2)
            return ("optional" if name == "optional_type" else name, *parameters)
    return "dyn"


def _node(data: bytes) -> Node:
    id_ = 0
    for number, value in wire.read_fields(data):
        if number == 2:
            id_ = _number(value)
            continue
        body = _message(value)
        if number == 3:
            return _const(id_, body)
        if number == 4:
            return Ident(id_, _text(dict(wire.read_fields(body)).get(1, b"")))
        if number == 5:
            fields = dict(wire.read_fields(body))
            return Select(id_, _node(_message(fields[1])), _text(fields.get(2, b"")), bool(fields.get(3, 0)))
        if number == 6:
            return _call(id_, body)
        if number == 7:
            elements = [_node(_message(v)) for n, v in wire.read_fields(body) if n == 1]
            return ListNode(id_, elements, _indices(body))
        if number == 8:
            entries = [_entry(_message(v)) for n, v in wire.read_fields(body) if n == 2]
            name = next((_text(v) for n, v in wire.read_fields(body) if n == 1), "")
            return MapNode(id_, name, entries)
        if number == 9:
            return _fold(id_, body)
    raise ValueError(f"the expression node {id_} has no kind that is known")


def _const(id_: int, data: bytes) -> Const:
    for number, value in wire.read_fields(data):
        if number == 2:
            return Const(id_, "bool", bool(value))
        if number == 3:
            return Const(id_, "int", wire.signed(_number(value)))
        if number == 4:
            return Const(id_, "uint", _number(value))
        if number == 5:
            return Const(id_, "double", struct.unpack("<d", _message(value))[0])
        if number == 6:
            return Const(id_, "string", _text(value))
        if number == 7:
            return Const(id_, "bytes", _message(value))
    return Const(id_, "null", None)


def _call(id_: int, data: bytes) -> Call:
    call = Call(id_, "", [])
    for number, value in wire.read_fields(data):
        if number == 1:
            call.target = _node(_message(value))
        elif number == 2:
            call.function = _text(value)
        elif number == 3:
            call.args.append(_node(_message(value)))
    return call


def _indices(data: bytes) -> list[int]:
    """The optional indices of a list: packed into one field, or one field each."""
    out: list[int] = []
    for number, value in wire.read_fields(data):
        if number != 2:
            continue
        if isinstance(value, int):
            out.append(value)
        else:
            position = 0
            while position < len(value):
                index, position = wire.read_varint(value, position)
                out.append(index)
    return out


def _entry(data: bytes) -> Entry:
    fields = dict(wire.read_fields(data))
    key = _node(_message(fields[3])) if 3 in fields else None
    name = _text(fields.get(2, b""))
    return Entry(_number(fields.get(1, 0)), key, name, _node(_message(fields[4])), bool(fields.get(5, 0)))


def _fold(id_: int, data: bytes) -> Fold:
    fields = dict(wire.read_fields(data))
    return Fold(
        id_,
        variable=_text(fields.get(1, b"")),
        range=_node(_message(fields[2])),
        accumulator=_text(fields.get(3, b"")),
        init=_node(_message(fields[4])),
        condition=_node(_message(fields[5])),
        step=_node(_message(fields[6])),
        result=_node(_message(fields[7])),
        variable2=_text(fields.get(8, b"")),
    )


# --- encoding --------------------------------------------------------------------------------------------------------


def encode(tree: Tree) -> bytes:
    """What `Env.deserialize()` takes."""
    rest = b"".join(wire.bytes_field(number, data) for number, data in tree.message)
    body = rest + wire.bytes_field(_ROOT if tree.checked else _PARSED_ROOT, _encode(tree.root))
    return wire.bytes_field(1, _CHECKED_URL if tree.checked else _PARSED_URL) + wire.bytes_field(2, body)


def _encode(node: Node) -> bytes:
    head = wire.number_field(2, node.id)
    if isinstance(node, Const):
        return head + wire.bytes_field(3, _encode_const(node))
    if isinstance(node, Ident):
        return head + wire.bytes_field(4, wire.bytes_field(1, node.name.encode()))
    if isinstance(node, Select):
        body = wire.bytes_field(1, _encode(node.operand)) + wire.bytes_field(2, node.field.encode())
        return head + wire.bytes_field(5, body + (wire.number_field(3, 1) if node.test else b""))
    if isinstance(node, Call):
        target = wire.bytes_field(1, _encode(node.target)) if node.target is not None else b""
        args = b"".join(wire.bytes_field(3, _encode(arg)) for arg in node.args)
        return head + wire.bytes_field(6, target + wire.bytes_field(2, node.function.encode()) + args)
    if isinstance(node, ListNode):
        body = b"".join(wire.bytes_field(1, _encode(element)) for element in node.elements)
        return head + wire.bytes_field(7, body + b"".join(wire.number_field(2, i) for i in node.optional))
    if isinstance(node, MapNode):
        body = wire.bytes_field(1, node.message.encode()) if node.message else b""
        return head + wire.bytes_field(8, body + b"".join(map(_encode_entry, node.entries)))
    body = wire.bytes_field(1, node.variable.encode()) + wire.bytes_field(3, node.accumulator.encode())
    parts = ((2, node.range), (4, node.init), (5, node.condition), (6, node.step), (7, node.result))
    body += b"".join(wire.bytes_field(number, _encode(part)) for number, part in parts)
    return head + wire.bytes_field(
        9, body + (wire.bytes_field(8, node.variable2.encode()) if node.variable2 else b"")
    )


def _encode_entry(entry: Entry) -> bytes:
    key = (
        wire.bytes_field(3, _encode(entry.key))
        if entry.key is not None
        else wire.bytes_field(2, entry.field.encode())
    )
    body = wire.number_field(1, entry.id) + key + wire.bytes_field(4, _encode(entry.value))
    return wire.bytes_field(2, body + (wire.number_field(5, 1) if entry.optional else b""))


def _encode_const(node: Const) -> bytes:
    if node.kind == "null":
        return wire.number_field(1, 0)
    if node.kind == "bool":
        return wire.number_field(2, int(node.value))
    if node.kind == "int":
        return wire.number_field(3, node.value)
    if node.kind == "uint":
        return wire.number_field(4, node.value)
    if node.kind == "double":
        return wire.fixed64_field(5, struct.pack("<d", node.value))
    if node.kind == "string":
        return wire.bytes_field(6, node.value.encode())
    return wire.bytes_field(7, node.value)
