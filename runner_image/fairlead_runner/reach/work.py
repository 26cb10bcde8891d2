"""Runs a node that reaches out, in the child that was forked for it, and hands its outputs over.

Rules of this file
- Outputs go into the outputs file and are judged there as any program's; a failure goes into the verdict file.
  The process ends with 0 in both cases: its exit code says nothing about the world outside.
- Nothing of the parent runs after it: the end is `_exit`.
"""

from __future__ import annotations

import posix
import sys
from typing import Any

from fairlead_runner import lean_json, scratch, values
from fairlead_runner.documents import Node
from fairlead_runner.reach.failures import Failed
from fairlead_runner.scratch import Scratch


def run(node: Node, place: Scratch, env: dict[str, str]) -> None:
    """Do the node's work, and end this process."""
    code = 0
    try:
        _settle(env)
        scratch.write(place.outputs, _encoded(_work(node, env)))
    except Failed as failed:
        code = _refuse(place, failed.reason, str(failed))
    except values.Unfit as unfit:
        code = _refuse(place, "OutputInvalid", str(unfit))
    except BaseException as error:  # noqa: BLE001 - an answer and not silence, whatever a library raised
        # Its text may show what was sent, so only its kind is told.
        code = _refuse(
            place, "RunnerFailed", f"the {node.kind} node could not be run: {type(error).__name__}"
        )
    posix._exit(code)  # noqa: SLF001 - its documented name


def _work(node: Node, env: dict[str, str]) -> dict[str, Any]:
    if node.kind == "http":
        from fairlead_runner.reach import web

        return web.run(node.spec, env)
    if node.kind == "notify":
        from fairlead_runner.reach import notice

        return notice.run(node.spec, env)
    from fairlead_runner.reach import resource

    return resource.run(node.spec, env, node.idempotency_key)


def _encoded(outputs: dict[str, Any]) -> str:
    text = lean_json.encode(values.check(outputs))
    size = len(text.encode())
    if size > values.MAX_BYTES:
        raise Failed("OutputTooLarge", values.too_large(size))
    return text


def _refuse(place: Scratch, reason: str, message: str) -> int:
    plain = message.encode("utf-8", "replace").decode()
    try:
        scratch.write(place.verdict, lean_json.encode({"reason": reason, "message": plain}))
    except OSError as error:
        posix.write(2, f"fairlead: the result cannot be written: {error}\n".encode())
        return 1
    return 0


def _settle(env: dict[str, str]) -> None:
    """The environment of the node, and the packages installed beside this interpreter."""
    import os
    import site

    os.environ.clear()
    os.environ.update(env)
    site.main()  # we were started without it, for speed
    sys.argv = ["fairlead-node"]
