"""Arguments and options that several commands take, each defined once; `looks` gives a command those that say where to look."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer


class Document(StrEnum):
    """Forms of a result that is one object."""

    JSON = "json"
    YAML = "yaml"


class Listing(StrEnum):
    """Forms of a result that is listed."""

    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"


Name = Annotated[str, typer.Argument(metavar="ID", help="The execution's name.", show_default=False)]

Runnable = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="A Workflow or a WorkflowExecution; - is stdin.", show_default=False),
]

RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="The execution's name. Default: the workflow's and five letters.",
        show_default=False,
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "-i", metavar="KEY=VALUE", help="An input, as the schema wants it.", show_default=False
    ),
]
InputsFile = Annotated[
    Path | None,
    typer.Option("--inputs", metavar="FILE", help="A file with inputs, YAML or JSON.", show_default=False),
]

AsDocument = Annotated[
    Document | None,
    typer.Option(
        "--output", "-o", help="Print one JSON or YAML document and nothing else.", show_default=False
    ),
]

AsListing = Annotated[
    Listing | None,
    typer.Option(
        "--output", "-o", help="Print one JSON or YAML document, or a wider table.", show_default=False
    ),
]

StorePath = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="The local store. Default: $FAIRLEAD_STORE, else fairlead/store.db in $XDG_STATE_HOME or ~/.local/state.",
        show_default=False,
    ),
]

Local = Annotated[
    bool, typer.Option("--local", help="Look in the local store, also where a kube context is set.")
]

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="The namespace. Default: that of the kube context.",
        show_default=False,
    ),
]

Context = Annotated[
    str | None,
    typer.Option(
        "--context", metavar="NAME", help="The kube context. Default: the current one.", show_default=False
    ),
]

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="PATH",
        help="The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.",
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


class Where(NamedTuple):
    """Where a command is told to look."""

    store: Path | None = None
    local: bool = False
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None

    @property
    def names_store(self) -> bool:
        """Whether the local store is meant by name."""
        return self.local or self.store is not None

    @property
    def names_cluster(self) -> bool:
        """Whether a cluster is meant by name."""
        return any(word is not None for word in (self.namespace, self.context, self.kubeconfig))


_INVOCATION = "invocation"
OF_CLUSTER = {"namespace": Namespace, "context": Context, "kubeconfig": Kubeconfig}
OF_BOTH = {"store": StorePath, "local": Local, **OF_CLUSTER}


def looks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command whose last argument is `where` the options that say where to look."""
    return _with_options(command, OF_BOTH)


def looks_in_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that only a cluster can do."""
    return _with_options(command, OF_CLUSTER)


def _with_options(command: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    """`where` is put together from options of the command, and from those that stand before its name, as with kubectl."""

    def asked(**given: Any) -> Any:
        before = given.pop(_INVOCATION).find_root().obj or Where()
        own = {name: given.pop(name) or getattr(before, name) for name in options}
        return command(**given, where=Where(**own))

    signature = inspect.signature(command, eval_str=True)
    parameters = [one for one in signature.parameters.values() if one.name != "where"]
    parameters.append(
        inspect.Parameter(_INVOCATION, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    )
    parameters += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False if name == "local" else None
        )
        for name, kind in options.items()
    ]
    asked.__doc__, asked.__name__ = command.__doc__, command.__name__
    asked.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {one.name: one.annotation for one in parameters}
    return asked
