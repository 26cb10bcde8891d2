"""The Workflows of a cluster by name: always looked up live, parsed anew only when they have changed.

Rules of this file
- What is kept is a cache with a limit: the API server is asked each time which version there is (its metadata alone), and the
  rest is fetched if that version is not kept.
- What takes long is done beside the event loop: 10,000 nodes take 1 to 2 s. One of them does not hold up the others.
- Names are looked up together with what they name in turn, up to a number of Workflows and to the size of what can be pinned.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import msgspec

from fairlead.engine.validation import (
    Callee,
    Known,
    References,
    examine_object,
    read_object,
    references_in,
    references_of,
    spec_of,
)
from fairlead.kube.client import WORKFLOWS, Client
from fairlead.kube.parts import digest_of
from fairlead.model.errors import FairleadError, NotFound
from fairlead.model.findings import Finding
from fairlead.model.manifests import WorkflowSpec, canonical_json
from fairlead.model.shape_limits import MAX_DEFINITION
from fairlead.model.shapes import Shaped

Json = dict[str, Any]
T = TypeVar("T")

KEPT = 4 << 20
"""Bytes of canonical JSON that are kept in parsed form: in memory each of them takes about nine."""
LOOKED_UP = 1000
"""Workflows that are looked up for one, which names them or names what names them."""
QUICK = 8 << 10
"""Bytes of JSON up to which a workflow is looked at in the event loop: about 10 ms."""
_NODE = 100
"""Bytes that a node has at least, about."""
_ASIDE = 2
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """A Workflow as it was read. `spec` is None if its shape is wrong, of which `wrong` is the first error."""

    uid: str
    generation: int
    spec: WorkflowSpec | None
    text: bytes
    references: References
    outline: Json
    wrong: str = ""

    @property
    def version(self) -> str:
        """What changes when the Workflow does."""
        return version_of(self.uid, self.generation)

    @property
    def digest(self) -> str:
        """sha256 of the canonical spec; empty if there is none."""
        return digest_of(self.text) if self.spec is not None else ""


@dataclass(slots=True)
class Surroundings:
    """What a workflow names, directly or not. `versions` has an empty text for what is not there.

    `inlined` are those that run inline, `started` the others, `missing` those of the former that are not there, `wrong` is why
    not all were looked up.
    """

    namespace: str
    versions: dict[str, str] = field(default_factory=dict)
    inlined: dict[str, Kept] = field(default_factory=dict)
    started: dict[str, Kept] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    wrong: Finding | None = None

    @property
    def specs(self) -> dict[str, WorkflowSpec]:
        """The specs of those that run inline."""
        return {name: kept.spec for name, kept in self.inlined.items() if kept.spec is not None}

    def known(self) -> Known:
        """The same, as validation wants it."""
        known = Known(namespace=self.namespace, guards=None)
        for name, kept in self.started.items():
            known.workflows[name] = Callee(name, kept.outline)
        for name, kept in self.inlined.items():
            known.workflows[name] = Callee(name, msgspec.json.decode(kept.text) if kept.spec else {})
            if kept.wrong:
                known.broken[name] = kept.wrong
        return known


class Unreadable(FairleadError):
    """An object that Python cannot read: the API server takes JSON that is nested deeper."""


def version_of(uid: str, generation: int) -> str:
    """What changes when an object of a name does."""
    return f"{uid}/{generation}"


class Library:
    """Looks Workflows up."""

    def __init__(self, client: Client, kept: int = KEPT) -> None:
        self._client = client
        self._limit = kept
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._by_spec: dict[int, Kept] = {}
        self._size = 0
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._asking: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._asked: dict[tuple[str, str], asyncio.Future[str]] = {}
        self._aside = asyncio.Semaphore(_ASIDE)
        self._requests = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, namespace: str, name: str) -> tuple[Any, int] | None:
        """The object of a name with its size in bytes; None if there is none. Raises Unreadable, Unavailable."""
        try:
            async with self._requests:
                body = await self._client.get(WORKFLOWS, namespace, name)
        except NotFound:
            return None
        return await self.aside(len(body), _decoded, body), len(body)

    async def version(self, namespace: str, name: str) -> str:
        """Which version of a Workflow there is; empty for none. Raises Unreadable, Unavailable.

        Of a crowd that asks for the same one, all share an answer who asked before its request was sent.
        """
        key = (namespace, name)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.ensure_future(self._ask(key))
            asked.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(asked)

    async def _ask(self, key: tuple[str, str]) -> str:
        async with self._asking.setdefault(key, asyncio.Lock()), self._requests:
            del self._asked[key]  # whoever asks from now on wants to know what is there from now on
            try:
                body = await self._client.get(WORKFLOWS, *key, partial=True)
            except NotFound:
                return ""
            about = _decoded(body)["metadata"]
            return version_of(about["uid"], about["generation"])

    async def find(self, namespace: str, name: str) -> Kept | None:
        """The Workflow of a name as it is now; None if there is none. Raises Unavailable."""
        try:
            return await self._find(namespace, name)
        except Unreadable as unreadable:
            return Kept("", 0, None, b"", References(), {}, str(unreadable))

    async def _find(self, namespace: str, name: str) -> Kept | None:
        version = await self.version(namespace, name)
        if not version:
            return None
        kept = self.kept(namespace, name, version)
        if kept is None:
            async with self._locks.setdefault((namespace, name), asyncio.Lock()):
                kept = self.kept(namespace, name, version)
                if kept is None:
                    found = await self.fetch(namespace, name)
                    kept = (await self.read(*found))[1] if found is not None else None
        return kept

    def kept(self, namespace: str, name: str, version: str) -> Kept | None:
        """A version that is kept."""
        kept = self._kept.get((namespace, name))
        if kept is None or kept.version != version:
            return None
        self._kept.move_to_end((namespace, name))
        return kept

    async def read(self, body: Json, size: int) -> tuple[Shaped, Kept]:
        """An object by itself, which is kept as well."""
        shaped, kept = await self.aside(size, _read, body)
        about = body["metadata"]
        key = (about["namespace"], about["name"])
        if key in self._kept:
            self._drop(self._kept.pop(key))
        self._kept[key] = kept
        self._size += len(kept.text)
        if kept.spec is not None:
            self._by_spec[id(kept.spec)] = kept
        while self._size > self._limit and len(self._kept) > 1:
            self._drop(self._kept.popitem(last=False)[1])
        return shaped, kept

    def _drop(self, kept: Kept) -> None:
        self._size -= len(kept.text)
        self._by_spec.pop(id(kept.spec), None)

    async def known_of(self, spec: WorkflowSpec) -> tuple[bytes, References]:
        """The canonical form of a spec and what it names, without work if it is kept."""
        kept = self._by_spec.get(id(spec))
        if kept is not None:
            return kept.text, kept.references
        text = await self.aside(_NODE * len(spec.nodes), canonical_json, spec)
        return text, await self.aside(len(text), references_in, spec)

    async def examine(
        self, shaped: Shaped, around: Surroundings, size: int, *, more_inputs: bool = False
    ) -> list[Finding]:
        """All findings about an object among those that it names."""
        size += sum(len(kept.text) for kept in around.inlined.values())
        known = await self.aside(size, around.known)
        known.more_inputs = more_inputs
        found = await self.aside(size, examine_object, shaped, known, around.specs)
        return found if around.wrong is None else [around.wrong, *found]

    async def surroundings(self, namespace: str, own: str, references: References) -> Surroundings:
        """Everything that a workflow names; `own` is its own name, which is not looked up. Raises Unavailable."""
        around = Surroundings(namespace)
        missing: list[str] = []
        size, level = 0, _new(references.inlined, around, own)
        started = [*references.called]
        while level and around.wrong is None:
            following: list[str] = []
            for name, kept in await self._together(namespace, level, around):
                if kept is None:
                    missing.append(name)
                    continue
                around.inlined[name] = kept
                size += len(kept.text)
                following += kept.references.inlined
                started += kept.references.called
            level = _new(following, around, own)
            around.wrong = _too_much(size, len(around.versions) + len(level))
        around.missing = tuple(sorted(missing))
        level = _new(started, around, own)
        if around.wrong is None:
            around.wrong = _too_much(size, len(around.versions) + len(_new(references.called, around, own)))
        while level and around.wrong is None:
            following = []
            room = LOOKED_UP - len(around.versions)
            for name, kept in await self._together(namespace, level[:room], around):
                if kept is not None:
                    around.started[name] = kept
                    following += kept.references.names
            level = _new(following, around, own)
        return around

    async def _together(
        self, namespace: str, names: list[str], around: Surroundings
    ) -> list[tuple[str, Kept | None]]:
        found = await asyncio.gather(*(self.find(namespace, name) for name in names))
        for name, kept in zip(names, found, strict=True):
            around.versions[name] = kept.version if kept is not None else ""
        return list(zip(names, found, strict=True))

    async def aside(self, size: int, work: Callable[..., T], *given: Any) -> T:
        """Do something with so many bytes, beside the event loop if it takes long."""
        if size <= QUICK:
            return work(*given)
        async with self._aside:
            return await asyncio.to_thread(work, *given)


def _read(body: Json) -> tuple[Shaped, Kept]:
    shaped = read_object(manifest_of(body))
    spec = spec_of(shaped)
    about = body["metadata"]
    references = references_of(body.get("spec"))
    kept = Kept(
        about["uid"],
        about["generation"],
        spec,
        canonical_json(spec) if spec is not None else b"",
        references,
        _outline(spec, references),
        "" if spec is not None else shaped.first_error or "its spec cannot be read",
    )
    return shaped, kept


def _decoded(body: bytes) -> Json:
    """An object. Raises Unreadable."""
    try:
        decoded: Json = msgspec.json.decode(body)
    except (RecursionError, msgspec.DecodeError) as error:
        raise Unreadable(f"the object cannot be read ({error}); expected JSON that is nested less") from error
    return decoded


def manifest_of(body: Json) -> Json:
    """What a person has written of an object: the API server's metadata is not validated, nor is our status."""
    manifest = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    return {**manifest, "metadata": {"name": body["metadata"]["name"]}}


def _outline(spec: WorkflowSpec | None, references: References) -> Json:
    """What a caller has to know of a workflow: the schema of its inputs, and what it names in turn."""
    nodes = [
        {"name": f"n{number}", "workflow": {"name": name}} for number, name in enumerate(references.names)
    ]
    outline: Json = {"nodes": nodes}
    if spec is not None and spec.inputs is not None:
        outline["inputs"] = spec.inputs
    return outline


def _new(names: Iterable[str], around: Surroundings, own: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name and name != own and name not in around.versions]


def _too_much(size: int, count: int) -> Finding | None:
    if size > MAX_DEFINITION:
        message = f"what runs inline has {size:,} bytes of canonical JSON and more; expected at most {MAX_DEFINITION:,}"
        return Finding("error", "DefinitionTooLarge", message, "spec")
    if count > LOOKED_UP:
        message = f"the workflow names {count:,} Workflows; expected at most {LOOKED_UP:,}"
        return Finding("error", "TooManyWorkflows", message, "spec")
    return None
