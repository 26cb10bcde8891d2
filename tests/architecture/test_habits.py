"""The habits of the house that a machine can check: docstrings, sizes, addresses, waiting in tests."""

from __future__ import annotations

import ast
import re

import pytest
from tests.architecture.repository import ROOT, SOURCES, calls, files, name, python_files, tree

MODULE_BUDGET = 450
# Modules that are longer, each with the reason: a table that reads well may be long. An entry that is not needed any more fails.
LONGER: dict[str, str] = {}

INDEX_ADDRESSES = re.compile(
    r"https?://[\w.@:-]*(?:pypi|pythonhosted|index|mirror|artifactory|nexus|devpi)[\w.-]*(?:/|:\d)|--(?:extra-)?index-url|--find-links",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.~])/(?:work|root|home/[a-z]\w*|Users/\w+)/[\w.]", re.IGNORECASE)
BINARY = {".png", ".jpg", ".gif", ".ico", ".whl", ".gz", ".db", ".bin"}


def test_operator_folder_is_no_package():
    """operator/__init__.py would shadow the standard library's `operator` wherever the repository's root is on sys.path."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "runner_image" / "__init__.py").exists()


def test_modules_have_docstrings():
    """Every module of the packages and of the tests opens with the rules of its file."""
    missing = [
        name(path) for path in python_files() if path.stat().st_size and not ast.get_docstring(tree(path))
    ]
    missing += [name(path) for path in python_files(*SOURCES) if not path.stat().st_size]

    assert missing == []


def test_tests_state_their_fact():
    """Every test has a docstring: the sentence that it proves."""
    missing = [
        f"{name(path)}:{node.lineno}: {node.name}"
        for path in python_files(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if not ast.get_docstring(node)
    ]

    assert missing == []


def test_modules_keep_their_budget():
    """No module has more lines than the budget, but for those in the table of exceptions, each of which has a reason."""
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    too_long = {path: length for path, length in lengths.items() if length > MODULE_BUDGET}

    assert {path: length for path, length in too_long.items() if path not in LONGER} == {}
    assert {path for path in LONGER if path not in too_long} == set()
    assert all(len(reason) > 20 for reason in LONGER.values())


def test_test_files_have_names_of_their_own():
    """Two test files of one name are told apart by nobody who reads a report."""
    names = [path.name for path in python_files(ROOT / "tests") if path.name.startswith("test_")]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [(INDEX_ADDRESSES, "address of a package index"), (MACHINE_PATHS, "path of one machine")],
)
def test_no_addresses_and_no_paths_of_one_machine(pattern, what):
    """No file names a package index or a folder that exists on one machine only."""
    found = [
        f"{name(path)}:{number}: {what}: {line.strip()[:80]}"
        for path in files()
        if path.suffix not in BINARY and path.name not in {"test_habits.py", "Makefile"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]

    assert found == []


def test_locks_pin_by_hash():
    """Each requirement in a lock has one exact version and at least one hash."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=[a-z])", lock.read_text(encoding="utf-8"))[1:]
        loose = [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]

        assert entries
        assert loose == []


def test_tests_wait_for_conditions():
    """No test sleeps for a fixed time; a pause inside a wait for a condition has a deadline beside it and a name."""
    found = [
        f"{name(path)}:{line}: {what}({ast.unparse(call.args[0])})"
        for path in python_files(ROOT / "tests")
        for line, what, call in calls(path)
        if what in {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}
        if call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value != 0
    ]

    assert found == []


def test_a_cancellation_is_never_lost():
    """In Python 3.11 asyncio.wait_for drops a cancellation that comes together with the answer: asyncio.timeout is used."""
    found = [
        f"{name(path)}:{line}"
        for path in python_files(*SOURCES)
        for line, what, _ in calls(path)
        if what == "asyncio.wait_for"
    ]

    assert found == []


def test_nothing_is_left_open():
    """No code says that it is to be written later, and none swallows every error."""
    marks = re.compile("|".join(["TO" + "DO", "FIX" + "ME", r"\bX" + r"XX\b", "NotImplemented" + "Error"]))
    found = [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path in python_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if marks.search(line)
    ]
    found += [
        f"{name(path)}:{node.lineno}: every error is swallowed"
        for path in python_files(*SOURCES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_any(node.type) and _does_nothing(node.body)
    ]

    assert found == []


def _is_any(caught: ast.expr | None) -> bool:
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(isinstance(statement, ast.Pass | ast.Continue) for statement in body)
