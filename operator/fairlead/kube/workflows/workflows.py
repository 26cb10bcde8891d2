"""The Workflows of a cluster: what is said of each in its status, and what an execution needs of one when it starts.

    seen ──► read ──► look up what it names ──► judge ──► write the status, once
    gone, a change of what it names ──► (run) the same, with the object as it is now

Rules of this file
- A verdict is about one version of a Workflow among those versions of others that it names: the same is judged once, and what the
  status says already is not written again. Our own write makes an event, and that changes nothing.
- When a Workflow changes, those that name it, also by way of others, are looked at anew.
- A start is decided by what the API server has then, never by what was seen: `get` and `bundle` look up all that is pinned.
- No object, whatever it has become, raises out of `seen` or stops another one. What cannot be written is tried again by `run`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import msgspec
import structlog

from fairlead.engine.validation import References, examine_inlines, read_object, references_of, spec_of
from fairlead.kube.client import EXECUTIONS, WORKFLOWS, Client
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.parts import digest_of
from fairlead.kube.workflows.library import KEPT, Json, Kept, Library, Surroundings, Unreadable, version_of
from fairlead.kube.workflows.verdicts import Verdict, says_already, status_of, verdict_of
from fairlead.model import reasons
from fairlead.model.errors import Conflict, FairleadError, NotFound
from fairlead.model.findings import Finding
from fairlead.model.manifests import WorkflowSpec, canonical_json, definition_of
from fairlead.model.shapes import Shaped
from fairlead.model.wording import nearest_name

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries of a status that could not be written."""
AT_ONCE = 8
"""Workflows that are looked at anew at the same time."""
PATIENCE = 60.0
"""Seconds that a write of a status may take: the API server checks the whole object each time, 10,000 nodes in about 10 s."""
_TRIES = 6
_LARGE = 1 << 30
"""The size of what nobody has measured: it is looked at beside the event loop."""

Key = tuple[str, str]
log = structlog.get_logger(__name__)


class Unusable(FairleadError):
    """A Workflow that cannot run now. `reason` is WorkflowNotFound or WorkflowInvalid; a change of one of `awaited` may help."""

    def __init__(self, reason: str, message: str, awaited: Collection[str] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.awaited = frozenset(awaited)


class Found(NamedTuple):
    """A Workflow that can run; the digest is that of its spec alone."""

    spec: WorkflowSpec
    generation: int
    digest: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an execution is pinned to: a spec with all that it runs inline, as canonical JSON, and the digest of that."""

    definition: WorkflowSpec
    digest: str
    text: bytes


@dataclass(slots=True)
class _Memo:
    """What is known of a Workflow. `written` is the version of the object that was made by our write of this very verdict."""

    version: str
    generation: int
    verdict: Verdict
    names: dict[str, str] = field(default_factory=dict)
    inlined: tuple[str, ...] = ()
    written: str = ""

    def differs(self, other: _Memo | None) -> bool:
        """Whether somebody who waits for the Workflow may be interested."""
        if other is None:
            return True
        return (self.version, self.names, self.verdict) != (other.version, other.names, other.verdict)


@dataclass(slots=True)
class _Again:
    due: float
    tries: int


class Workflows:
    """Judges Workflows, and finds them for those who run them. `changed` is told of each that has changed, and must not wait."""

    def __init__(
        self,
        client: Client,
        fence: Fence,
        changed: Callable[[str, str], None] = lambda _namespace, _name: None,
        *,
        kept: int = KEPT,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._client = client
        self._fence = fence
        self._changed = changed
        self._first_pause = first_pause
        self._library = Library(client, kept)
        self._memos: dict[Key, _Memo] = {}
        self._named_by: dict[Key, set[Key]] = {}
        self._bundles: OrderedDict[tuple[object, ...], Bundle] = OrderedDict()
        self._bundled, self._limit = 0, kept
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._again: dict[Key, _Again] = {}
        self._asked = asyncio.Event()

    # --- what the cluster shows ---

    async def seen(self, body: Mapping[str, Any]) -> None:
        """A Workflow as the API server gives it. Never raises."""
        object_ = dict(body)
        key = _key_of(object_)
        if key is None:
            log.warning("an object without name, namespace, uid or generation is passed over")
            return
        await self._look(key, object_)

    def gone(self, namespace: str, name: str) -> None:
        """A Workflow was deleted; `run` sees to it."""
        self._ask((namespace, name))

    async def run(self) -> None:
        """Look again at what has to be looked at again, until cancelled."""
        places = asyncio.Semaphore(AT_ONCE)

        async def look(key: Key, tries: int) -> None:
            async with places:
                await self._look(key, None, tries)

        async with asyncio.TaskGroup() as group:
            while True:
                now = time.monotonic()
                for key in [key for key, again in self._again.items() if again.due <= now]:
                    group.create_task(look(key, self._again.pop(key).tries))
                self._asked.clear()
                due = min((again.due for again in self._again.values()), default=None)
                try:
                    async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                        await self._asked.wait()
                except TimeoutError:
                    continue

    # --- what an execution needs ---

    async def get(self, namespace: str, name: str) -> Found:
        """The Workflow of a name as it is now, fit to run. Raises Unusable, Unavailable."""
        try:
            return await self._found((namespace, name))
        except Unreadable as unreadable:
            raise Unusable(
                reasons.WORKFLOW_INVALID, f"Workflow {name}: {unreadable}", (name,)
            ) from unreadable

    async def _found(self, key: Key) -> Found:
        namespace, name = key
        for _ in range(_TRIES):
            version = await self._library.version(namespace, name)
            if not version:
                break
            memo = self._memos.get(key)
            if memo is None or memo.version != version or not await self._is_fresh(key, memo):
                memo = await self._anew(key, memo)
                if memo is None:
                    break
            if not memo.verdict.ready:
                verdict = memo.verdict
                raise Unusable(
                    verdict.reason, f"Workflow {name}: {verdict.message}", (name, *verdict.missing)
                )
            kept = self._library.kept(namespace, name, memo.version) or await self._library.find(
                namespace, name
            )
            if kept is not None and kept.version == memo.version and kept.spec is not None:
                return Found(kept.spec, kept.generation, kept.digest)
        if key in self._memos:
            self._ask(key)
        raise self._unknown(namespace, name)

    async def definition(self, namespace: str, data: Any) -> WorkflowSpec:
        """The spec in the `definition` of an execution, fit to run. Raises Unusable with all findings, Unavailable."""
        body = {
            "apiVersion": EXECUTIONS.api_version,
            "kind": EXECUTIONS.kind,
            "metadata": {"name": "definition"},
            "spec": {"definition": data},
        }
        shaped = await self._library.aside(_LARGE, read_object, body)
        around = await self._library.surroundings(namespace, "", references_of(data))
        findings = await self._library.examine(shaped, around, _LARGE, more_inputs=True)
        verdict, spec = verdict_of(findings), spec_of(shaped)
        if spec is None or not verdict.ready:
            raise Unusable(verdict.reason, verdict.message, around.versions)
        return spec

    async def bundle(self, namespace: str, spec: WorkflowSpec) -> Bundle:
        """What an execution of a spec is pinned to. Raises Unusable, Unavailable."""
        text, references = await self._library.known_of(spec)
        if not references.inlined:
            return Bundle(spec, digest_of(text), text)
        around = await self._library.surroundings(namespace, "", References(references.inlined))
        if around.missing:
            verdict = verdict_of((), around.missing)
            raise Unusable(verdict.reason, verdict.message, around.versions)
        mark = (namespace, digest_of(text), *sorted(around.versions.items()))
        if (bundle := self._bundles.get(mark)) is not None:
            self._bundles.move_to_end(mark)
            return bundle
        bundle = await self._library.aside(len(text), _bundle, spec, around)
        self._bundles[mark] = bundle
        self._bundled += len(bundle.text)
        while self._bundled > self._limit and len(self._bundles) > 1:
            self._bundled -= len(self._bundles.popitem(last=False)[1].text)
        return bundle

    async def _anew(self, key: Key, outdated: _Memo | None) -> _Memo | None:
        """The verdict on what is there now, which somebody else may have found meanwhile; None if nothing is there."""
        async with self._lock(key):
            memo = self._memos.get(key)
            if memo is not None and memo is not outdated:
                return memo
            found = await self._library.fetch(*key)
            return await self._judged(key, *found) if found is not None else None

    async def _is_fresh(self, key: Key, memo: _Memo) -> bool:
        """Whether what it runs inline is still what the verdict was about."""
        versions = await asyncio.gather(*(self._library.version(key[0], name) for name in memo.inlined))
        return all(memo.names[name] == version for name, version in zip(memo.inlined, versions, strict=True))

    def _unknown(self, namespace: str, name: str) -> Unusable:
        near = nearest_name(name, [other for place, other in self._memos if place == namespace])
        hint = f"did you mean {near}?" if near and near != name else "expected one of that name"
        message = f"there is no Workflow {name!r} in namespace {namespace}; {hint}"
        return Unusable(reasons.WORKFLOW_NOT_FOUND, message, (name,))

    # --- one Workflow ---

    async def _look(self, key: Key, body: Json | None, tries: int = 0) -> None:
        """Judge a Workflow and say so, if that is called for; without a body it is fetched, and judged anew. Never raises."""
        try:
            async with self._lock(key):
                await self._settle(key, body)
        except NotLeader:
            log.info("the status of a workflow is left to who leads now", workflow=key)
        except Unreadable as unreadable:
            log.warning("a workflow is passed over", workflow=key, reason=str(unreadable))
        except FairleadError as error:
            log.warning("a workflow is looked at again later", workflow=key, reason=str(error))
            self._ask(key, tries + 1)
        except Exception:
            log.exception("a workflow could not be looked at", workflow=key)
            self._ask(key, tries + 1)

    async def _settle(self, key: Key, body: Json | None) -> None:
        for _ in range(_TRIES):
            memo, size = self._memos.get(key), 0
            if body is not None and (memo is None or _generation(body) >= memo.generation):
                if memo is None or memo.version != _version(body):
                    memo = await self._judged(key, body, _size(body))
            else:
                found = await self._library.fetch(*key)
                if found is None:
                    self._forget(key)
                    return
                body, size = found
                memo = await self._judged(key, body, size)
            try:
                await self._say(key, body, memo)
                return
            except (Conflict, NotFound):
                body = None
        raise Conflict(f"the Workflow {key[0]}/{key[1]} changed {_TRIES} times under our hands")

    async def _judged(self, key: Key, body: Json, size: int) -> _Memo:
        """The verdict on an object among those that it names, from now on known."""
        names: Surroundings | None = None
        try:
            shaped, kept = await self._library.read(body, size)
            names = await self._library.surroundings(key[0], key[1], kept.references)
            verdict = await self._verdict(shaped, kept, names, size)
        except FairleadError:
            raise
        except Exception as error:  # one object with which we cannot cope is told so, and stops nobody
            log.exception("a workflow could not be judged", workflow=key)
            message = (
                f"Fairlead made a mistake when it looked at the workflow ({type(error).__name__}: {error})"
            )
            verdict = verdict_of([Finding("error", "Bug", message, "")])
        memo = _Memo(_version(body), _generation(body), verdict)
        if names is not None:
            memo.names = names.versions
            memo.inlined = (*names.inlined, *names.missing)
        self._remember(key, memo)
        return memo

    async def _verdict(self, shaped: Shaped, kept: Kept, names: Surroundings, size: int) -> Verdict:
        findings = await self._library.examine(shaped, names, size)
        return verdict_of(findings, names.missing, kept.digest)

    async def _say(self, key: Key, body: Json, memo: _Memo) -> None:
        """Write the status, unless it says so already. Raises Conflict, NotFound, NotLeader, Unavailable."""
        about, before = body["metadata"], body.get("status")
        wanted = status_of(memo.verdict, memo.generation, before, time.time_ns() // 1000)
        if says_already(before, wanted) or about["resourceVersion"] == memo.written:
            return
        self._fence.epoch()
        patch = {"metadata": {"resourceVersion": about["resourceVersion"]}, "status": wanted}
        reply = await self._client.patch(WORKFLOWS, *key, patch, subresource="status", seconds=PATIENCE)
        memo.written = reply.resource_version

    # --- who names whom ---

    def _remember(self, key: Key, memo: _Memo) -> None:
        before = self._memos.get(key)
        self._unlink(key, before)
        self._memos[key] = memo
        for name in memo.names:
            self._named_by.setdefault((key[0], name), set()).add(key)
        if before is not None and (before.version, before.verdict) == (memo.version, memo.verdict):
            memo.written = before.written
        if memo.differs(before):
            self._tell(key, memo.version)

    def _forget(self, key: Key) -> None:
        memo = self._memos.pop(key, None)
        self._unlink(key, memo)
        self._tell(key, "")

    def _unlink(self, key: Key, memo: _Memo | None) -> None:
        for name in memo.names if memo is not None else ():
            there = self._named_by.get((key[0], name), set())
            there.discard(key)
            if not there:
                self._named_by.pop((key[0], name), None)

    def _tell(self, key: Key, version: str) -> None:
        """A Workflow is another one now: whoever names an older version is looked at, and whoever waits is told."""
        for other in self._named_by.get(key, ()):
            if self._memos[other].names[key[1]] != version:
                self._ask(other)
        try:
            self._changed(*key)
        except Exception:
            log.exception("a change of a workflow could not be told", workflow=key)

    def _ask(self, key: Key, tries: int = 0) -> None:
        pause = min(LONGEST_PAUSE, self._first_pause * 2 ** (tries - 1)) if tries else 0.0
        due = time.monotonic() + pause
        before = self._again.get(key)
        if before is None or due < before.due:
            self._again[key] = _Again(due, tries)
            self._asked.set()

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def _bundle(spec: WorkflowSpec, around: Surroundings) -> Bundle:
    """A spec with what it runs inline. Raises Unusable."""
    findings = [around.wrong] if around.wrong is not None else []
    findings += examine_inlines(spec, around.known(), around.specs)
    verdict = verdict_of(findings)
    if not verdict.ready:
        raise Unusable(verdict.reason, verdict.message, around.versions)
    definition = definition_of(spec, around.specs)
    text = canonical_json(definition)
    return Bundle(definition, digest_of(text), text)


def _key_of(body: Json) -> Key | None:
    """Where an object is, if it says so."""
    about = body.get("metadata")
    if not isinstance(about, dict) or not isinstance(about.get("generation"), int):
        return None
    if not all(
        about.get(name) and isinstance(about[name], str)
        for name in ("namespace", "name", "uid", "resourceVersion")
    ):
        return None
    return about["namespace"], about["name"]


def _version(body: Json) -> str:
    return version_of(body["metadata"]["uid"], body["metadata"]["generation"])


def _generation(body: Json) -> int:
    generation: int = body["metadata"]["generation"]
    return generation


def _size(body: Json) -> int:
    """About how many bytes an object has."""
    try:
        return len(msgspec.json.encode(body.get("spec")))
    except (TypeError, ValueError, RecursionError):
        return _LARGE
