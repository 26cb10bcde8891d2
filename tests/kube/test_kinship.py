"""What stands on an execution about its parent: annotations that anybody may have written."""

from __future__ import annotations

from fairlead.kube import names
from fairlead.kube.client.replies import Metadata
from fairlead.kube.kinship import parent_of, wanted_of
from fairlead.model.commands import Wish


def test_annotations_that_are_nested_without_end_mean_nothing():
    """Somebody writes 100,000 brackets where a parent's words stand: they count as none, and nobody stumbles over them."""
    about = Metadata(annotations=dict.fromkeys((names.WANTED, names.PARENT), '{"x":' + "[" * 100_000))

    assert parent_of(about) is None
    assert wanted_of(about.annotations) == Wish()
