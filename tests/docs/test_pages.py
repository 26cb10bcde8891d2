"""The pages of docs/: what they tell the reader to do works, and gives what they say."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.docs.doc_pages import DOCS, OF_A_CLUSTER, OF_THEIR_OWN, ROOT, SERVER, Page, agrees
from tests.runner.api_servers import small
from tests.runner.reach_support import as_json, serving
from tests.support.cli import Cli

from fairlead.engine.validation.unsupported import KINDS
from fairlead.model.manifests import NODE_KINDS

PAGES = {str(path.relative_to(DOCS)): path for path in sorted([*DOCS.glob("*.md"), *DOCS.glob("nodes/*.md")])}
RUN_KINDS = [kind for kind in NODE_KINDS if kind not in KINDS]

pytestmark = [pytest.mark.local, pytest.mark.timeout(180)]


@contextmanager
def files_served(folder: Path) -> Iterator[str]:
    """What `python3 -m http.server` gives the reader of http.md."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def surroundings(page: Page, cli: Cli) -> Iterator[str]:
    """What a page says that the reader has: a server of files, a web hook, a cluster. Gives host and port of the server."""
    if page.path.name == "http.md":
        with files_served(cli.folder) as server:
            yield server
    elif page.path.name == "notify.md":
        with serving(as_json({})) as hook:
            yield f"127.0.0.1:{hook.port}"
            assert ["Release 1.4"] == [request.json()["title"] for request in hook.requests]
    elif page.path.name == "resource.md":
        with small(cli.folder) as api:
            cli.env |= api.kubeconfig()
            yield SERVER
    else:
        yield SERVER


@pytest.mark.parametrize("name", sorted(PAGES.keys() - OF_A_CLUSTER - OF_THEIR_OWN))
def test_a_page_works(name, tmp_path):
    """Its manifests are saved, its commands typed in order: each ends as the page says and prints what stands there."""
    page, cli = Page(PAGES[name]), Cli(tmp_path)
    with surroundings(page, cli) as server:
        for command, code, output in page.run(cli, server):
            assert (command.code, True) == (code, agrees(command.output, output)), (
                f"$ {command.line}\n{output}"
            )


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_every_kind_has_a_page_with_a_run(kind):
    """It shows a manifest with such a node, how its run ends, the fields, what fails it, a mistake, and the states."""
    page = Page(DOCS / "nodes" / f"{kind}.md")

    assert any(re.search(rf"[-{{,\s]{kind}:", text) for text in page.files.values())
    assert any(re.search(r"^\w+ Succeeded ", command.output, re.MULTILINE) for command in page.commands)
    assert any(command.code for command in page.commands)
    for part in ("## Ports and outputs", "## What fails it", "## Common mistakes", "images/states/"):
        assert part in page.text


def test_outputs_are_compared():
    """Times may differ and `…` is any text; a word, a line more or a line less is seen."""
    said = "…\n2026-11-21T12:47:42.570Z NodeCompleted say in 20ms\nfirst Succeeded in 1.2s: 1 node\n"
    same = "one\ntwo\n2027-01-01T00:00:00.001Z NodeCompleted say in 3s\nfirst Succeeded in 7ms: 1 node\n"

    assert agrees(said, same)
    assert not agrees(said, same.replace("say", "said"))
    assert not agrees(said, same + "more\n")
    assert not agrees(said, same.replace("first Succeeded in 7ms: 1 node\n", ""))


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_a_page_names_are_there(name):
    """File and function."""
    for file, function in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", Page(PAGES[name]).text):
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{function}"


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name):
    """Relative links name files that are there, and headings that the page has."""
    page = Page(PAGES[name])
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.text):
        there = (page.path.parent / target).resolve() if target else page.path

        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {title.lower().replace(" ", "-") for title in titles}, heading
