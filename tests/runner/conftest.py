"""A factory of real runners that leaves none behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.runner.runner_support import Runner, document


class Start(Protocol):
    """Starts a runner for `python=`, `sh=` or `command=`; the rest are fields of the node document. Or for a whole `node`."""

    def __call__(
        self,
        *,
        env_of_home: Mapping[str, str] | None = None,
        prelude: str = "",
        stderr: int | None = None,
        node: Mapping[str, Any] | bytes | None = None,
        **fields: Any,
    ) -> Runner: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Runner] = []

    def start(
        *,
        env_of_home: Mapping[str, str] | None = None,
        prelude: str = "",
        stderr: int | None = None,
        node: Mapping[str, Any] | bytes | None = None,
        **fields: Any,
    ) -> Runner:
        run: dict[str, Any] = {
            kind: fields.pop(kind) for kind in ("python", "sh", "cleanup") if kind in fields
        }
        if "command" in fields:
            run |= {"image": "any", "command": fields.pop("command")}
        folder = tmp_path / f"run-{len(started)}"
        folder.mkdir()
        started.append(
            Runner(
                folder, document(run, **fields) if node is None else node, env_of_home or {}, prelude, stderr
            )
        )
        return started[-1]

    yield start
    for runner in started:
        runner.end()
