"""The executions that nodes start, on Kubernetes: the Children port, and the Registry of one namespace that it works with.

Rules of this file
- A child is in the namespace of its parent. What is asked of it is asked live; nothing is concluded from a watch or a status.
- The name makes it one: a create that has no answer, or meets what is there already, is settled by looking.
- The fence is asked immediately before every write, and the API server checks the epoch once more (protocol.md 3).
- What an admission or a quota refuses fails the node that asked, with what was said; what may be over in a moment is Unavailable.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.callees import Callees
from fairlead.kube.client import (
    EXECUTIONS,
    AlreadyExists,
    Ambiguous,
    Client,
    Expired,
    Forbidden,
    Invalid,
    Metadata,
    NamespaceTerminating,
)
from fairlead.kube.client.replies import metadata_of, partial_list_decoder
from fairlead.kube.fence import Fence
from fairlead.kube.kinship import child_of, merged, parent_of, wanted_of, wanted_text
from fairlead.kube.log import ExecutionGone
from fairlead.kube.places import Places
from fairlead.kube.pods.refusals import may_pass, said_of
from fairlead.model import reasons
from fairlead.model.commands import Wish
from fairlead.model.effects import StartChild, SteerChild
from fairlead.model.errors import Conflict, LogDamaged, NotFound, Unavailable
from fairlead.model.manifests import WorkflowSpec
from fairlead.model.state import State
from fairlead.runtime.children import Child, Refused, RegistryChildren, Report, demand_room
from fairlead.runtime.journal import Journal

Host = Callable[[str, Child], None]
"""Has a child of a namespace at work, or tells it what is wished for if it is."""
JournalOf = Callable[[Child, str], Journal]
"""What is kept of an execution of a namespace; its place is told to whoever needs it."""
ROOTS = 10_000
"""Trees whose size is remembered."""
_TRIES = 8
_PAGE = 500


class KubernetesChildren:
    """The Children port for the executions of `places`."""

    def __init__(
        self, client: Client, places: Places, fence: Fence, journal_of: JournalOf, report: Report, host: Host
    ) -> None:
        self._client = client
        self._places = places
        self._fence = fence
        self._journal_of = journal_of
        self._report = report
        self._host = host
        self._trees = Trees(client)
        self._callees = Callees(client)

    async def start(self, effect: StartChild) -> None:
        """Have a child at work. Raises NotLeader, Unavailable."""
        await self._port(effect.parent.uid).start(effect)

    async def steer(self, effect: SteerChild) -> None:
        """Let a child hold still, go on, or end. Raises NotLeader, Unavailable."""
        await self._port(effect.parent.uid).steer(effect)

    def _port(self, parent: str) -> RegistryChildren:
        namespace = self._places.of(parent).namespace
        registry = KubernetesRegistry(
            self._client, namespace, self._fence, self._journal_of, self._trees, self._callees
        )
        return RegistryChildren(registry, self._report, lambda child: self._host(namespace, child))


class KubernetesRegistry:
    """The executions of one namespace; `trees` and `callees` are shared by those of one process."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        fence: Fence,
        journal_of: JournalOf,
        trees: Trees,
        callees: Callees,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._fence = fence
        self._journal_of = journal_of
        self._trees = trees
        self._callees = callees
        self._born: dict[str, Wish] = {}

    async def find(self, name: str) -> Child | None:
        """The execution of a name. Raises Unavailable."""
        try:
            body = await self._client.get(EXECUTIONS, self._namespace, name, partial=True)
        except NotFound:
            return None
        return _child(metadata_of(body))

    async def workflow(self, uid: str, name: str) -> WorkflowSpec:
        """The workflow that a name means in the namespace. Raises Refused, Unavailable."""
        return await self._callees.workflow(self._namespace, name)

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: Wish
    ) -> Child:
        """Make an execution, or give the one that has its name by now. Raises Refused, NotLeader, Unavailable."""
        root = effect.parent.root
        demand_room(await self._trees.size(self._namespace, root))
        self._trees.changed(root, 1)
        made = False
        try:
            for _ in range(_TRIES):
                body = child_of(effect, self._namespace, inputs, wish, self._fence.epoch())
                try:
                    about = await self._client.create(EXECUTIONS, self._namespace, body)
                    made = True
                    self._born[about.uid] = wish
                    return Child(name=effect.child, uid=about.uid, parent=effect.parent)
                except Ambiguous:
                    made = True  # perhaps: what is there counts, and one more does no harm
                except AlreadyExists:
                    pass
                if (found := await self.find(effect.child)) is not None:
                    return found
        except (Invalid, Forbidden) as error:
            raise _refused(error) from error
        except NotFound as error:
            raise Unavailable(f"the namespace {self._namespace} is gone: {error}") from error
        finally:
            if not made:
                self._trees.changed(root, -1)
        raise Unavailable(
            f"the execution {self._namespace}/{effect.child} came and went {_TRIES} times while it was made"
        )

    async def change_wish(self, child: Child, change: Callable[[Wish], Wish]) -> None:
        """Change what the parent wants, beside what people want in the spec. Raises NotLeader, Unavailable."""
        born = self._born.pop(child.uid, None)
        if born is not None and change(born) == born:
            return
        for _ in range(_TRIES):
            about, wish = await self._look(child)
            text = wanted_text(change(wish))
            if text == wanted_text(wish):
                return
            self._fence.epoch()
            version = {"resourceVersion": about.resource_version}
            try:
                patch = {"metadata": {**version, "annotations": {names.WANTED: text}}}
                await self._client.patch(EXECUTIONS, self._namespace, child.name, patch)
                return
            except (Conflict, Ambiguous, NotFound):
                continue
            except Invalid as error:
                raise Unavailable(f"the execution {child.name} cannot be steered: {error}") from error
        raise Unavailable(
            f"the execution {self._namespace}/{child.name} changed {_TRIES} times under our hands"
        )

    async def state(self, child: Child) -> State:
        """The fold of its log. Raises LogDamaged, also if the execution went with its log meanwhile; Unavailable."""
        try:
            return await self._journal_of(child, self._namespace).load()
        except ExecutionGone as gone:
            raise LogDamaged(str(gone)) from gone

    async def _look(self, child: Child) -> tuple[Metadata, Wish]:
        """A child as it is now, with what is wished for as far as it concerns its parent."""
        try:
            there = _execution.decode(await self._client.get(EXECUTIONS, self._namespace, child.name))
        except NotFound:
            there = None
        if there is None or there.metadata.uid != child.uid:
            raise Unavailable(
                f"the execution {self._namespace}/{child.name} went just now; it is asked for again"
            )
        spoken = Wish(redrive=there.spec.redrive)
        return there.metadata, merged(spoken, wanted_of(there.metadata.annotations))


class Trees:
    """How many executions there are in the trees that grow here: counted once, then remembered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sizes: OrderedDict[str, int] = OrderedDict()

    async def size(self, namespace: str, root: str) -> int:
        """How many a tree has, the first one included. Raises Unavailable."""
        if root not in self._sizes:
            counted = 1 + await self._count(namespace, root)
            self._sizes[root] = max(counted, self._sizes.get(root, 0))  # others may have counted meanwhile
        self._sizes.move_to_end(root)
        while len(self._sizes) > ROOTS:
            self._sizes.popitem(last=False)
        return self._sizes[root]

    def changed(self, root: str, by: int) -> None:
        """A tree has grown, or has not after all."""
        if root in self._sizes:
            self._sizes[root] += by

    async def _count(self, namespace: str, root: str) -> int:
        """The server counts nothing for a selector, so the pages are."""
        count, place = 0, ""
        while True:
            params = {"labelSelector": f"{names.ROOT}={root}", "limit": str(_PAGE)}
            if place:
                params["continue"] = place
            try:
                page = partial_list_decoder.decode(
                    await self._client.get(EXECUTIONS, namespace, params=params, partial=True)
                )
            except Expired as error:
                raise Unavailable(f"the executions of {namespace} could not be counted: {error}") from error
            count, place = count + len(page.found), page.metadata.continue_
            if not place:
                return count


class _Spec(msgspec.Struct, gc=False):
    redrive: int = 0


class _Execution(msgspec.Struct, gc=False):
    metadata: Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


_execution = msgspec.json.Decoder(_Execution)


def _child(about: Metadata) -> Child:
    return Child(name=about.name, uid=about.uid, parent=parent_of(about))


def _refused(error: Invalid | Forbidden) -> Exception:
    """What a refused creation means for the node that asked: a lacking right and a namespace that goes are nobody's fault."""
    if isinstance(error, NamespaceTerminating) or (isinstance(error, Forbidden) and not may_pass(error)):
        return error
    return Refused(reasons.CHILD_REFUSED, f"the execution was not created: {said_of(error)}")
