"""Text of manifests, YAML or JSON, to plain JSON data with the line and column of every part.

What cannot be a manifest in any reading (too large, not UTF-8, control characters, empty) is one finding,
before a parser sees it.
"""

from __future__ import annotations

import re

from fairlead.model.document_tree import Document, Path, path_text
from fairlead.model.findings import Finding
from fairlead.model.json_text import read_json
from fairlead.model.yaml_text import read_yaml

__all__ = ["MAX_BYTES", "Document", "Path", "path_text", "read_documents"]

MAX_BYTES = 4 * 1024 * 1024
# What YAML lets no text contain; the parser would tell it without a line.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_documents(text: str | bytes, file: str = "") -> tuple[list[Document], list[Finding]]:
    """The documents of a text, and all that is wrong with it; documents before a broken one are there."""
    size = (
        len(text) if isinstance(text, bytes) or len(text) > MAX_BYTES else len(text.encode(errors="replace"))
    )
    if size > MAX_BYTES:
        # How many is not told: whoever read the text may have stopped as soon as there were too many.
        message = f"the text is too long; expected at most {MAX_BYTES:,} bytes"
        return [], [_finding("FileTooLarge", message, file, 1, 1)]
    if isinstance(text, bytes):
        decoded = _decode(text, file)
        if isinstance(decoded, Finding):
            return [], [decoded]
        text = decoded
    text = text.removeprefix("\ufeff")
    control = _CONTROL.search(text)
    if control is not None:
        code = f"U+{ord(control.group()):04X}"
        message = f"the character {code} stands in the text; expected text without control characters"
        return [], [_finding("BadCharacter", message, file, *_line_column(text, control.start()))]
    return _read(text, file)


def _read(text: str, file: str) -> tuple[list[Document], list[Finding]]:
    findings: list[Finding] = []
    if text.lstrip(" \t\r\n")[:1] in ("{", "["):
        return _read_flow(text, file)
    documents = [document for document in read_yaml(text, file, findings) if document.data is not None]
    if not documents and not any(finding.severity == "error" for finding in findings):
        message = "the text is empty; expected a manifest with apiVersion, kind, metadata and spec"
        findings.append(_finding("EmptyFile", message, file, 1, 1))
    return documents, findings


def _read_flow(text: str, file: str) -> tuple[list[Document], list[Finding]]:
    """JSON, or YAML in flow style, which begins alike; what is neither is told in JSON's words."""
    json_findings: list[Finding] = []
    document = read_json(text, file, json_findings)
    if document is not None:
        return [document], json_findings
    if file.endswith(".json"):
        return [], json_findings
    yaml_findings: list[Finding] = []
    documents = list(read_yaml(text, file, yaml_findings))
    if any(finding.reason == "BadYAML" for finding in yaml_findings):
        return [], json_findings
    return documents, yaml_findings


def _decode(text: bytes, file: str) -> str | Finding:
    if text.startswith(_UTF16):
        return _finding("BadEncoding", "the text is UTF-16; expected UTF-8", file, 1, 1)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start].decode()
        message = f"the byte 0x{text[error.start]:02x} is no UTF-8; expected text in UTF-8"
        return _finding("BadEncoding", message, file, *_line_column(before, len(before)))


def _line_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _finding(reason: str, message: str, file: str, line: int, column: int) -> Finding:
    return Finding("error", reason, message, "", file, line, column)
