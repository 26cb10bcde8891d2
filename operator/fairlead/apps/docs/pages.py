"""Markdown pages: what stands between `<!-- TABLE: NAME … -->` and `<!-- end -->` is made here, all else is left alone.

A picture `images/graphs/NAME.svg` in a page is that of the page's own manifest `# NAME.yaml`, as `fairlead graph` draws it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fairlead.apps.docs import states, tables
from fairlead.apps.views.graphs import GraphView, to_svg
from fairlead.apps.views.workflow_graph import graph_view
from fairlead.engine.graph import compile_workflow
from fairlead.model.manifests import Workflow
from fairlead.model.shapes import read_shapes

TABLES: dict[str, Callable[[Sequence[str]], str]] = {
    "fields": tables.fields,
    "common fields": tables.common_fields,
    "reasons": tables.reasons,
    "kinds": tables.kinds,
    "functions": tables.functions,
}
_MARKED = re.compile(r"(<!-- ([a-z ]+):([\w ]*)-->\n).*?(<!-- end -->)", re.DOTALL)
_MANIFEST = re.compile(r"^```yaml\n# ([\w-]+)\.yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"images/graphs/([\w-]+)\.svg")


def filled(page: str) -> str:
    """A page with its tables made anew. Raises KeyError or ValueError for a table that there is none of."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](found[3].split())}\n{found[4]}", page)


def graphs_of(page: str) -> Iterator[tuple[str, str]]:
    """Name and SVG of each picture of a manifest in a page."""
    manifests = dict(_MANIFEST.findall(page))
    for name in dict.fromkeys(_PICTURE.findall(page)):
        yield name, to_svg(_graph(name, manifests[name]))


def _graph(name: str, text: str) -> GraphView:
    shapes, _ = read_shapes(text, name)
    found = next(shape.manifest for shape in shapes if isinstance(shape.manifest, Workflow))
    title = found.metadata.name or name
    return graph_view(compile_workflow(found.spec, title), title)


def generated(folder: Path) -> dict[Path, str]:
    """Every file that is made or has a part that is made, with the text that it should have."""
    made = {
        folder / "images" / "states" / f"{name}.svg": to_svg(view) for name, view in states.pictures().items()
    }
    for path in sorted([*folder.glob("*.md"), *folder.glob("nodes/*.md")]):
        text = path.read_text(encoding="utf-8")
        made[path] = filled(text)
        made |= {folder / "images" / "graphs" / f"{name}.svg": svg for name, svg in graphs_of(text)}
    return made
