"""What a manifest's types cannot say: how many nodes, how large, and policies that do nothing.

The types themselves have no limit of size, so that the engine can be measured beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.model.documents import Path
from fairlead.model.manifests.execution import WorkflowExecution
from fairlead.model.manifests.nodes import Node
from fairlead.model.manifests.parsing import Manifest, canonical_json
from fairlead.model.manifests.workflow import Workflow, WorkflowSpec
from fairlead.model.wording import Problem

MAX_NODES = 10_000
MAX_DEFINITION = 1024 * 1024


def limit_findings(manifest: Manifest) -> list[Problem]:
    """The limits of a workflow that this manifest breaks, and warnings of what has no effect."""
    if isinstance(manifest, Workflow):
        return _of_spec(manifest.spec, ("spec",))
    if isinstance(manifest, WorkflowExecution) and manifest.spec.definition is not None:
        return _of_spec(manifest.spec.definition, ("spec", "definition"))
    return []


def nodes_of(spec: WorkflowSpec) -> Iterator[tuple[Path, Node]]:
    """Every node of a workflow at any depth, `finally` included, with its path from the spec."""
    todo: list[tuple[Path, tuple[Node, ...]]] = [(("finally",), spec.finally_), (("nodes",), spec.nodes)]
    while todo:
        place, nodes = todo.pop()
        for index, node in enumerate(nodes):
            path: Path = (*place, index)
            yield path, node
            if node.while_ is not None:
                todo.append(((*path, "while", "nodes"), node.while_.nodes))
            elif node.for_each is not None:
                todo.append(((*path, "forEach", "nodes"), node.for_each.nodes))
            elif node.parallel is not None:
                for number, branch in enumerate(node.parallel.branches):
                    todo.append(((*path, "parallel", "branches", number, "nodes"), branch.nodes))


def _of_spec(spec: WorkflowSpec, prefix: Path) -> list[Problem]:
    problems: list[Problem] = []
    if (
        spec.defaults is not None
        and spec.defaults.retry is not None
        and spec.defaults.retry.max_attempts == 1
    ):
        problems.append(_useless((*prefix, "defaults", "retry")))
    count = 0
    for path, node in nodes_of(spec):
        count += 1
        if node.retry is not None and node.retry.max_attempts == 1:
            problems.append(_useless((*prefix, *path, "retry")))
    if count > MAX_NODES:
        message = f"the workflow has {count:,} nodes; expected at most {MAX_NODES:,}"
        problems.append(Problem("TooManyNodes", message, (*prefix, "nodes"), at_key=True))
    size = len(canonical_json(spec))
    if size > MAX_DEFINITION:
        message = f"the workflow has {size:,} bytes of canonical JSON; expected at most {MAX_DEFINITION:,}"
        problems.append(Problem("DefinitionTooLarge", message, prefix, at_key=True))
    return problems


def _useless(path: Path) -> Problem:
    message = "retry has maxAttempts 1 and so never tries again; expected maxAttempts of 2 or more"
    return Problem("RetryWithoutEffect", message, path, "warning", at_key=True)
