"""`fairlead delete`."""

from __future__ import annotations

from fairlead.apps.cli.options import Name, Where, looks
from fairlead.apps.cli.terminal import out


@looks
def delete(name: Name, where: Where) -> None:
    """Remove an execution that has ended, with its log and what its nodes printed.

    Executions that its nodes have started and waited for go with it; those that were let go stay. In a cluster the operator lets
    go of it first, so that it may be there for a moment yet.

    Example:
      fairlead delete order-qwxyz
    """
    from fairlead.apps.cli.homes import home_at

    with home_at(where) as home:
        out(f"{name} {home.delete(home.find(name))}")
