"""Options by which commands of this release that need a cluster name it, and how they reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
        metavar="NAME",
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
