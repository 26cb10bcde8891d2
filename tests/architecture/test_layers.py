"""The layers hold: import-linter's contracts, and the purity of model and engine checked once more on the syntax trees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.repository import ROOT, calls, imports, name, python_files

PURE = (ROOT / "operator" / "fairlead" / "model", ROOT / "operator" / "fairlead" / "engine")
RUNNER = ROOT / "runner_image" / "fairlead_runner"
OURS = ROOT / "operator" / "fairlead"

BANNED_MODULES = frozenset(
    {
        "aiohttp",
        "asyncio",
        "concurrent",
        "ctypes",
        "http",
        "httpx",
        "kopf",
        "kubernetes",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "rich",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "typer",
        "urllib",
    }
)
BANNED_CALLS = frozenset(
    {
        "__import__",
        "breakpoint",
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "eval",
        "exec",
        "importlib.import_module",
        "input",
        "io.open",
        "open",
        "print",
        "uuid.uuid1",
        "uuid.uuid4",
    }
)


def test_import_contracts_hold(tmp_path):
    """import-linter finds no broken contract in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [str(linter), "--cache-dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", python_files(*PURE), ids=name)
def test_model_and_engine_are_pure(path):
    """No module of model or engine imports, under whatever name, a clock, chance, IO, waiting, logging or Kubernetes."""
    found = [
        f"{name(path)}:{line}: {what}"
        for line, what in imports(path)
        if what.partition(".")[0] in BANNED_MODULES
    ]
    found += [f"{name(path)}:{line}: {what}()" for line, what, _ in calls(path) if what in BANNED_CALLS]

    assert found == []


def test_the_runner_and_the_rest_know_only_the_node_document():
    """fairlead_runner imports nothing of fairlead, and fairlead starts the runner without importing it."""
    found = [
        f"{name(p)}:{n}: {what}"
        for p in python_files(RUNNER)
        for n, what in imports(p)
        if _is(what, "fairlead")
    ]
    found += [
        f"{name(p)}:{n}: {w}" for p in python_files(OURS) for n, w in imports(p) if _is(w, "fairlead_runner")
    ]

    assert found == []


def test_the_runner_needs_the_standard_library_alone():
    """At the top of its modules the runner imports only the standard library and itself (others when they are used).

    `reach`, the nodes that reach out, is itself imported when it is used, and so may name its libraries at the top.
    """
    found = []
    for path in python_files(RUNNER):
        if path.parent.name == "reach":
            continue
        top = [line for line, what in imports(path) if not _is_standard(what)]
        lazy = [
            line for line in top if path.read_text(encoding="utf-8").splitlines()[line - 1].startswith(" ")
        ]
        found += [f"{name(path)}:{line}" for line in top if line not in lazy]
        found += [
            f"{name(path)}:{number}"
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
            if line.startswith(("from fairlead_runner.reach", "import fairlead_runner.reach"))
        ]

    assert found == []


def test_aliases_hide_nothing(tmp_path):
    """The check of purity sees through `import … as …`, `from … import …`, and imports inside functions."""
    module = tmp_path / "module.py"
    module.write_text(
        "import os.path as p\nfrom time import monotonic as m\nfrom datetime import datetime as d\n"
        "def f():\n    import random\n    return d.now()\n"
    )

    assert [what for _, what in imports(module)] == [
        "os.path",
        "time.monotonic",
        "datetime.datetime",
        "random",
    ]
    assert "datetime.datetime.now" in [what for _, what, _ in calls(module)]


def _is(imported: str, package: str) -> bool:
    return imported.partition(".")[0] == package


def _is_standard(imported: str) -> bool:
    first = imported.partition(".")[0]
    return first in sys.stdlib_module_names or first == "fairlead_runner"
