"""Scripts are never templates; what looks like one of ours in them is found here, so that it can be refused.

`${HOME}`, `${x:-1}` and `${#a}` are the shell's and pass; `${inputs.x}` or `${vars["x"]}` is what an author writes who
expects a template, and a value would be spliced into a program.
"""

from __future__ import annotations

import re

from fairlead.engine.expressions.runtime import ROOTS

_REFERENCE = re.compile(r"\$\{\s*(" + "|".join(ROOTS) + r")\s*[.\[]")


def script_scope_reference(text: str) -> list[tuple[int, str]]:
    """Where a script has `${` followed by a scope name and `.` or `[`: the offset of the `${`, and the name."""
    return [(match.start(), match.group(1)) for match in _REFERENCE.finditer(text)]
