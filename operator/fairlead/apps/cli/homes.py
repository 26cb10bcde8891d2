"""Where executions are: what commands need to know of a home, and which one is meant.

    store_home   the local store
    cluster      a Kubernetes cluster

Rules of this file
- Commands ask a Home and never know which one it is. What a home adds of its own (who runs it, where it is) it says itself.
- The state is the fold of the log in both homes; a list shows what was published last.
- A home reads, and records what people wish for. It never appends to a log and never owns an execution.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self, TypedDict

from fairlead.apps.cli.contexts import context_is_set
from fairlead.apps.cli.options import Where
from fairlead.model.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairlead.apps.cli.printed import Line
    from fairlead.apps.views.attempts import AttemptRow
    from fairlead.apps.views.executions import Row
    from fairlead.engine.graph import Graph
    from fairlead.model.children import Parent
    from fairlead.model.events import Event
    from fairlead.model.state import State

Json = dict[str, Any]
Fact = tuple[str, str]
Wished = Literal["suspend", "resume", "cancel", "redrive"]


class Changes(TypedDict, total=False):
    """What a wish says besides its name (durations in microseconds)."""

    suspend_timeout: int | None
    cancel_reason: str
    force: bool


class Known(NamedTuple):
    """An execution that was found by its name, with its phase as far as it is known without the log."""

    name: str
    uid: str
    phase: str


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution as a reader has it: the object without its status, and the fold of its log.

    `graph` is there as soon as its definition is pinned; `published` is the status before the run has a state of its own, and
    `observed` the generation of the spec that the state has taken up.
    """

    known: Known
    workflow: str
    parent: Parent | None
    object: Json
    published: Json
    observed: int
    graph: Graph | None
    state: State


class Recorded(NamedTuple):
    """What stands beside a log: what it is called, and what is there to compare as (what, by the log, as recorded)."""

    what: str
    pairs: list[tuple[str, Any, Any]]


class Home(AbstractContextManager["Home"], Protocol):
    """Where executions are. All raise NotFound with the nearest name for an unknown one, LogDamaged, and Unavailable."""

    option: str
    """How the commands that are named in hints say that they look here too, with a blank before it."""
    place: str
    """Where that is: `in the store`, `in the cluster`."""
    pause: float
    """Seconds between two looks for something new."""

    def __enter__(self) -> Self: ...

    # --- what there is ---

    def rows(self, *, everywhere: bool = False) -> Sequence[Row]:
        """All executions, the newest last; `everywhere`: of all namespaces."""

    def objects(self, rows: Sequence[Row]) -> list[Json]:
        """Their WorkflowExecution objects, with the status that was published last."""

    def owners(self, rows: Sequence[Row]) -> Mapping[str, int | None] | None:
        """The processes that run them, by uid; None where executions have no process of their own."""

    def nothing(self) -> str:
        """Why a list is empty."""

    # --- one execution ---

    def find(self, name: str) -> Known:
        """The execution of a name."""

    def load(self, name: str) -> Execution:
        """An execution with its graph and state."""

    def graph(self, known: Known) -> Graph | None:
        """Its definition, compiled; None while there is none."""

    def facts(self, found: Execution) -> list[Fact]:
        """What only this home knows of it, for a person."""

    def more_facts(self, found: Execution) -> list[Fact]:
        """The same for one who wants to know more."""

    def why_it_rests(self, known: Known) -> str:
        """Why nobody is at work on one that has begun and not ended, as the rest of a sentence; empty if somebody may be."""

    def go_on(self, known: Known) -> str:
        """The command that takes up what is wished for, where nobody does by himself; else empty."""

    def children_by_phase(self, found: Execution) -> dict[str, int]:
        """How many executions its nodes have started, by phase."""

    # --- its log ---

    def events(self, known: Known, after: int = 0, *, up_to: int | None = None) -> list[Event]:
        """The events after a sequence number; with `up_to`, values of more bytes stay references."""

    def version(self, known: Known) -> object:
        """Something that changes when the log does: the cheapest question to poll with."""

    def last_seq(self, known: Known) -> int:
        """The number of the last event, as far as it is known without reading them."""

    def verify(self, known: Known) -> None:
        """Raise LogDamaged for what reading the events would not find."""

    def checkpoint(self, known: Known) -> State | None:
        """The newest checkpoint."""

    def recorded(self, known: Known, state: State) -> Recorded:
        """What was recorded beside the log of an execution whose fold is `state`."""

    # --- what it prints ---

    def printed(self, known: Known, rows: Sequence[AttemptRow]) -> list[list[Line]]:
        """What each of some attempts printed."""

    def tail(self, uid: str, node: str, attempt: int, delivery: int) -> list[str]:
        """The last lines of an attempt, where they are at hand."""

    # --- wishes ---

    def wish(self, known: Known, what: Wished, changes: Changes) -> str:
        """Record what is wished for; who takes it up, as the rest of a sentence."""

    def delete(self, known: Known) -> str:
        """Remove it with its log; what became of it, as the rest of a sentence. Raises InvalidInput if it has not ended."""


def means_cluster(where: Where) -> bool:
    """Whether a cluster is meant: it is named, or a kube context is set and the store is not named. Raises InvalidInput."""
    if where.names_store and where.names_cluster:
        named = "--store" if where.store is not None else "--local"
        raise InvalidInput(
            f"{named} looks in the local store, and --namespace, --context and --kubeconfig in a cluster; expected one of both"
        )
    return where.names_cluster or (not where.names_store and context_is_set(os.environ))


def home_at(where: Where) -> Home:
    """The home that is meant. Raises InvalidInput."""
    if means_cluster(where):
        from fairlead.apps.cli.cluster import ClusterHome

        return ClusterHome(where)
    from fairlead.apps.cli.store_home import StoreHome

    return StoreHome(where.store)
