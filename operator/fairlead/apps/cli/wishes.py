"""`fairlead suspend`, `resume`, `cancel` and `redrive`: they record what is wished for.

The process that runs the execution takes it up within 200 ms; if there is none, the next `run --resume` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairlead.apps.cli.options import Local, Name, StorePath
from fairlead.apps.cli.terminal import out

Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="DURATION", help="Resume by itself after this time.", show_default=False
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the status.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Skip compensation and `finally`.")]


def suspend(name: Name, timeout: Timeout = None, store: StorePath = None, local: Local = False) -> None:
    """Pause an execution: running nodes end and their results are kept, nothing new starts.

    Examples:
      fairlead suspend order-qwxyz
      fairlead suspend order-qwxyz --timeout 30m
    """
    from fairlead.model.errors import InvalidInput
    from fairlead.model.times import parse_duration

    try:
        limit = None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise InvalidInput(f"--timeout: {error}") from None
    _wish(name, store, "suspend", suspend=True, suspend_timeout=limit)


def resume(name: Name, store: StorePath = None, local: Local = False) -> None:
    """Let a suspended execution go on.

    Example:
      fairlead resume order-qwxyz
    """
    _wish(name, store, "resume", suspend=False, suspend_timeout=None)


def cancel(
    name: Name, reason: Reason = "", force: Force = False, store: StorePath = None, local: Local = False
) -> None:
    """End an execution: running nodes are stopped, then `finally` runs. It cannot be taken back.

    Examples:
      fairlead cancel order-qwxyz --reason "wrong order"
      fairlead cancel order-qwxyz --force
    """
    if force:
        _wish(name, store, "cancel", cancel=True, cancel_reason=reason, force=True)
    else:
        _wish(name, store, "cancel", cancel=True, cancel_reason=reason)


def redrive(name: Name, store: StorePath = None, local: Local = False) -> None:
    """Run the failed nodes of a Failed or Cancelled execution again, and what follows from them.

    Nodes that succeeded keep their results, earlier attempts stay in the log.

    Example:
      fairlead redrive order-qwxyz && fairlead run --resume order-qwxyz
    """
    _wish(name, store, "redrive")


def _wish(name: str, store: Path | None, what: str, **changes: object) -> None:
    from fairlead.apps.cli import executions
    from fairlead.model import state as s

    with executions.open_store(store) as opened:
        row = executions.row_of(opened, name)
        if what == "redrive":
            _demand(name, what, row.phase, (s.FAILED, s.CANCELLED), "Failed or Cancelled")
            opened.redrive(name)
        else:
            unended = (s.PENDING, s.RUNNING, s.SUSPENDED, "Compensating")
            _demand(name, what, row.phase, unended, "one that has not ended")
            wish = opened.set_wish(name, **changes)  # type: ignore[arg-type]
            if what == "resume" and wish.held:
                out(f"{name}: its parent is suspended, and it goes on when that is resumed")
                return
        owner = opened.owner(row.uid)
    if owner:
        out(f"{name}: {what} asked for; process {owner} takes it up")
    else:
        resume_it = f"`fairlead run --resume {name}{executions.store_option(store)}`"
        out(f"{name}: {what} asked for; no process runs it now, {resume_it} takes it up")


def _demand(name: str, what: str, phase: str, allowed: tuple[str, ...], expected: str) -> None:
    from fairlead.model.errors import InvalidInput

    if phase not in allowed:
        raise InvalidInput(f"{what} means nothing to {name}, which is {phase}; expected {expected}")
