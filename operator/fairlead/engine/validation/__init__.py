"""Validation: everything that can be known of a manifest before it runs, all of it at once, each with its place."""

from fairlead.engine.validation.callees import Callee, Known
from fairlead.engine.validation.inputs import check_inputs
from fairlead.engine.validation.objects import (
    References,
    examine_inlines,
    examine_object,
    read_object,
    references_in,
    references_of,
    spec_of,
)
from fairlead.engine.validation.report import Report, validate_documents, validate_workflow
from fairlead.engine.validation.unsupported import unsupported, unsupported_inline

__all__ = [
    "Callee",
    "Known",
    "References",
    "Report",
    "check_inputs",
    "examine_inlines",
    "examine_object",
    "read_object",
    "references_in",
    "references_of",
    "spec_of",
    "unsupported",
    "unsupported_inline",
    "validate_documents",
    "validate_workflow",
]
