"""The command line: `fairlead`, also installed as `kubectl-fairlead`.

    commands    the table of commands, loaded one at a time      failures    errors as one sentence and an exit code
    options     what several commands take                       terminal    colours, documents, pipes
    homes       where executions are: `store_home`, `cluster`    contexts    whether a kube context is set
    sources     FILE to what runs                                values      `-i key=value` and `--inputs`
    executions  one execution as it is shown                     progress    what is shown while a run goes on

Rules of this package
- One command does one thing; a module per command or small group of them. Commands wire and print: what they know is in views.
- Nothing heavy is imported before it is needed: `fairlead --help` answers in a quarter of a second.
- Stdout holds results and nothing else; with `-o json|yaml` exactly one document. Errors are one sentence on stderr, with what
  to do.
- Exit codes: 0 done, 1 the workflow (or the check) failed, 2 the input is wrong and nothing was started, 3 cancelled, 4 not
  finished, 5 the store or the cluster cannot be reached; 70 is an error of our own, 130 an interrupted command.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    import sys

    from fairlead.apps.cli.commands import invoke
    from fairlead.apps.cli.failures import report
    from fairlead.apps.cli.terminal import BrokenOutput, close_output, prepare_output

    arguments, debug = _take_debug(list(sys.argv[1:] if argv is None else argv))
    prepare_output()
    try:
        code = invoke(arguments)
    except BrokenOutput:
        code = 0
    except Exception as error:  # every error ends here as a sentence; --debug shows where it came from
        if debug:
            raise
        code = report(error)
    return close_output(code)


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """`--debug` may stand anywhere before `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return [*options, *arguments[end:]], len(options) < end
