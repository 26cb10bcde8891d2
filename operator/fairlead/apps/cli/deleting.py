"""`fairlead delete`."""

from __future__ import annotations

from fairlead.apps.cli.options import Local, Name, StorePath
from fairlead.apps.cli.terminal import out


def delete(name: Name, store: StorePath = None, local: Local = False) -> None:
    """Remove an execution that has ended from the store, with its log and what its nodes printed.

    Executions that its nodes have started and waited for go with it; those that were let go stay.

    Example:
      fairlead delete order-qwxyz
    """
    from fairlead.apps.cli import executions

    with executions.open_store(store) as opened:
        opened.delete(name)
    out(f"{name} is deleted")
