"""Compiled definitions, by digest: the executions of one Workflow are many and have one."""

from __future__ import annotations

import json
from collections import OrderedDict

from pydantic import ValidationError

from fairlead.engine.graph import Graph, compile_workflow
from fairlead.kube.blobs import PinnedDefinitions
from fairlead.kube.log.forms import newer
from fairlead.model.documents import path_text
from fairlead.model.errors import LogDamaged, NotFound
from fairlead.model.manifests import Definition, WorkflowSpec, parse_spec
from fairlead.model.wording import problems_of

KEPT = 128
FEW = 5
"""Problems of a definition that are named."""


class GraphShelf:
    """The graphs that are used; the ones used longest ago go first."""

    def __init__(self, definitions: PinnedDefinitions) -> None:
        self._definitions = definitions
        self._graphs: OrderedDict[tuple[str, str], Graph] = OrderedDict()

    async def graph(self, uid: str, digest: str, workflow: str) -> Graph:
        """The definition that an execution is pinned to.

        Raises LogDamaged if it is gone or changed, NewerRelease for one that we cannot read, Unavailable.
        """
        found = self._graphs.get((digest, workflow))
        if found is not None:
            self._graphs.move_to_end((digest, workflow))
            return found
        try:
            text = await self._definitions.definition(uid, digest)
        except NotFound as missing:
            raise LogDamaged(f"the pinned definition of {uid} is not there: {missing}", 1) from missing
        try:
            return self.put(digest, workflow, parse_spec(Definition, json.loads(text)))
        except ValidationError as wrong:  # it is as it was pinned, and whoever pinned it could run it
            problems = problems_of(wrong, Definition)[:FEW]
            said = "; ".join(f"{path_text(one.path)}: {one.message}" for one in problems)
            raise newer(f"the pinned definition of {uid} cannot be read ({said})", 1) from wrong

    def put(self, digest: str, workflow: str, definition: WorkflowSpec) -> Graph:
        """Compile a definition, or give the graph of an equal one."""
        key = (digest, workflow)
        if key not in self._graphs:
            self._graphs[key] = compile_workflow(definition, workflow)
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        return self._graphs[key]
