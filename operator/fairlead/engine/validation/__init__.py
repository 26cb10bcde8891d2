"""Validation: everything that can be known of a manifest before it runs, all of it at once, each with its place."""

from fairlead.engine.validation.inputs import check_inputs
from fairlead.engine.validation.report import Report, validate_documents, validate_workflow
from fairlead.engine.validation.unsupported import unsupported, unsupported_inline

__all__ = [
    "Report",
    "check_inputs",
    "unsupported",
    "unsupported_inline",
    "validate_documents",
    "validate_workflow",
]
