"""The parts of docs/ that are made from the code are what the code gives: `make docs` writes them anew."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET

import pytest
from tests.docs.doc_pages import DOCS, ROOT, Page
from tests.engine.test_transitions import SCENARIOS
from tests.support.cli import Cli
from tests.support.driver import Driver

from fairlead.apps.docs.__main__ import write
from fairlead.apps.docs.pages import filled, generated
from fairlead.apps.docs.states import FAMILIES, moves_of, pictures
from fairlead.engine.transitions import NODE, TABLES
from fairlead.engine.turn import Turn
from fairlead.engine.validation.unsupported import KINDS
from fairlead.model import events as e
from fairlead.model.ids import key_of
from fairlead.model.manifests import NODE_KINDS
from fairlead.model.reasons import MEANINGS

GENERATED = {str(path.relative_to(ROOT)): text for path, text in generated(DOCS).items()}


@pytest.mark.parametrize("name", GENERATED)
def test_generated_parts_are_fresh(name):
    """What stands in docs/ is what the generator gives."""
    assert GENERATED[name] == (ROOT / name).read_text(encoding="utf-8")


def test_no_other_pictures_lie_there():
    """A picture that no page and no table asks for any more is gone."""
    made = {path for path in GENERATED if path.endswith(".svg")}
    there = {
        str(path.relative_to(ROOT))
        for folder in ("graphs", "states")
        for path in (DOCS / "images" / folder).iterdir()
    }

    assert made == there


def test_pictures_of_manifests_are_what_the_tool_draws(tmp_path):
    """`fairlead graph FILE --format svg` gives the committed bytes."""
    drawn = 0
    for path in [*DOCS.glob("*.md"), *DOCS.glob("nodes/*.md")]:
        page = Page(path)
        folder = tmp_path / f"{path.parent.name}-{path.stem}"
        folder.mkdir()
        cli = Cli(folder)
        for file, text in page.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        for name in re.findall(r"images/graphs/([\w-]+)\.svg", page.text):
            picture = (DOCS / "images" / "graphs" / f"{name}.svg").read_text(encoding="utf-8")
            drawn += 1

            assert picture == cli.ok("graph", f"{name}.yaml", "--format", "svg")
    assert drawn


def test_the_command_writes_only_what_differs(tmp_path):
    """A second run has nothing to do; a table that is unknown is refused by its name."""
    (tmp_path / "page.md").write_text("<!-- reasons: Timeout -->\n<!-- end -->\n", encoding="utf-8")

    assert len(write(tmp_path)) == 1 + len(pictures())
    assert write(tmp_path) == []
    assert MEANINGS["Timeout"] in (tmp_path / "page.md").read_text(encoding="utf-8")
    with pytest.raises(KeyError, match="wishes"):
        filled("<!-- wishes: -->\n<!-- end -->\n")


# ---------------------------------------------------------------------------------------------------------- state diagrams
def test_every_move_of_a_table_is_in_a_picture():
    """The pictures of the nodes together show the whole table, those of runs and paths all of theirs."""
    drawn = {
        (status, event)
        for family in FAMILIES.values()
        for status, row in moves_of(family).items()
        for event in row
    }

    assert drawn == {(status, event) for status, row in NODE.items() for event in row}
    for name in ("execution", "path"):
        view = pictures()[name]
        said = " ".join(f"{edge.label}, {edge.source}" for edge in view.edges)
        said += " ".join(f"{node.label} {node.detail or ''}" for node in view.nodes)
        assert {event for row in TABLES[name].values() for event in row} <= set(re.findall(r"\w+", said))


def test_every_kind_is_in_one_family():
    """A node kind that is run has one state diagram, and its page shows it."""
    kinds = [kind for family in FAMILIES.values() for kind in family.kinds]

    assert len(kinds) == len(set(kinds))
    assert {kind for kind in NODE_KINDS if kind not in KINDS} <= set(kinds)
    for name, family in FAMILIES.items():
        for kind in set(family.kinds) - set(KINDS):
            assert f"images/states/{name}.svg" in Page(DOCS / "nodes" / f"{kind}.md").text


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """The moves that runs make: kind of node, status, event."""
    seen: set[tuple[str, str, str]] = set()
    emit = Turn.emit

    def watching(self, cls, **fields):
        before = None
        node = fields.get("node")
        if node and self.state.scopes and not cls.__name__.startswith(("Path", "Execution")):
            key = key_of(node)
            spec = self.graph.find(key).spec
            inline = spec.workflow is not None and spec.workflow.inline
            before = ("while" if inline else spec.kind, self.state.node(key).status)
        emit(self, cls, **fields)
        if before is not None and cls.__name__ in NODE[before[1]]:
            seen.add((*before, cls.__name__))

    monkeypatch.setattr(Turn, "emit", watching)
    return seen


def test_runs_make_no_move_that_the_pictures_do_not_show(made):
    """What nodes of a kind do in the scenarios of the tables and in a run of each kind is drawn in the kind's picture."""
    for scenario in SCENARIOS:
        scenario()
    kinds = [
        {"name": "a", "log": {"message": "x"}},
        {"name": "b", "after": ["a"], "switch": {"cases": [{"name": "c", "when": "true"}]}},
        {"name": "d", "after": ["b.c"], "if": "inputs.missing", "fallback": "f"},
        {"name": "f", "set": {"x": 1}},
        {"name": "w", "wait": {"for": "1s"}},
        {
            "name": "l",
            "while": {"condition": "pass.index < 2", "nodes": [{"name": "n", "log": {"message": "x"}}]},
        },
        {"name": "e", "after": ["l"], "finish": {"result": "allowed"}},
    ]
    Driver({"nodes": kinds}).create()
    families = {kind: moves_of(family) for family in FAMILIES.values() for kind in family.kinds}

    assert {"run", "set", "if", "wait", "while", "forEach", "parallel", "finish"} <= {
        kind for kind, _, _ in made
    }
    assert [move for move in sorted(made) if move[2] not in families[move[0]].get(move[1], {})] == []
    assert {event for _, _, event in made} <= set(e.TYPES)


@pytest.mark.parametrize("name", pictures())
def test_no_label_of_a_state_diagram_is_cut_or_covered(name):
    """Every event and status is written out, and no two labels lie on each other."""
    picture = ET.fromstring(GENERATED[f"docs/images/states/{name}.svg"])
    texts = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    plates = [
        tuple(float(rect.get(side, "0")) for side in ("x", "y", "width", "height"))
        for rect in picture.iter("{http://www.w3.org/2000/svg}rect")
        if rect.get("class") == "p"
    ]

    assert not [text for text in texts if "…" in text]
    for place, (x, y, width, height) in enumerate(plates):
        for other_x, other_y, other_width, other_height in plates[place + 1 :]:
            apart = x + width <= other_x or other_x + other_width <= x
            assert apart or y + height <= other_y or other_y + other_height <= y


def test_make_docs_is_there():
    """`make docs` runs the generator."""
    done = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "fairlead.apps.docs docs" in done.stdout
