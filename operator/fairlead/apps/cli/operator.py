"""`fairlead operator`."""

from __future__ import annotations

from typing import Annotated

import typer

from fairlead.apps.cli.options import Context, Kubeconfig, Namespace

Everywhere = Annotated[
    bool,
    typer.Option(
        "--all-namespaces",
        "-A",
        help="Serve every namespace.",
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--runner-image",
        metavar="IMAGE",
        help="The image of nodes that name none. Default: $FAIRLEAD_RUNNER_IMAGE.",
        show_default=False,
    ),
]
LeaseName = Annotated[
    str,
    typer.Option(
        "--lease",
        metavar="NAME",
        help="The Lease by which operators agree on a leader.",
    ),
]
LeaseNamespace = Annotated[
    str | None,
    typer.Option(
        "--lease-namespace",
        metavar="NAME",
        help="Where the Lease is. Default: the namespace of the context.",
        show_default=False,
    ),
]
Identity = Annotated[
    str | None,
    typer.Option(
        "--identity",
        metavar="NAME",
        help="Hold the Lease under this name; no other process may run under it. Default: the host's name.",
        show_default=False,
    ),
]
Probes = Annotated[
    int | None,
    typer.Option(
        "--probes",
        metavar="PORT",
        help="Answer /healthz, /readyz and /metrics there.",
        show_default=False,
    ),
]


def operator(  # noqa: PLR0913, PLR0917 - one argument per option
    namespace: Namespace = None,
    all_namespaces: Everywhere = False,
    runner_image: Image = None,
    lease: LeaseName = "fairlead",
    lease_namespace: LeaseNamespace = None,
    identity: Identity = None,
    probes: Probes = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Be the operator: run the executions of a namespace, or of all, as pods, until SIGTERM or Ctrl-C.

    Several may run: one leads, the others stand by. It waits for the CRDs (`fairlead crds | kubectl apply -f -`).

    Examples:
      fairlead operator --all-namespaces --runner-image registry.example/fairlead-runner:0.1.0
      fairlead operator -n team-a --identity laptop
    """
    import asyncio

    from fairlead.apps.operator.logs import prepare_logs
    from fairlead.apps.operator.serving import serve
    from fairlead.apps.operator.settings import settings_of

    settings = settings_of(
        namespace=namespace,
        all_namespaces=all_namespaces,
        lease=lease,
        lease_namespace=lease_namespace,
        identity=identity,
        runner_image=runner_image,
        probes=probes,
        kubeconfig=kubeconfig,
        context=context,
    )
    prepare_logs()
    asyncio.run(serve(settings))
