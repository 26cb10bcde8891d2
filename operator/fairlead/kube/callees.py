"""The workflows of a namespace as nodes call them: read live, looked at as closely as one that a person applies.

Rules of this file
- Nothing of a Workflow's status counts: it may be old, or somebody else's word.
- A workflow is given with those that it runs inline, as it will be pinned; a child pins again at its own intake.
- What was examined is known by uid and version, and so are those that it inlines: then only their metadata is asked for.
- Reading and checking a large manifest takes long; it is done beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from fairlead.engine.validation import unsupported, unsupported_inline, validate_workflow
from fairlead.engine.validation.callees import Known
from fairlead.kube.client import WORKFLOWS, Client
from fairlead.kube.client.replies import metadata_of, partial_list_decoder
from fairlead.model.errors import NotFound
from fairlead.model.findings import Finding
from fairlead.model.manifests import Workflow, WorkflowSpec, definition_of
from fairlead.model.manifests.scalars import OBJECT_NAME
from fairlead.model.shape_limits import nodes_of
from fairlead.model.shapes import Shaped, read_shapes
from fairlead.runtime.children import invalid, not_found

KEPT = 64
"""Workflows that are kept as they were examined."""
_NAMES = 500
"""Names of which the nearest is looked for."""
_NONE = "one in the namespace"

_Version = tuple[str, str]


class _Object(msgspec.Struct, gc=False):
    spec: msgspec.Raw = msgspec.Raw(b"{}")


_object = msgspec.json.Decoder(_Object)


@dataclass(frozen=True, slots=True)
class _Examined:
    """A workflow, or what is wrong with it, and the objects that were read for that."""

    versions: dict[str, _Version]
    found: WorkflowSpec | str


class Callees:
    """The workflows that can be called; one for all namespaces."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: OrderedDict[tuple[str, str], _Examined] = OrderedDict()

    async def workflow(self, namespace: str, name: str) -> WorkflowSpec:
        """The workflow that a name means now. Raises Refused, Unavailable."""
        examined = await self._standing(namespace, name) or await self._examine(namespace, name)
        if examined is None:
            raise not_found(name, await self._names(namespace), _NONE)
        if isinstance(examined.found, str):
            raise invalid(name, examined.found)
        return examined.found

    async def _standing(self, namespace: str, name: str) -> _Examined | None:
        """What is known, if nothing of it has changed."""
        known = self._known.get((namespace, name))
        if known is None:
            return None
        now = await asyncio.gather(*(self._version(namespace, each) for each in known.versions))
        if now != list(known.versions.values()):
            del self._known[namespace, name]
            return None
        self._known.move_to_end((namespace, name))
        return known

    async def _version(self, namespace: str, name: str) -> _Version:
        try:
            about = metadata_of(await self._client.get(WORKFLOWS, namespace, name, partial=True))
        except NotFound:
            return "", ""
        return about.uid, about.resource_version

    async def _examine(self, namespace: str, name: str) -> _Examined | None:
        """A workflow as it is now with all that it inlines; None if there is none of that name."""
        versions: dict[str, _Version] = {}
        read: dict[str, Shaped | str] = {}
        wanted = [name]
        for each in wanted:
            body = await self._read(namespace, each)
            if body is None:
                versions[each] = ("", "")
                continue
            versions[each], read[each] = await asyncio.to_thread(_shape, each, body)
            wanted += [other for other in _inlined(read[each]) if other not in wanted]
        if name not in read:
            return None
        found = await asyncio.to_thread(_verdict, name, read)
        known = self._known[namespace, name] = _Examined(versions, found)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return known

    async def _read(self, namespace: str, name: str) -> bytes | None:
        if len(name) > 253 or not OBJECT_NAME.match(name):
            return None  # nothing can have such a name
        try:
            return await self._client.get(WORKFLOWS, namespace, name)
        except NotFound:
            return None

    async def _names(self, namespace: str) -> list[str]:
        params = {"limit": str(_NAMES)}
        body = await self._client.get(WORKFLOWS, namespace, params=params, partial=True)
        return [about.name for about in partial_list_decoder.decode(body).found]


def _shape(name: str, body: bytes) -> tuple[_Version, Shaped | str]:
    """The version of an object and what its spec is, or why it cannot be read."""
    about = metadata_of(body)
    head = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": {"name": name}}
    text = msgspec.json.encode({**head, "spec": _object.decode(body).spec})
    shapes, findings = read_shapes(text)
    shaped = shapes[0] if shapes else None
    wrong = _first_error([*findings, *(shaped.findings if shaped is not None else ())])
    usable = shaped is not None and isinstance(shaped.manifest, Workflow) and not wrong
    return (about.uid, about.resource_version), shaped if usable and shaped is not None else wrong


def _inlined(shaped: Shaped | str) -> list[str]:
    if isinstance(shaped, str) or not isinstance(shaped.manifest, Workflow):
        return []
    names = [node.inlined for _, node in nodes_of(shaped.manifest.spec)]
    return [name for name in dict.fromkeys(names) if name]


def _verdict(name: str, read: Mapping[str, Shaped | str]) -> WorkflowSpec | str:
    """The workflow of a name with those that it inlines, or the first thing that is wrong."""
    known = Known()
    for shaped in read.values():
        if isinstance(shaped, Shaped):
            known.take(shaped.document.data)
    specs: dict[str, WorkflowSpec] = {}
    for each, shaped in read.items():
        found = (
            shaped
            if isinstance(shaped, str)
            else _checked(shaped, known, inline=each if each != name else "")
        )
        if isinstance(found, str):
            return found if each == name else f"workflow {each}, which runs inline, cannot run: {found}"
        specs[each] = found
    missing = [other for shaped in read.values() for other in _inlined(shaped) if other not in read]
    if missing:
        return f"UnknownWorkflow: workflow {missing[0]}, which runs inline, is not there"
    others = {each: spec for each, spec in specs.items() if each != name}
    return definition_of(specs[name], others) if others else specs[name]


def _checked(shaped: Shaped, known: Known, *, inline: str) -> WorkflowSpec | str:
    """The spec of one workflow, or the first thing that is wrong with it."""
    assert isinstance(shaped.manifest, Workflow)
    spec = shaped.manifest.spec
    findings = validate_workflow(shaped.document.data, shaped.document, known=known)
    findings += unsupported_inline(inline, spec) if inline else unsupported(shaped.manifest)
    return _first_error(findings) or spec


def _first_error(findings: Iterable[Finding]) -> str:
    return next((f"{one.reason}: {one.message}" for one in findings if one.severity == "error"), "")
