"""Arguments and options that several commands take, each defined once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
    bool,
    typer.Option("--local", help="Look in the local store (this release knows no other home)."),
]
