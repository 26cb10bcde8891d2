"""The node document: what one attempt of one node is to do. Version 1, one JSON object:

    {"version": 1, "execution": {"name", "uid"}, "node": INSTANCE, "attempt": 1, "delivery": 1,
     "idempotencyKey": HEX, "inputs": {..}, "env": {"K": "V"}, "workingDir": PATH, "grace": MICROSECONDS,
     "run": {"python": TEXT} | {"sh": TEXT}
            | {"image": IMAGE, "command": [..], "args": [..], "cleanup": [..]}}

In place of `run` one of these, whose templates are evaluated already (`reach` runs them):

    "http": {"method", "url", "query": {..}, "headers": {..}, "body": ANY, "auth": {"secret", "kind": "bearer"|"basic"},
             "expect": CEL, "timeout": MICROSECONDS, "allow": {"plain", "hosts", "private", "deny", "caFile"}}
    "notify": {"secret", "title", "body"}
    "resource": {"action": "create"|"apply"|"patch"|"delete"|"get", "manifest": {..}, "success": CEL, "failure": CEL,
                 "timeout": MICROSECONDS}

`image` only names what the command belongs to: the command is run as it stands (in an image by the image
itself, at home through podman or docker). `cleanup` is a command that takes away what the first one leaves
behind when it does not end by itself. Unknown fields are ignored: a newer home may say more than this release
knows.
"""

import posix

from fairlead_runner import lean_json

MAX_BYTES = 8 * 1024 * 1024
"""The most that is read. The engine refuses inputs above 1 MiB long before; this bounds what strangers send."""
DEFAULT_GRACE = 2_000_000
REACHING = ("http", "notify", "resource")
"""The kinds beside `run`."""


class Refused(Exception):
    """The document cannot be run; the message says why."""


class Node:
    """A node document that was read and found sound."""

    __slots__ = (
        "attempt",
        "cleanup",
        "command",
        "env",
        "execution",
        "grace",
        "idempotency_key",
        "inputs",
        "kind",
        "node",
        "spec",
        "text",
        "uid",
        "working_dir",
    )

    def __init__(self, document: dict[str, object]) -> None:
        if document.get("version") != 1:
            raise Refused(f"the node document has version {document.get('version')!r}; expected 1")
        execution = _mapping(document, "execution")
        self.execution = str(execution.get("name", ""))
        self.uid = str(execution.get("uid", ""))
        self.node = str(document.get("node", ""))
        self.attempt = str(document.get("attempt", 1))
        self.idempotency_key = str(document.get("idempotencyKey", ""))
        self.inputs = _mapping(document, "inputs")
        self.env = {name: _text(value) for name, value in _mapping(document, "env").items()}
        self.working_dir = str(document.get("workingDir") or "")
        grace = document.get("grace", DEFAULT_GRACE)
        self.grace = grace if isinstance(grace, int) else DEFAULT_GRACE
        kind = _reaching(document)
        self.spec = _mapping(document, kind) if kind else {}
        run = _mapping(document, "run")
        self.kind, self.text = (kind, "") if kind else _program(run)
        self.command = [*_texts(run, "command"), *_texts(run, "args")]
        self.cleanup = _texts(run, "cleanup")


def load(environ: dict[bytes, bytes]) -> Node:
    """The node document that the environment names, or the one on stdin."""
    inline, file = environ.get(b"FAIRLEAD_NODE"), environ.get(b"FAIRLEAD_NODE_FILE")
    try:
        raw = inline if inline is not None else _read(posix.open(file, posix.O_RDONLY) if file else 0)
        document = lean_json.decode(raw.decode())
    except OSError as error:
        raise Refused(f"the node document cannot be read: {error}") from None
    except ValueError as error:
        raise Refused(f"the node document is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refused(f"the node document is of type {type(document).__name__}; expected an object")
    return Node(document)


def _read(descriptor: int) -> bytes:
    parts = []
    left = MAX_BYTES
    while left > 0 and (part := posix.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise Refused(f"the node document is larger than {MAX_BYTES} bytes")
    return b"".join(parts)


def _reaching(document: dict[str, object]) -> str:
    """The kind of a node that reaches out; empty for `run`."""
    kinds = [kind for kind in ("run", *REACHING) if document.get(kind) is not None]
    if len(kinds) > 1:
        raise Refused(f"the node document has {' and '.join(kinds)}; expected exactly one")
    return kinds[0] if kinds and kinds[0] != "run" else ""


def _program(run: dict[str, object]) -> tuple[str, str]:
    kinds = [kind for kind in ("python", "sh", "image") if kind in run]
    if len(kinds) != 1:
        raise Refused(
            f"run has {' and '.join(kinds) or 'none'} of python, sh and image; expected exactly one"
        )
    text = run[kinds[0]]
    if not isinstance(text, str):
        raise Refused(f"run.{kinds[0]} is of type {type(text).__name__}; expected text")
    return kinds[0], text


def _text(value: object) -> str:
    """A text itself; anything else as compact JSON, as templates do it."""
    return value if isinstance(value, str) else lean_json.encode(value)


def _mapping(document: dict[str, object], field: str) -> dict[str, object]:
    value = document.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{field} is of type {type(value).__name__}; expected an object")
    return value


def _texts(run: dict[str, object], field: str) -> list[str]:
    value = run.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(f"run.{field} is {value!r}; expected a list of texts")
    return list(value)
