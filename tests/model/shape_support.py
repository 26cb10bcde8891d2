"""What the tests of shapes share: a document that is well written and its shape."""

from __future__ import annotations

from fairlead.model.manifests import Workflow
from fairlead.model.shapes import Shaped, read_shapes

HEAD = "apiVersion: fairlead.dev/v1alpha1\nkind: Workflow\nmetadata: {name: a}\n"


def shaped(text: str) -> Shaped:
    """The one document of a text that is well written."""
    (shape,), findings = read_shapes(text, "f.yaml")
    assert [finding for finding in findings if finding.severity == "error"] == []
    return shape


def workflow_of(shape: Shaped) -> Workflow:
    assert isinstance(shape.manifest, Workflow)
    return shape.manifest
