"""`fairlead release`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.options import Context, Kubeconfig, LeaseName, Namespace, Where
from fairlead.apps.cli.terminal import out
from fairlead.model.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from fairlead.kube.client import Client
    from fairlead.kube.releasing import Released

Execution = Annotated[
    str | None, typer.Argument(metavar="ID", help="One execution alone.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All executions and pods of the namespace.")]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]
Force = Annotated[bool, typer.Option("--force", help="Also while an operator leads.")]


def release(
    name: Execution = None,
    everything: All = False,
    everywhere: Everywhere = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    force: Force = False,
    lease: LeaseName = None,
) -> int:
    """Let go of what an operator holds that is not there any more: its finalizers on pods and executions.

    They keep results from being lost while an operator is away for a while. Once it is gone for good they keep namespaces from
    being deleted. Nothing is deleted here, and finalizers of others stay. Doing it again is harmless.

    Examples:
      fairlead release --all -n shop
      fairlead release --all -A
      fairlead release order-qwxyz
    """
    _demand_one_of(name, everything, everywhere, namespace)

    from fairlead.apps.cli.cluster.reaching import in_cluster

    async def work(client: Client, place: str) -> Released:
        from fairlead.kube.releasing import release_all, release_one

        if not force:
            await _demand_absence(client, lease)
        if name is not None:
            return await release_one(client, place, name)
        return await release_all(client, None if everywhere else place)

    return _say(in_cluster(Where(namespace=namespace, context=context, kubeconfig=kubeconfig), work))


def _demand_one_of(name: str | None, everything: bool, everywhere: bool, namespace: str | None) -> None:
    if name is None and not everything:
        raise InvalidInput("nothing is named; expected --all, or the ID of one execution")
    if name is not None and (everything or everywhere):
        raise InvalidInput(f"{name} and --all are given; expected one of them")
    if everywhere and namespace is not None:
        raise InvalidInput(f"-A and -n {namespace} are given; expected one of them")


async def _demand_absence(client: Client, lease: str | None) -> None:
    """Raises InvalidInput while somebody leads, Unavailable if that cannot be told."""
    from fairlead.kube import names
    from fairlead.kube.client import Forbidden
    from fairlead.kube.leases import leader

    try:
        held = await leader(client, lease or names.LEASE)
    except Forbidden as error:
        raise Unavailable(
            f"whether an operator leads cannot be told ({error}); --force releases all the same"
        ) from error
    if held is not None:
        raise InvalidInput(
            f"operator {held.holder} leads (Lease {held.place}) and lets go of what it holds by itself; "
            "expected it to be stopped first, --force releases all the same",
            "OperatorLeads",
        )


def _say(done: Released) -> int:
    from fairlead.apps.cli.failures import DONE, UNREACHABLE, complain
    from fairlead.apps.views.words import count

    out(f"released {count(done.pods, 'pod')} and {count(done.executions, 'execution')}")
    if not done.refused:
        return DONE
    complain(f"{count(done.refused, 'object')} could not be released, first: {done.reason}")
    return UNREACHABLE
