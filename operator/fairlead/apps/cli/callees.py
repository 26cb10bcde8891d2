"""The workflows that an execution may start: what its definition names, what these name, and so on.

Rules of this file
- A name is looked for in the text, then in the files beside it, as everything that a manifest refers to.
- One that is missing, has errors or uses what this release does not run refuses the text: nothing is started.
- Where a name is a template, all workflows at hand are taken along; one that cannot run only fails the node that calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fairlead.apps.cli.failures import Refused
from fairlead.engine.validation import Report, unsupported, unsupported_inline, validate_documents
from fairlead.model.documents import Document
from fairlead.model.findings import Finding
from fairlead.model.manifests import Definition, Manifest, Workflow, WorkflowSpec, definition_of
from fairlead.model.shape_limits import nodes_of

Place = tuple[Workflow, Path | None]
"""A workflow, and the file beside that it stands in; None for the text itself."""


def workflows_of(
    spec: WorkflowSpec, report: Report, beside: Callable[[], list[tuple[Manifest, Path]]]
) -> tuple[dict[str, WorkflowSpec | str], list[Finding]]:
    """What a workflow may start, by name, and the warnings about it. Raises Refused. `beside` looks into the folder."""
    search = _Search(report, beside)
    search.follow(spec, "")
    return search.found, search.warnings


def calls(spec: WorkflowSpec) -> Iterator[str]:
    """The names of the workflows that nodes start, as they are written, also those of inlined workflows."""
    inlined = spec.workflows.values() if isinstance(spec, Definition) else ()
    for each in (spec, *inlined):
        for _, node in nodes_of(each):
            if node.workflow is not None and not node.inlined:
                yield node.workflow.name


class _Search:
    def __init__(self, report: Report, beside: Callable[[], list[tuple[Manifest, Path]]]) -> None:
        self.found: dict[str, WorkflowSpec | str] = {}
        self.warnings: list[Finding] = []
        self._beside = beside
        self._reports: dict[Path, Report] = {}
        self._places: dict[str, Place] = {}
        for manifest in report.documents:
            if isinstance(manifest, Workflow) and manifest.metadata.name:
                self._places.setdefault(manifest.metadata.name, (manifest, None))
        self._looked = False

    def follow(self, spec: WorkflowSpec, caller: str) -> None:
        """Take what a workflow calls, and what that calls."""
        todo = [(caller, name) for name in calls(spec)]
        while todo:
            by, name = todo.pop()
            if "${" in name:
                self._take_all()
            elif name not in self.found or isinstance(self.found[name], str):
                found = self.found[name] = self._taken(name, by)
                todo += [(name, other) for other in calls(found)]

    def _taken(self, name: str, caller: str) -> WorkflowSpec:
        """A workflow that is called by its name. Raises Refused."""
        place = self._place(name)
        if place is None:
            who = f"workflow {caller} calls" if caller else "the text calls"
            raise Refused(
                (), f"{who} workflow {name}, which is neither in the text nor beside it; nothing was started"
            )
        spec, wrong = self._whole(place)
        if wrong:
            where = f" in {place[1]}" if place[1] is not None else ""
            raise Refused(wrong, f"workflow {name}{where}, which is called, cannot run; nothing was started")
        return spec

    def _take_all(self) -> None:
        """A name is not known before it is needed: whatever is at hand may be meant."""
        self._look_beside()
        for name, place in self._places.items():
            if name in self.found:
                continue
            spec, wrong = self._whole(place)
            self.found[name] = f"{wrong[0].reason}: {wrong[0].message}" if wrong else spec
            for other in [] if wrong else calls(spec):
                if "${" not in other and self._place(other) is None:
                    self.found[name] = (
                        f"it calls workflow {other}, which is neither in the text nor beside it"
                    )

    def _place(self, name: str) -> Place | None:
        if name not in self._places:
            self._look_beside()
        return self._places.get(name)

    def _look_beside(self) -> None:
        if self._looked:
            return
        self._looked = True
        for manifest, path in self._beside():
            if isinstance(manifest, Workflow) and manifest.metadata.name:
                self._places.setdefault(manifest.metadata.name, (manifest, path))

    def _whole(self, place: Place) -> tuple[WorkflowSpec, list[Finding]]:
        """A workflow with those that it inlines, and what keeps it from running."""
        workflow, document, wrong = self._examined(*place)
        if wrong:
            return workflow.spec, wrong
        not_yet = [*unsupported(workflow, document)]
        needed: dict[str, WorkflowSpec] = {}
        todo = [workflow.spec]
        for spec in todo:
            for _, node in nodes_of(spec):
                inlined = self._place(node.inlined) if node.inlined not in ("", *needed) else None
                if inlined is not None:
                    other, _, wrong = self._examined(*inlined)
                    needed[node.inlined] = other.spec
                    not_yet += [*wrong, *unsupported_inline(node.inlined, other.spec)]
                    todo.append(other.spec)
        return definition_of(workflow.spec, needed) if needed else workflow.spec, not_yet

    def _examined(
        self, workflow: Workflow, path: Path | None
    ) -> tuple[Workflow, Document | None, list[Finding]]:
        """A workflow, looked at as closely as the text itself, with its source and its errors."""
        if path is None:
            return workflow, None, []
        report = self._reports.get(path)
        if report is None:
            siblings = [manifest for manifest, _ in self._beside()]
            report = self._reports[path] = validate_documents(path.read_bytes(), str(path), siblings=siblings)
            self.warnings += [
                x for x in report.findings if x.severity == "warning" and x.reason != "ForeignDocument"
            ]
        for manifest, document in zip(report.documents, report.sources, strict=True):
            if isinstance(manifest, Workflow) and manifest.metadata.name == workflow.metadata.name:
                return manifest, document, []
        return workflow, None, [finding for finding in report.findings if finding.severity == "error"]
