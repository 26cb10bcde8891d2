"""Markdown pages: what stands between `<!-- TABLE: NAME … -->` and `<!-- end -->` is made here, all else is left alone.

A picture `images/graphs/NAME.svg` in a page is that of the page's own manifest `# NAME.yaml`, as `fairlead graph` draws it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fairlead.apps.cli.graph import view_of_file
from fairlead.apps.docs import states, tables
from fairlead.apps.views.graphs import to_svg

TABLES: dict[str, Callable[[Sequence[str]], str]] = {
    "fields": tables.fields,
    "common fields": tables.common_fields,
    "reasons": tables.reasons,
    "conditions": tables.conditions,
    "condition reasons": tables.condition_reasons,
    "waits": tables.waits,
    "notices": tables.notices,
    "kinds": tables.kinds,
    "functions": tables.functions,
    "metrics": tables.metrics,
}
_MARKED = re.compile(r"(<!-- ([a-z ]+):([\w ]*)-->\n).*?(<!-- end -->)", re.DOTALL)
_MANIFEST = re.compile(r"^```yaml\n# ([\w-]+)\.yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"images/graphs/([\w-]+)\.svg")


def filled(page: str) -> str:
    """A page with its tables made anew. Raises KeyError or ValueError for a table that there is none of."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](found[3].split())}\n{found[4]}", page)


def graphs_of(page: str) -> Iterator[tuple[str, str]]:
    """Name and SVG of each picture of a manifest in a page; the page's other manifests lie beside it."""
    manifests = dict(_MANIFEST.findall(page))
    with TemporaryDirectory() as folder:
        for name, text in manifests.items():
            (Path(folder) / f"{name}.yaml").write_text(text, encoding="utf-8")
        for name in dict.fromkeys(_PICTURE.findall(page)):
            yield name, to_svg(view_of_file(Path(folder) / f"{name}.yaml"))


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
