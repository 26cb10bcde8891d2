"""Pages of docs/ as their readers use them: files saved, commands typed one after the other, output compared.

```yaml                the first line `# name.yaml` names the file
```json                the line above ends with the name: `name.json`:
```console             `$ fairlead …` is run; `# exit code 1` behind it says how it ends (0 without);
                       `$ export NAME=value` holds for what follows; other lines are the output, `…` is any text
127.0.0.1:8000         the server of the page, wherever it really listens
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.cli import LONGEST, Cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OF_A_CLUSTER = {"cluster.md"}
OF_THEIR_OWN = {"tutorial.md", "install.md", "gitops.md"}
"""Pages whose commands need a cluster: `test_cluster_page` has them, and those of the second set have tests of their own."""
SERVER = "127.0.0.1:8000"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w-]+\.yaml)\n")
_JSON = re.compile(r"`([\w-]+\.json)`:\n\n```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit code (\d+)$")
_VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b\d+(?:\.\d+)?(?:ms|s)\b"), "DURATION"),
    (re.compile(r"sha256:[0-9a-f]+"), "DIGEST"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
]


class Command(NamedTuple):
    """One command of a page, and what the page says of it."""

    line: str
    code: int
    output: str


class Page:
    """A page of docs/."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    @property
    def files(self) -> dict[str, str]:
        """The files that the reader saves."""
        found: dict[str, str] = {}
        for language, text in _BLOCK.findall(self.text):
            name = _FILE.match(text)
            if language == "yaml" and name is not None:
                found[name[1]] = text
        return found | dict(_JSON.findall(self.text))

    @property
    def commands(self) -> list[Command]:
        """The commands in order."""
        found: list[Command] = []
        for language, text in _BLOCK.findall(self.text):
            if language != "console":
                continue
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, output = part.partition("\n")
                ends = _EXIT.search(line)
                found.append(Command(_EXIT.sub("", line), int(ends[1]) if ends else 0, output))
        return found

    def run(self, cli: Cli, server: str = SERVER) -> Iterator[tuple[Command, int, str]]:
        """Run the commands in the reader's folder; each with its exit code and what it printed."""
        for name, text in self.files.items():
            (cli.folder / name).write_text(text.replace(SERVER, server), encoding="utf-8")
        for command in self.commands:
            words = shlex.split(command.line.replace(SERVER, server))
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                cli.env[name] = value
                continue
            done = subprocess.run(
                words,
                cwd=cli.folder,
                env=cli.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LONGEST,
                check=False,
            )
            yield command, done.returncode, done.stdout.replace(server, SERVER)


def agrees(expected: str, actual: str) -> bool:
    """Whether an output is what a page says, but for times, the widths of columns, and what stands for `…`."""
    pattern = re.escape(_settled(expected)).replace("…\\\n", "(?:.*\n)*?").replace("…", ".*")
    return re.fullmatch(pattern, _settled(actual)) is not None


def _settled(text: str) -> str:
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text
