"""What looks like a template in a script is found, and what is the shell's own is not."""

from __future__ import annotations

import pytest

from fairlead.engine.expressions.scripts import script_scope_reference


@pytest.mark.parametrize(
    "script, found",
    [
        ("echo ${inputs.name}", [(5, "inputs")]),
        ('curl ${vars["url"]}/${nodes.a.outputs.x}', [(5, "vars"), (20, "nodes")]),
        ("print('${ computed.total }')", [(7, "computed")]),
        ("${pass.index} ${now.x}", [(0, "pass"), (14, "now")]),
        ("echo ${HOME} ${x:-1} ${#a} ${!name} $(date) $inputs", []),
        ("echo ${inputs} ${inputs:-x} ${inputsx.a} ${my_inputs.a}", []),
        ("echo $${HOME} {inputs.name} inputs.name", []),
        ("", []),
    ],
)
def test_references(script, found):
    """`${` followed by a scope name and `.` or `[` is refused elsewhere with these places; everything else passes verbatim."""
    assert script_scope_reference(script) == found
