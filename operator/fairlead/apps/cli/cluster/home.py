"""The executions of a cluster as commands see them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from fairlead.apps.cli.cluster.objects import ExecutionObject
from fairlead.apps.cli.cluster.pod_logs import PodLogs
from fairlead.apps.cli.cluster.reaching import OnlyReads, Reach, without_crds
from fairlead.apps.cli.homes import Changes, Execution, Fact, Json, Known, Recorded, Wished
from fairlead.apps.cli.options import Where
from fairlead.kube.blobs import KubernetesBlobs, PinnedDefinitions
from fairlead.kube.checkpoints import KubernetesCheckpoints
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, Expired, Forbidden
from fairlead.kube.client.replies import metadata_of, partial_list_decoder
from fairlead.kube.log import KubernetesLog, head_name
from fairlead.kube.log.reading import look
from fairlead.kube.places import Places
from fairlead.model import shown
from fairlead.model.errors import Conflict, InvalidInput, LogDamaged, NotFound
from fairlead.model.state import ENDED_RUN, PENDING, State
from fairlead.model.times import format_duration, format_time
from fairlead.model.wording import nearest_name
from fairlead.runtime.journal import Journal

if TYPE_CHECKING:
    from types import TracebackType

    from fairlead.apps.cli.printed import Line
    from fairlead.apps.views.attempts import AttemptRow
    from fairlead.engine.graph import Graph
    from fairlead.model.events import Event

PAGE = 500
"""Objects that a list gets at a time."""
_TRIES = 5


class ClusterHome:
    """The executions of a namespace, or of all. Raises Unavailable and InvalidInput for a kubeconfig that cannot be used."""

    place = "in the cluster"
    pause = 0.5

    def __init__(self, where: Where) -> None:
        self.reach = Reach(where)
        self.namespace = self.reach.namespace
        self.option = _option(where)
        client, fence = self.reach.client, OnlyReads()
        self._places = Places()
        self._log = KubernetesLog(client, self._places, fence)
        self._checkpoints = KubernetesCheckpoints(client, self._places, fence)
        self._blobs = KubernetesBlobs(client, self._places, fence)
        self._definitions = PinnedDefinitions(client, self._places, fence)
        self._pod_logs = PodLogs(client)
        self._journals: dict[str, Journal] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reach.close()

    # --- what there is ---

    def rows(self, *, everywhere: bool = False) -> Sequence[ExecutionObject]:
        """All executions, by their objects alone."""
        found = self.reach.run(self._list(None if everywhere else self.namespace))
        return sorted(found, key=lambda one: (one.created_at, one.namespace, one.name))

    async def _list(self, namespace: str | None) -> list[ExecutionObject]:
        found: list[Json] = []
        place = ""
        while True:
            params = {"limit": str(PAGE)} | ({"continue": place} if place else {})
            try:
                page = msgspec.json.decode(await self.reach.client.get(EXECUTIONS, namespace, params=params))
            except Expired:  # it took too long between two pages
                found, place = [], ""
                continue
            except NotFound as error:
                raise without_crds(error) from error
            found += page["items"]
            place = page["metadata"].get("continue", "")
            if not place:
                kind = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind}  # lists leave them out
                return [ExecutionObject({**kind, **one}) for one in found]

    def objects(self, rows: Sequence[Any]) -> list[Json]:
        """As the API server has them."""
        return [{**row.without_status(), "status": row.published()} for row in rows]

    def owners(self, rows: Sequence[Any]) -> Mapping[str, int | None] | None:
        """The operator runs all of them."""
        return None

    def nothing(self) -> str:
        """Why a list is empty."""
        return f"there are none in namespace {self.namespace} of {self.reach.server}"

    # --- one execution ---

    def find(self, name: str) -> Known:
        """The execution of a name, its phase as it was published."""
        return _known(self.there(name))

    def there(self, name: str) -> ExecutionObject:
        """The object of a name. Raises NotFound with the nearest name."""
        found = self.reach.run(self._get(name))
        self._places.tell(found.uid, found.place)
        return found

    async def _get(self, name: str) -> ExecutionObject:
        try:
            body = await self.reach.client.get(EXECUTIONS, self.namespace, name)
        except NotFound as missing:
            raise await self._not_found(name) from missing
        return ExecutionObject(msgspec.json.decode(body))

    async def _not_found(self, name: str) -> Exception:
        said = f"no execution is named {name} in namespace {self.namespace}"
        try:
            body = await self.reach.client.get(EXECUTIONS, self.namespace, partial=True)
        except NotFound as missing:
            return without_crds(missing)
        except Forbidden:
            return NotFound(f"{said}; see `fairlead list{self.option}`")
        near = nearest_name(name, [one.name for one in partial_list_decoder.decode(body).found])
        return NotFound(
            f"{said}; did you mean {near}?" if near else f"{said}; see `fairlead list{self.option}`"
        )

    def load(self, name: str) -> Execution:
        """An execution with its graph and state; one without a log yet has neither."""
        there = self.there(name)
        known = _known(there)
        state = self.reach.run(self._journal(known).load())
        return Execution(
            known=known,
            workflow=there.workflow,
            parent=there.parent_of,
            object=there.without_status(),
            published=there.published(),
            observed=there.observed,
            graph=self._graph(known, state),
            state=state,
        )

    def graph(self, known: Known) -> Graph | None:
        """The pinned definition, compiled."""
        return self._graph(known, self.reach.run(self._journal(known).load()))

    def _graph(self, known: Known, state: State) -> Graph | None:
        from fairlead.engine.graph import compile_workflow
        from fairlead.model.manifests import Definition, parse_spec

        if not state.digest:
            return None
        try:
            form = self.reach.run(self._definitions.definition(known.uid, state.digest))
        except NotFound as missing:
            raise LogDamaged(
                f"the definition {state.digest} that {known.name} is pinned to is not there: somebody deleted it ({missing})"
            ) from missing
        return compile_workflow(parse_spec(Definition, msgspec.json.decode(form)), state.workflow)

    def facts(self, found: Execution) -> list[Fact]:
        """Which operator runs it."""
        told = []
        if found.state.phase and not found.state.ended:
            place = self._places.of(found.known.uid)
            stored = self.reach.run(look(self.reach.client, found.known.uid, place))
            told.append(("Run by", f"the operator {stored.head.writer}" if stored else "nobody"))
        if why := stuck(found):
            told.append(("Stalled", why))
        told += [(kind, f"no, {said}") for kind in SHOWN_IF_FALSE if (said := _said(found, kind, "False"))]
        going = found.object["metadata"].get("deletionTimestamp")
        return [*told, ("Deleted", f"at {going}, and let go of by the operator soon")] if going else told

    def more_facts(self, found: Execution) -> list[Fact]:
        """Where it is."""
        place = self._places.of(found.known.uid)
        return [("Namespace", place.namespace), ("Head of log", head_name(place))]

    def why_it_rests(self, known: Known) -> str:
        """Not known here: whether an operator is at work stands in its own Lease."""
        return ""

    def go_on(self, known: Known) -> str:
        """The operator takes it up."""
        return ""

    def children_by_phase(self, found: Execution) -> dict[str, int]:
        """How many executions its nodes have started, by phase; the objects are asked only where there may be some."""
        if found.graph is None or not starts_executions(found.graph):
            return {}
        phases: dict[str, int] = {}
        for row in self.rows():
            parent = row.parent_of
            if parent is not None and parent.uid == found.known.uid:
                phases[row.phase] = phases.get(row.phase, 0) + 1
        return dict(sorted(phases.items()))

    # --- its log ---

    def _journal(self, known: Known) -> Journal:
        if known.uid not in self._journals:
            self._journals[known.uid] = Journal(known.uid, self._log, self._checkpoints, self._blobs)
        return self._journals[known.uid]

    def events(self, known: Known, after: int = 0, *, up_to: int | None = None) -> list[Event]:
        """The events after a sequence number, each checked against the hash of what precedes."""
        return self.reach.run(self._journal(known).read(after, up_to=up_to))

    def version(self, known: Known) -> object:
        """The version of the head of the log, or of the object while there is no log."""
        return self.reach.run(self._version(known))

    async def _version(self, known: Known) -> str:
        place = self._places.of(known.uid)
        try:
            head = await self.reach.client.get(CONFIG_MAPS, place.namespace, head_name(place), partial=True)
            return metadata_of(head).resource_version
        except NotFound:
            there = await self._get(known.name)
            self._places.tell(known.uid, there.place if there.uid == known.uid else place)
            return str(there.metadata.get("resourceVersion"))

    def last_seq(self, known: Known) -> int:
        """What the status says."""
        return self.there(known.name).last_seq

    def verify(self, known: Known) -> None:
        """Reading the events checks all of them."""

    def checkpoint(self, known: Known) -> State | None:
        """The newest checkpoint."""
        return self.reach.run(self._journal(known).checkpoint())

    def recorded(self, known: Known, state: State) -> Recorded:
        """Phase and times of the status; one that is older than the log, as it may be for a moment, is not compared."""
        there = self.there(known.name)
        status = there.status
        if there.last_seq < state.seq:
            return Recorded("", [])
        times = [format_time(at) if at else None for at in (state.started_at, state.finished_at)]
        pinned = status.get("workflow")
        digest = pinned.get("digest") if isinstance(pinned, dict) else None
        return Recorded(
            "the recorded phase and times",
            [
                ("the last event", state.seq, there.last_seq),
                ("the phase", state.phase or PENDING, there.phase),
                ("the start", times[0], status.get("startedAt")),
                ("the end", times[1], status.get("finishedAt")),
                ("the definition's digest", state.digest or None, digest),
            ],
        )

    # --- what it prints ---

    def printed(self, known: Known, rows: Sequence[AttemptRow]) -> list[list[Line]]:
        """What the pods of some attempts printed."""
        from fairlead.model.ids import delivery_id

        keys = [delivery_id(known.uid, row.node, row.attempt, row.delivery) for row in rows]
        return self.reach.run(self._pod_logs.of(self._places.of(known.uid), keys))

    def tail(self, uid: str, node: str, attempt: int, delivery: int) -> list[str]:
        """Nothing: a request for each failure would hold the picture up; `fairlead logs` has it."""
        return []

    # --- wishes ---

    def wish(self, known: Known, what: Wished, changes: Changes) -> str:
        """Patch the spec; the API server judges by the person's own rights."""
        if what == "redrive":
            self._redrive(known)
        else:
            self._patch(known, _spec_patch(what, changes))
        if what == "resume" and self.there(known.name).wanted.held:
            return "its parent is suspended, and it goes on when that is resumed"
        return f"{what} asked for; the operator takes it up"

    def _redrive(self, known: Known) -> None:
        """One more than was ever asked for: the log remembers what was taken out of the spec again."""
        for tried in range(_TRIES):
            there = self.there(known.name)
            asked = there.spec.get("redrive")
            seen = self.reach.run(self._journal(known).load()).redrive
            redrive = max(asked if isinstance(asked, int) else 0, seen) + 1
            try:
                self._patch(known, {"redrive": redrive}, str(there.metadata["resourceVersion"]))
                return
            except Conflict:  # somebody patched it meanwhile, or it is another of its name
                if tried == _TRIES - 1 or self.there(known.name).uid != known.uid:
                    raise

    def _patch(self, known: Known, spec: Json, version: str | None = None) -> None:
        metadata = {"uid": known.uid} | ({"resourceVersion": version} if version else {})
        body = {"metadata": metadata, "spec": spec}
        self.reach.run(self.reach.client.patch(EXECUTIONS, self.namespace, known.name, body))

    def delete(self, known: Known) -> str:
        """Delete the object; the operator lets go of it, and the rest goes with it."""
        if known.phase not in (*ENDED_RUN, PENDING):
            raise InvalidInput(
                f"execution {known.name} is {known.phase}; expected one that has ended, cancel it first",
                "NotEnded",
            )
        client = self.reach.client
        self.reach.run(client.delete(EXECUTIONS, self.namespace, known.name, uid=known.uid))
        try:
            left = metadata_of(
                self.reach.run(client.get(EXECUTIONS, self.namespace, known.name, partial=True))
            )
        except NotFound:
            return "is deleted"
        return "is being deleted: the operator lets go of it first" if left.uid == known.uid else "is deleted"


SHOWN_IF_FALSE = (shown.PERMITTED, shown.PROTECTED)
"""Conditions about the operator and the cluster: they are there only while something is wrong."""


def stuck(found: Execution) -> str:
    """Why the operator has stopped moving a run that has begun and not ended; empty if it has not."""
    if not found.state.phase or found.state.ended:
        return ""
    return _said(found, shown.STALLED, "True")


def _said(found: Execution, kind: str, status: str) -> str:
    """Why a condition has a status; empty if it has not."""
    for condition in found.published.get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == status:
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""


def _known(there: ExecutionObject) -> Known:
    return Known(there.name, there.uid, there.phase)


def _option(where: Where) -> str:
    """The options that name the same cluster and namespace again."""
    given = (("-n", where.namespace), ("--context", where.context), ("--kubeconfig", where.kubeconfig))
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given if value is not None)


def _spec_patch(what: Wished, changes: Changes) -> Json:
    """The merge patch of the spec that says what is wished for."""
    if what == "cancel":
        reason, force = changes.get("cancel_reason"), changes.get("force")
        return {"cancel": ({"reason": reason} if reason else {}) | ({"force": True} if force else {})}
    limit = changes.get("suspend_timeout")
    return {"suspend": what == "suspend", "suspendTimeout": None if limit is None else format_duration(limit)}


def starts_executions(graph: Graph) -> bool:
    """Whether a node of it, in whatever body, starts executions; of bodies that have ended the state knows nothing any more."""
    bodies = (graph.root, graph.finally_, *graph.bodies.values())
    nodes = (node for body in bodies for node in (*body.nodes.values(), *body.fallbacks.values()))
    return any(node.kind == "workflow" and not node.spec.inlined for node in nodes)
