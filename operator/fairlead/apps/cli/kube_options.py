"""Options by which commands of this release that need a cluster name it, and how they reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from fairlead.kube.client import Client

T = TypeVar("T")

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="The namespace. Default: that of the kube context.",
        show_default=False,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="The context of the kubeconfig. Default: the current one.",
        show_default=False,
    ),
]
LeaseName = Annotated[
    str | None,
    typer.Option(
        "--lease",
        metavar="[NAMESPACE/]NAME",
        help="The Lease by which operators agree on a leader. Default: fairlead.",
        show_default=False,
    ),
]


def in_cluster(context: str | None, work: Callable[[Client, str], Awaitable[T]]) -> T:
    """Run something with a client and the namespace of the context. Raises Unavailable."""
    from fairlead.kube.client import Client, from_kubeconfig

    credentials = from_kubeconfig(context=context)

    async def run() -> T:
        async with Client(credentials) as client:
            return await work(client, credentials.namespace)

    return asyncio.run(run())


def means_cluster(store: Path | None, *, local: bool, namespace: str | None, context: str | None) -> bool:
    """Whether a command means the cluster: it says so, or says nothing and a kube context is set. Raises InvalidInput."""
    from fairlead.model.errors import InvalidInput, Unavailable

    here = "--store" if store is not None else "--local" if local else ""
    there = "-n" if namespace is not None else "--context" if context is not None else ""
    if here and there:
        raise InvalidInput(f"{here} means the local store and {there} the cluster; expected one of them")
    if here or there:
        return bool(there)
    from fairlead.kube.client import from_kubeconfig

    try:
        from_kubeconfig()
    except Unavailable:
        return False
    return True
