"""The rungs of the ladder: the summary names what ran and what did not, and CI leaves nothing out (pytest, run by pytest)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.architecture.repository import ROOT

ONE_OF_EACH = """
import pytest

def test_passes():
    pass

@pytest.mark.local
def test_needs_something():
    pytest.skip("no such program")

@pytest.mark.xfail(reason="known")
def test_is_known_to_fail():
    assert False
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest with our configuration and conftest on a test file; `ci` says under which rule."""
    (pytester.path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tests = pytester.mkdir("tests")
    (tests / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))

    def start(text: str, *args: str, ci: bool) -> pytest.RunResult:
        (tests / "test_sample.py").write_text(text)
        monkeypatch.setenv("CI", "true" if ci else "")
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)

    return start


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_the_summary_says_what_ran_and_what_did_not_and_why(run, workers):
    """Each rung has a line; a rung without results says why; pytest's own line comes last."""
    done = run(ONE_OF_EACH, *workers, ci=False)

    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(
        [
            "unit        1 passed, 1 xfailed",
            "local       1 skipped: no such program (1)",
            "cluster     did not run: this release has no tests in tests/cluster or tests/kube or tests/home or tests/chart",
        ]
    )
    assert "1 passed, 1 skipped, 1 xfailed in" in done.outlines[-1]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skip_fails_in_ci(run, workers):
    """Under CI=true a skipped test is a failed one that tells the reason; an expected failure is not."""
    done = run(ONE_OF_EACH, *workers, ci=True)

    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*skipped, which CI does not allow: no such program", "local       1 failed"])
    assert "1 failed, 1 passed, 1 xfailed in" in done.outlines[-1]


def test_a_module_that_skips_itself_fails_in_ci(run):
    """Under CI=true a module cannot leave all its tests out by a skip at its top."""
    text = 'import pytest\npytest.skip("not here", allow_module_level=True)\n'

    assert run(text, ci=False).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    done = run(text, ci=True)

    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*skipped, which CI does not allow: not here"])


def test_a_selection_is_named(run):
    """A rung that was left out by the options of the run says so."""
    done = run(ONE_OF_EACH, "-m", "unit", ci=False)

    done.stdout.fnmatch_lines(["unit        1 passed, 1 xfailed", "local       did not run: *"])
