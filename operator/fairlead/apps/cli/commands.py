"""The table of commands. A command's module is loaded when it is called, or when its own help is asked for.

Help is plain text as written in the docstrings, examples included: it must answer at once, and be readable through a pipe.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from fairlead.apps.cli.options import Context, Kubeconfig, Namespace, Where
from fairlead.apps.cli.terminal import BrokenOutput


class Entry(NamedTuple):
    """Where a command is, and what it does in a few words."""

    target: str
    summary: str


_HERE = "fairlead.apps.cli"

COMMANDS: dict[str, Entry] = {
    "run": Entry(f"{_HERE}.run:run", "run a workflow here, or go on with a run"),
    "validate": Entry(
        f"{_HERE}.validate:validate", "say all that is wrong with manifests, without running them"
    ),
    "graph": Entry(f"{_HERE}.graph:graph", "draw a workflow, or what a run of it has come to"),
    "test": Entry(f"{_HERE}.test_command:test", "run test cases of a workflow in virtual time"),
    "submit": Entry(f"{_HERE}.submit:submit", "create an execution in the cluster"),
    "list": Entry(f"{_HERE}.listing:list_", "list executions"),
    "get": Entry(f"{_HERE}.listing:get", "show one execution"),
    "watch": Entry(f"{_HERE}.watch:watch", "show how an execution goes on, until it has ended"),
    "events": Entry(f"{_HERE}.events:events", "show what happened in an execution, from the start or live"),
    "logs": Entry(f"{_HERE}.logs:logs", "show what nodes printed"),
    "suspend": Entry(f"{_HERE}.wishes:suspend", "pause an execution: what runs ends, nothing new starts"),
    "resume": Entry(f"{_HERE}.wishes:resume", "let a suspended execution go on"),
    "cancel": Entry(f"{_HERE}.wishes:cancel", "end an execution"),
    "redrive": Entry(
        f"{_HERE}.wishes:redrive", "run the failed nodes of an execution again, and what follows"
    ),
    "delete": Entry(f"{_HERE}.deleting:delete", "remove an execution that has ended, with its log"),
    "replay": Entry(
        f"{_HERE}.replay:replay", "fold a log again and name the first difference to what was recorded"
    ),
    "release": Entry(
        f"{_HERE}.releasing:release", "free what an operator holds in the cluster that is not there any more"
    ),
    "export": Entry(f"{_HERE}.moving:export", "write an execution with its log into a file"),
    "import": Entry(f"{_HERE}.moving:import_", "take in an execution from such a file"),
    "operator": Entry(f"{_HERE}.operator:operator", "be the operator of a cluster"),
    "crds": Entry(f"{_HERE}.crds:crds", "print the Kubernetes CRDs"),
}


class Command(TyperCommand):
    """A command whose help text keeps its indented lines as they are written: examples are to be copied."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The docstring: prose as wide as the terminal, examples untouched."""
        formatter.write_paragraph()
        for prose, lines in groupby(inspect.cleandoc(self.help or "").splitlines(), key=_is_prose):
            if prose:
                with formatter.indentation():
                    formatter.write_text(" ".join(lines))
            else:
                formatter.write("".join(f"  {line}".rstrip() + "\n" for line in lines))


def _is_prose(line: str) -> bool:
    return bool(line) and not line.startswith(" ") and not line.endswith(":")


class Commands(TyperGroup):
    """The group of all commands, of which only the one that is called is loaded."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, function = entry.target.partition(":")
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cmd_name, cls=Command)(getattr(importlib.import_module(module), function))
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, or name the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"{args[0]!r} is no command{_nearest(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Names and summaries, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a closed pipe is told apart from errors before typer sees it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise BrokenOutput from None


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fairlead {version('fairlead')}")
        raise typer.Exit


def _options(
    invocation: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    debug: bool = typer.Option(
        False, "--debug", help="Show where an error came from (anywhere on the line)."
    ),
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Fairlead, a durable workflow engine: graphs of nodes as manifests, run here or on Kubernetes.

    Try `fairlead run FILE`, and `fairlead COMMAND --help` for examples. Commands that act on an execution look in the cluster if
    a kube context is set, else in the local store; `--local` or `--store` behind the command's name says that the store is meant.
    """
    invocation.obj = Where(namespace=namespace, context=context, kubeconfig=kubeconfig)


def invoke(arguments: list[str]) -> int:
    """Run a command line; the exit code."""
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    program = "kubectl fairlead" if Path(sys.argv[0]).name == "kubectl-fairlead" else "fairlead"
    code = typer.main.get_command(app).main(arguments or ["--help"], prog_name=program, standalone_mode=False)
    return code if isinstance(code, int) else 0
