"""`fairlead run`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairlead.apps.cli.failures import UNFINISHED
from fairlead.apps.cli.options import AsDocument, Document, InputsFile, Pairs, Runnable, RunName, StorePath
from fairlead.apps.cli.terminal import BrokenOutput, document, say
from fairlead.model.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from fairlead.apps.cli.sources import Source
    from fairlead.local.home import LocalHome
    from fairlead.local.store import Store

_FEW = 3
"""Lost outputs that are named one by one."""

Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="ID", help="Go on with an execution of the store.", show_default=False),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Leave, with exit code 4, when it is suspended or waits.")
]
HostCommands = Annotated[
    bool,
    typer.Option(
        "--host-commands", help="Run the commands of nodes with an image on this host, without the image."
    ),
]


def run(  # noqa: PLR0913, PLR0917 - one argument per option
    file: Runnable = None,
    name: RunName = None,
    inputs: Pairs = None,
    inputs_file: InputsFile = None,
    resume: Resume = None,
    no_wait: NoWait = False,
    host_commands: HostCommands = False,
    output: AsDocument = None,
    store: StorePath = None,
) -> int:
    """Run a workflow here, without a cluster, and stay until it and the executions that its nodes start have ended.

    The run is durable: after a crash, kill -9 or Ctrl-C, --resume goes on where it was, and no finished node runs again.
    Progress is drawn live on a terminal and written as lines to a pipe; with -o json stdout holds only the final status.

    Exit codes: 0 succeeded, 1 failed, 2 the input is wrong and nothing was started, 3 cancelled, 4 not finished,
    5 the store cannot be reached.

    Examples:
      fairlead run order.yaml -i order=17 -i express=true
      fairlead run order.yaml order-17 --inputs order-17.json -o json | jq .outputs
      fairlead run --resume order-17
    """
    from fairlead.apps.cli.store_home import open_store

    if resume is not None:
        _demand_alone(file, name, inputs, inputs_file)
        with open_store(store) as opened:
            opened.get(resume)
            _clean_up(opened, [resume])
            return _drive(opened, resume, store, output, wait=not no_wait, host_commands=host_commands)
    if file is None:
        raise InvalidInput("neither FILE nor --resume is given; see `fairlead run --help`")
    from fairlead.apps.cli.asking import checked_inputs, names_of
    from fairlead.apps.cli.failures import tell
    from fairlead.apps.cli.sources import read_source

    source = read_source(file)
    tell(source.warnings)
    given = checked_inputs(source, inputs or [], inputs_file, "started")[1]
    names = names_of(source, name)
    with open_store(store, create=True) as opened:
        _clean_up(opened, names)
        created = _create(opened, source, given, file, names)
        return _drive(opened, created, store, output, wait=not no_wait, host_commands=host_commands)


def _demand_alone(*others: object) -> None:
    if any(others):
        raise InvalidInput(
            "--resume goes on with what was started; expected neither FILE, NAME nor inputs with it"
        )


def _clean_up(store: Store, but: Sequence[str]) -> None:
    """Remove what retention keeps no longer. A store that refuses is no reason not to run: the run will say so itself."""
    from fairlead.apps.cli import executions
    from fairlead.apps.views.words import count
    from fairlead.local.retention import remove_old

    with suppress(Unavailable):
        removed = remove_old(store, executions.now(), but)
        if removed:
            say(f"removed {count(removed, 'execution')} that ended longer ago than their retention says")


def _create(store: Store, source: Source, inputs: dict[str, Any], file: Path, names: Sequence[str]) -> str:
    """Put the execution into the store under the first of the names that is free; that name. Raises InvalidInput."""
    from fairlead.local.home import LocalHome
    from fairlead.model.manifests import plain

    spec = {"workflow": {"name": source.name}} if source.asked is None else plain(source.asked)
    spec["inputs"] = inputs
    home = LocalHome(store)
    for name in names:
        try:
            home.create(
                manifest=source.workflow,
                workflow_name=source.name,
                name=name,
                inputs=inputs,
                execution_spec=spec,
                source=str(file),
                workflows=source.callees,
            )
        except InvalidInput as error:
            if error.reason != "NameTaken":
                raise
        else:
            return name
    taken = f"an execution named {names[-1]} exists already; expected another name"
    how = f"`fairlead run {file} NAME` gives one, `fairlead run --resume {names[-1]}` goes on with that one"
    raise InvalidInput(f"{taken}: {how}", "NameTaken")


def _drive(
    store: Store, name: str, place: Path | None, output: Document | None, *, wait: bool, host_commands: bool
) -> int:
    """Own the execution, show how it goes, print what it came to; the exit code."""
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.driving import drive
    from fairlead.apps.cli.ending import EXIT_CODES, print_end
    from fairlead.apps.cli.progress import progress_on, tail_in
    from fairlead.apps.cli.store_home import StoreHome, run_option
    from fairlead.local.home import LocalHome

    progress = progress_on(sys.stdout if output is None else sys.stderr, tail_in(store.folder))
    home: LocalHome = LocalHome(store, host_commands=host_commands, listener=progress.heard)
    try:
        interrupted = drive(home, name, progress, wait=wait)
    except Unavailable as error:
        if not str(error).endswith("then try again"):
            raise
        again = f"`fairlead run --resume {name}{run_option(place)}`"
        raise Unavailable(f"{error} with {again}") from error
    _tell_losses(home.losses)
    reader = StoreHome(place, store)
    found = reader.load(name)
    status = executions.status_of(found)
    with suppress(BrokenOutput):  # whoever has stopped reading still gets the exit code
        if output is not None:
            document(executions.whole_status_of(found), output)
        else:
            print_end(name, {**status, "waitingFor": ()} if interrupted else status)
        _hint(name, status["phase"], reader.option, run_option(place), interrupted=interrupted)
    return EXIT_CODES.get(status["phase"], UNFINISHED)


def _tell_losses(losses: Mapping[str, str]) -> None:
    """Say what `fairlead logs` will not show."""
    from fairlead.apps.cli.terminal import YELLOW, painted

    for node, reason in list(losses.items())[:_FEW]:
        say(
            f"{painted('warning:', YELLOW, sys.stderr)} of what {node} printed not all is in its log: {reason}"
        )
    if len(losses) > _FEW:
        say(f"  and so of {len(losses) - _FEW} more")


def _hint(name: str, phase: str, option: str, run_option: str, *, interrupted: bool) -> None:
    """What to do next, where that is a question."""
    from fairlead.apps.cli.ending import EXIT_CODES, hint_failed

    if interrupted:
        say(f"stopped; nothing is lost, `fairlead run --resume {name}{run_option}` goes on")
    elif phase == "Failed":
        hint_failed(name, option, f"fairlead run --resume {name}{run_option}")
    elif phase not in EXIT_CODES:
        release = f"`fairlead resume {name}{option}` and then " if phase == "Suspended" else ""
        say(f"not finished; {release}`fairlead run --resume {name}{run_option}` goes on")
