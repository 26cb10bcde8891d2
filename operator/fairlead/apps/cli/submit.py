"""`fairlead submit`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.failures import DONE
from fairlead.apps.cli.options import (
    AsDocument,
    Document,
    InputsFile,
    Pairs,
    Runnable,
    RunName,
    Where,
    looks_in_cluster,
)
from fairlead.apps.cli.terminal import document, out, say

if TYPE_CHECKING:
    from fairlead.apps.cli.cluster import ClusterHome
    from fairlead.apps.cli.cluster.submission import Submission
    from fairlead.apps.cli.homes import Known

Apply = Annotated[
    bool, typer.Option("--apply", help="First put the Workflow of FILE, and what it needs of FILE, there.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has ended, and exit as it did.")]
Watch = Annotated[bool, typer.Option("--watch", help="The same, and show how it goes on.")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="With --wait or --watch: leave, with exit code 4, when it has not ended by then.",
        show_default=False,
    ),
]


@looks_in_cluster
def submit(  # noqa: PLR0913, PLR0917 - one argument per option
    file: Runnable = None,
    name: RunName = None,
    inputs: Pairs = None,
    inputs_file: InputsFile = None,
    apply: Apply = False,
    wait: Wait = False,
    watch: Watch = False,
    timeout: Timeout = None,
    output: AsDocument = None,
    *,
    where: Where,
) -> int:
    """Create a WorkflowExecution in the cluster, of a WorkflowExecution in FILE or of a Workflow in FILE; its name is printed.

    All is checked before anything is created. An execution runs the Workflow that the cluster has: one in FILE has to be there
    and be the same. `kubectl apply -f FILE` puts it there, as does --apply.

    Exit codes: 0 created, 2 the input is wrong and nothing was created, 5 the cluster cannot be reached; with --wait or --watch
    0 succeeded, 1 failed, 3 cancelled, 4 not finished when --timeout was over.

    Examples:
      fairlead submit order.yaml --apply -i order=17 --watch
      fairlead submit order.yaml order-17 --inputs order-17.json -n shop
      fairlead watch $(fairlead submit order.yaml -i order=17)
    """
    from fairlead.apps.cli.contexts import context_is_set
    from fairlead.apps.cli.watch import seconds_of
    from fairlead.model.errors import InvalidInput

    if file is None:
        raise InvalidInput("FILE is missing; see `fairlead submit --help`")
    if timeout is not None and not (wait or watch):
        raise InvalidInput("--timeout says how long to stay; expected --wait or --watch with it")
    most = seconds_of(timeout)
    if not where.names_cluster and not context_is_set(os.environ):
        raise InvalidInput(
            "no kube context is set, so there is no cluster to submit to; expected --context or `kubectl config use-context`,"
            f" or `fairlead run {file}`, which needs no cluster"
        )
    from fairlead.apps.cli.asking import checked_inputs, names_of
    from fairlead.apps.cli.cluster import ClusterHome
    from fairlead.apps.cli.cluster.submission import create, read_submission
    from fairlead.apps.cli.failures import tell

    with ClusterHome(where) as home:
        submission = read_submission(file, home.reach, where.namespace)
        tell(submission.source.warnings)
        home.namespace = submission.namespace
        given, _ = checked_inputs(submission.source, inputs or [], inputs_file, "created")
        names = names_of(submission.source, name)
        _demand_there(submission, home, file, apply=apply)
        created = create(submission.body, names, given, home.reach, home.namespace)
        known = home.find(created)
        if wait or watch:
            say(f"{created} is created in namespace {home.namespace}")
            return _stay(home, known, output, most, watch=watch)
        if output is not None:
            document(home.there(created).without_status(), output)
        else:
            out(created)
            say(
                f"it is created in namespace {home.namespace}; `fairlead watch {created}{home.option}` shows how it goes on"
            )
        return DONE


def _demand_there(submission: Submission, home: ClusterHome, file: Path, *, apply: bool) -> None:
    """The cluster has what is needed of the text, or gets it. Raises InvalidInput."""
    from fairlead.apps.cli.cluster import submission as parts
    from fairlead.model.errors import InvalidInput

    lacking = parts.missing(submission, home.reach, home.namespace)
    if lacking and not apply:
        said = "; ".join(f"{one.name} {one.why}" for one in lacking)
        raise InvalidInput(
            f"namespace {home.namespace} does not have what {file} says: {said}; `kubectl apply -f {file}` or --apply puts it"
            " there, and nothing was created"
        )
    if lacking:
        parts.apply(lacking, home.reach, home.namespace)
        say(f"applied in namespace {home.namespace}: {', '.join(one.name for one in lacking)}")


def _stay(
    home: ClusterHome, known: Known, output: Document | None, most: float | None, *, watch: bool
) -> int:
    """Stay until it has ended, and say what it came to; the exit code."""
    from fairlead.apps.cli.following import batches
    from fairlead.apps.cli.watch import show_end, shown_to_its_end

    if watch:
        return shown_to_its_end(home, known, most, output)
    for _ in batches(home, known, up_to=0, most=most):
        pass
    return show_end(home, known, output)
