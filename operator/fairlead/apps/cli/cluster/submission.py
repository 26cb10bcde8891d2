"""FILE to an execution that may be created: validated as before a run, against what is in the namespace.

Rules of this file
- What a manifest refers to is found in the same text, else in the namespace. A folder is never looked at: the cluster cannot.
- What the execution needs of the text itself has to be in the cluster, and be the same, before anything is created: the run is
  pinned to what the cluster has. `--apply` puts it there.
- Two specs are the same if they mean the same: defaults written out or not, 1 or 1.0.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fairlead.apps.cli.cluster.reaching import Reach, without_crds
from fairlead.apps.cli.failures import Refused
from fairlead.apps.cli.sources import Source, label, read_text, refuse
from fairlead.engine.validation import Report, unsupported, validate_documents
from fairlead.kube.client import EXECUTIONS, WORKFLOWS, AlreadyExists, Ambiguous, Resource
from fairlead.kube.statuses import changed
from fairlead.model.errors import InvalidInput, NotFound
from fairlead.model.manifests import (
    Manifest,
    Workflow,
    WorkflowExecution,
    WorkflowGuard,
    WorkflowSpec,
    parse_manifest,
    plain,
)
from fairlead.model.shape_limits import nodes_of

Json = dict[str, Any]
GUARDS = Resource("fairlead.dev/v1alpha1", "WorkflowGuard", "workflowguards")
_KINDS = {Workflow: WORKFLOWS, WorkflowGuard: GUARDS}


@dataclass(frozen=True, slots=True)
class Submission:
    """What a file says to create. `needed` are the manifests of the text that have to be in the cluster, as they are written."""

    source: Source
    body: Json
    namespace: str
    needed: list[tuple[Workflow | WorkflowGuard, Json]]


def read_submission(file: Path, reach: Reach, asked: str | None) -> Submission:
    """What a file says to create, fit to run; `asked` is the namespace of the command line, if it names one.

    Raises InvalidInput with all findings, and what `reach` raises.
    """
    text = read_text(file)
    report = validate_documents(text, label(file), more_inputs=True)
    namespace = _namespace(report, asked, reach.namespace)
    there: list[Manifest] = []
    if any(finding.reason in ("UnknownWorkflow", "UnknownGuard") for finding in report.findings):
        there = manifests_of(reach, namespace)
        report = validate_documents(text, label(file), siblings=there, more_inputs=True)
    if report.errors:
        raise refuse(report.findings)
    if report.runnable is None:
        raise InvalidInput(f"{label(file)} has nothing that runs; expected a Workflow or a WorkflowExecution")
    manifest, document = report.runnable
    not_yet = unsupported(manifest, document)
    if not_yet:
        raise Refused(not_yet, f"{label(file)} uses what this release does not run; nothing was created")
    here = [
        (one, source.data)
        for one, source in zip(report.documents, report.sources, strict=True)
        if isinstance(one, (Workflow, WorkflowGuard))
    ]
    warnings = tuple(report.findings)
    if isinstance(manifest, Workflow):
        name = manifest.metadata.name
        if not name:
            raise InvalidInput(
                f"{label(file)}: the Workflow has no name; expected metadata.name, to refer to it"
            )
        source = Source(name, manifest.spec, warnings)
        body: Json = {"metadata": {}, "spec": {"workflow": {"name": name}}}
    else:
        source = Source(_name_of(manifest), _spec_of(manifest, report, there), warnings, manifest)
        body = copy.deepcopy(document.data)
        body.pop("status", None)
    needed = [(one, data) for one, data in here if one.metadata.name in set(_names(source, here))]
    return Submission(source, body, namespace, needed)


def _namespace(report: Report, asked: str | None, usual: str) -> str:
    """That of the first manifest of ours if it names one, as with kubectl. Raises InvalidInput if another is asked for."""
    for source in report.sources:
        data = source.data if isinstance(source.data, dict) else {}
        metadata = data.get("metadata")
        if data.get("kind") in ("Workflow", "WorkflowExecution") and isinstance(metadata, dict):
            own = metadata.get("namespace")
            if isinstance(own, str) and asked not in (None, own):
                raise InvalidInput(
                    f"the manifest is for namespace {own}, and -n says {asked}; expected one of both"
                )
            return own if isinstance(own, str) else usual
    return usual


def manifests_of(reach: Reach, namespace: str) -> list[Manifest]:
    """The Workflows and guards of a namespace that can be read."""

    async def work() -> list[Manifest]:
        found: list[Manifest] = []
        for resource in (WORKFLOWS, GUARDS):
            body = msgspec.json.decode(await reach.client.get(resource, namespace))
            for one in body["items"] or ():
                kind = {"apiVersion": resource.api_version, "kind": resource.kind}
                parsed = _parsed({**kind, **one})
                if parsed is not None:
                    found.append(parsed)
        return found

    try:
        return reach.run(work())
    except NotFound as missing:
        raise without_crds(missing) from missing


def missing(
    submission: Submission, reach: Reach, namespace: str
) -> list[tuple[Workflow | WorkflowGuard, Json]]:
    """What the cluster does not have, or has in another form."""

    async def work() -> list[tuple[Workflow | WorkflowGuard, Json]]:
        found = []
        for manifest, data in submission.needed:
            there = await _there(reach, manifest, namespace)
            parsed = _parsed(there) if there is not None else None
            if not isinstance(parsed, type(manifest)) or plain(parsed.spec) != plain(manifest.spec):
                found.append((manifest, data))
        return found

    return reach.run(work())


def apply(needed: list[tuple[Workflow | WorkflowGuard, Json]], reach: Reach, namespace: str) -> None:
    """Create manifests, or change those that are there to what is written; nothing but the spec is touched."""

    async def work() -> None:
        for manifest, data in needed:
            resource = _KINDS[type(manifest)]
            there = await _there(reach, manifest, namespace)
            if there is None:
                body = {key: value for key, value in data.items() if key != "status"}
                body["metadata"] = {**data["metadata"], "namespace": namespace}
                await reach.client.create(resource, namespace, body)
            else:
                spec = changed(there["spec"], data["spec"])
                version = there["metadata"]["resourceVersion"]
                patch = {"metadata": {"resourceVersion": version}, "spec": spec}
                await reach.client.patch(resource, namespace, str(manifest.metadata.name), patch)

    reach.run(work())


def create(body: Json, names: list[str], given: Json, reach: Reach, namespace: str) -> str:
    """Create the execution under the first of the names that is free; that name. Raises InvalidInput (NameTaken)."""
    spec = {**body["spec"], **({"inputs": given} if given else {})}
    metadata = {key: value for key, value in body["metadata"].items() if key != "generateName"}
    kind = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind}

    async def work(name: str) -> None:
        wanted = {**kind, "metadata": {**metadata, "name": name, "namespace": namespace}, "spec": spec}
        try:
            await reach.client.create(EXECUTIONS, namespace, wanted)
        except Ambiguous:
            there = msgspec.json.decode(await reach.client.get(EXECUTIONS, namespace, name))
            if there["spec"] != spec:
                raise

    for name in names:
        try:
            reach.run(work(name))
        except AlreadyExists:
            continue
        return name
    raise InvalidInput(
        f"an execution named {names[-1]} exists already in namespace {namespace}; expected another name:"
        " `fairlead submit FILE NAME` gives one",
        "NameTaken",
    )


async def _there(reach: Reach, manifest: Workflow | WorkflowGuard, namespace: str) -> Json | None:
    resource = _KINDS[type(manifest)]
    try:
        found: Json = msgspec.json.decode(
            await reach.client.get(resource, namespace, str(manifest.metadata.name))
        )
    except NotFound:
        return None
    return found


def _parsed(data: Json) -> Manifest | None:
    """A manifest of the cluster; None for one whose shape is wrong, which its own conditions say."""
    metadata = {
        key: value for key, value in data["metadata"].items() if key in ("name", "namespace", "labels")
    }
    try:
        return parse_manifest({**data, "metadata": metadata, "status": None})
    except ValueError:
        return None


def _name_of(execution: WorkflowExecution) -> str:
    return execution.spec.workflow.name if execution.spec.workflow is not None else ""


def _spec_of(execution: WorkflowExecution, report: Report, there: list[Manifest]) -> WorkflowSpec:
    """What an execution runs; validation has found it."""
    if execution.spec.definition is not None:
        return execution.spec.definition
    wanted = _name_of(execution)
    known = [one for one in (*report.documents, *there) if isinstance(one, Workflow)]
    return next(one.spec for one in known if one.metadata.name == wanted)


def _names(source: Source, here: list[tuple[Workflow | WorkflowGuard, Json]]) -> Iterator[str]:
    """The names of what the execution needs of the text: its Workflow, what that starts or inlines and so on, and guards."""
    specs = {one.metadata.name: one.spec for one, _ in here if isinstance(one, Workflow)}
    if source.name in specs:
        yield source.name
    todo, seen = [source.workflow], set()
    for spec in todo:
        for _, node in nodes_of(spec):
            yield from node.guards
            called = node.workflow.name if node.workflow is not None else ""
            if called in specs and called not in seen:
                seen.add(called)
                todo.append(specs[called])
                yield called
