"""`fairlead suspend`, `resume`, `cancel` and `redrive`: they record what is wished for, and say who takes it up.

In the local store that is the process that runs the execution, or the next `run --resume`; in a cluster it is the operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.options import Name, Where, looks
from fairlead.apps.cli.terminal import out

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Changes, Wished

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


@looks
def suspend(name: Name, timeout: Timeout = None, *, where: Where) -> None:
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
    _wish(name, where, "suspend", {"suspend_timeout": limit})


@looks
def resume(name: Name, where: Where) -> None:
    """Let a suspended execution go on.

    Example:
      fairlead resume order-qwxyz
    """
    _wish(name, where, "resume", {})


@looks
def cancel(name: Name, reason: Reason = "", force: Force = False, *, where: Where) -> None:
    """End an execution: running nodes are stopped, then `finally` runs. It cannot be taken back.

    Examples:
      fairlead cancel order-qwxyz --reason "wrong order"
      fairlead cancel order-qwxyz --force
    """
    _wish(name, where, "cancel", {"cancel_reason": reason, "force": force})


@looks
def redrive(name: Name, where: Where) -> None:
    """Run the failed nodes of a Failed or Cancelled execution again, and what follows from them.

    Nodes that succeeded keep their results, earlier attempts stay in the log.

    Examples:
      fairlead redrive order-qwxyz
      fairlead redrive order-qwxyz --local && fairlead run --resume order-qwxyz
    """
    _wish(name, where, "redrive", {})


def _wish(name: str, where: Where, what: Wished, changes: Changes) -> None:
    from fairlead.apps.cli.homes import home_at
    from fairlead.model import state as s

    with home_at(where) as home:
        known = home.find(name)
        if what == "redrive":
            _demand(name, what, known.phase, (s.FAILED, s.CANCELLED), "Failed or Cancelled")
        else:
            unended = (s.PENDING, s.RUNNING, s.SUSPENDED, "Compensating")
            _demand(name, what, known.phase, unended, "one that has not ended")
        out(f"{name}: {home.wish(known, what, changes)}")


def _demand(name: str, what: str, phase: str, allowed: tuple[str, ...], expected: str) -> None:
    from fairlead.model.errors import InvalidInput

    if phase not in allowed:
        raise InvalidInput(f"{what} means nothing to {name}, which is {phase}; expected {expected}")
