"""`fairlead delete`: an execution that has ended goes with all that it left; others are refused."""

from __future__ import annotations

FLOW = """
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: flow}
spec:
  nodes:
  - {name: a, run: {sh: echo hello}}
"""


def test_an_ended_execution_is_deleted_with_what_it_printed(cli):
    """Afterwards it is unknown, and no file of it is left."""
    manifest = cli.folder / "flow.yaml"
    manifest.write_text(FLOW, encoding="utf-8")
    assert 0 == cli("run", manifest, "gone").returncode
    files = [path for path in cli.folder.rglob("*.log") if path.is_file()]
    assert files

    assert 0 == cli("delete", "gone").returncode

    assert not any(path.exists() for path in files)
    assert 2 == cli("get", "gone").returncode
    assert 2 == cli("delete", "gone").returncode
