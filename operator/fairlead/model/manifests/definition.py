"""What an execution is pinned to: a workflow's spec, and the specs of the workflows that it runs inline.

Rules of this file
- A spec that inlines nothing is its own definition, byte for byte: `workflows` is left out of the canonical form then.
- `workflows` has every workflow that is inlined anywhere below, by name, so that nothing else is ever needed to run or to show
  the execution, and later edits of those workflows change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from pydantic import Field

from fairlead.model.manifests.base import shape
from fairlead.model.manifests.scalars import Word
from fairlead.model.manifests.workflow import WorkflowSpec


@shape
class Definition(WorkflowSpec):
    """A workflow's spec with those that it inlines."""

    workflows: dict[Word, WorkflowSpec] = Field(default={}, description="The inlined workflows, by name.")


def definition_of(spec: WorkflowSpec, workflows: Mapping[str, WorkflowSpec]) -> Definition:
    """The definition of a spec and of the workflows that it inlines, in order of name."""
    bundle: Definition = object.__new__(Definition)  # both have been checked: nothing is parsed again
    for each in fields(WorkflowSpec):
        object.__setattr__(bundle, each.name, getattr(spec, each.name))
    object.__setattr__(bundle, "workflows", {name: workflows[name] for name in sorted(workflows)})
    return bundle
