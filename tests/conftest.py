"""What all tests share: the rungs of the ladder, the rule that nothing is left out in silence, clusters, Hypothesis' settings.

A test belongs to the rung of its mark, else to that of its folder, else to `unit`. The summary at the end says what ran on each
rung and what did not and why. Under `CI=true` nothing may be left out: a test that would be skipped fails instead, with the
reason of the skip.

`FAIRLEAD_SIMULATIONS=N` (set by `make simulate N=...`) asks for N examples of every property instead of the usual number.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from tests.cluster.clusters import Cluster
    from tests.cluster.plane import ControlPlane

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "hypothesis"

# rung: the folders whose tests stand on it
RUNGS: dict[str, tuple[str, ...]] = {
    "unit": (),
    "contracts": ("contracts",),
    "simulation": ("simulation",),
    "local": ("local", "cli"),
    "cluster": ("cluster", "kube", "home", "chart"),
    "e2e": ("e2e",),
}
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
SHOWN_REASONS = 3

CLUSTERS = frozenset({"cluster", "plane", "real_cluster", "helm_is_built"})
"""Fixtures that start a cluster, or build what it takes some minutes to build."""
ON_A_CLUSTER = 4
"""How many times the usual limit a test on a cluster may take."""
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


# -------------------------------------------------------------------------------------------------------------- Hypothesis
def _register_profiles() -> None:
    """`dev` remembers failing examples, `ci` runs the same ones every time, `simulate` runs many new ones."""
    set_hypothesis_home_dir(CACHE)
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile(
        "dev", deadline=None, database=DirectoryBasedExampleDatabase(CACHE / "examples")
    )
    settings.register_profile("ci", deadline=None, database=None, derandomize=True, print_blob=True)
    examples = int(os.environ.get("FAIRLEAD_SIMULATIONS", "0"))
    if examples:
        phases = (Phase.explicit, Phase.generate, Phase.shrink)
        settings.register_profile(
            "simulate",
            deadline=None,
            database=None,
            max_examples=examples,
            phases=phases,
            suppress_health_check=slow,
            print_blob=True,
        )
    settings.load_profile("simulate" if examples else "ci" if IN_CI else "dev")


_register_profiles()

pytest_plugins = ["pytester"]  # tests/architecture runs pytest on this very file


# ------------------------------------------------------------------------------------------------------------------- rungs
def rung_of(item: pytest.Item) -> str:
    """The rung a test stands on."""
    marked = [mark.name for mark in item.iter_markers() if mark.name in RUNGS]
    if marked:
        return marked[0]
    folder = item.path.relative_to(HERE).parts[0]
    return next((rung for rung, folders in RUNGS.items() if folder in folders), "unit")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its rung, and write it where xdist carries it to the summary."""
    for item in items:
        rung = rung_of(item)
        item.add_marker(rung)
        item.user_properties.append(("rung", rung))
        if CLUSTERS.intersection(getattr(item, "fixturenames", ())) and not item.get_closest_marker(
            "timeout"
        ):
            # Building and starting a cluster has deadlines of its own. What a test of it waits for passes through several
            # processes on a machine that may be busy: it has the deadline that it names, or a multiple of the usual one.
            limit = float(item.config.getini("timeout")) * ON_A_CLUSTER
            item.add_marker(pytest.mark.timeout(limit, func_only=True))


# ----------------------------------------------------------------------------------------------------- nothing is left out
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a test that skips itself fails; an expected failure (xfail) is no skip."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


# ---------------------------------------------------------------------------------------------------------------- clusters
@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster that all tests of a session share, on all workers; see tests/cluster."""
    from tests.cluster.keeper import shared

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        session = os.getpid()
    else:
        folder, session = folder.parent, os.getppid()
    try:
        return shared(folder, session)
    except RuntimeError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with its etcd for one module alone, which may kill them."""
    from tests.cluster.binaries import NotBuilt
    from tests.cluster.clusters import apply_ours
    from tests.cluster.plane import ALONE, ControlPlane

    try:
        with ControlPlane(tmp_path_factory.mktemp("plane"), ALONE) as started:
            apply_ours(started.kubeconfig)
            yield started
    except NotBuilt as reason:
        pytest.skip(str(reason))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the shared cluster for one test alone."""
    from tests.cluster.clusters import fresh_namespace

    with fresh_namespace(cluster) as name:
        yield name


# ----------------------------------------------------------------------------------------------------------------- summary
def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Say for each rung what ran, and what did not and why; pytest's own closing line comes after it."""
    counts: dict[str, Counter[str]] = {rung: Counter() for rung in RUNGS}
    reasons: dict[str, Counter[str]] = {rung: Counter() for rung in RUNGS}
    for outcome in OUTCOMES:
        for report in terminalreporter.stats.get(outcome, []):
            rung = dict(getattr(report, "user_properties", ())).get("rung")
            if rung in counts:
                counts[rung][outcome] += 1
                if outcome == "skipped":
                    reasons[rung][_reason(report)] += 1
    terminalreporter.section("rungs", "-")
    for rung in RUNGS:
        terminalreporter.line(f"{rung:<11} {_verdict(rung, counts[rung], reasons[rung], config)}")


def _verdict(rung: str, counts: Counter[str], reasons: Counter[str], config: pytest.Config) -> str:
    if not counts:
        return f"did not run: {_absence(rung, config)}"
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    why = "; ".join(f"{reason} ({times})" for reason, times in reasons.most_common(SHOWN_REASONS))
    return f"{said}{': ' + why if why else ''}"


def _absence(rung: str, config: pytest.Config) -> str:
    """Why a rung has no result at all."""
    folders = [HERE / folder for folder in RUNGS[rung]]
    if folders and not any(path for folder in folders for path in folder.rglob("test_*.py")):
        return f"this release has no tests in {' or '.join(f'tests/{folder.name}' for folder in folders)}"
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return "not asked for on the command line"
    return "left out by the options of this run" if _narrowed(config) else "its tests were not collected"


def _narrowed(config: pytest.Config) -> bool:
    options: list[Any] = [config.getoption(name, None) for name in ("keyword", "markexpr", "lf", "deselect")]
    return any(options)
