"""Runs a Python script, in the child that was forked for it, and hands its outputs over at its end.

Rules of this file
- The script is `__main__`: a fresh namespace with `inputs` and `outputs`, its text in a file, so that
  tracebacks, `inspect` and `multiprocessing` find its lines. It starts as `python -c` would: the working
  folder first on the path, then the standard library, then the packages installed beside this interpreter,
  and PYTHONPATH if the node's `env` names it.
- Nothing of ours stands between the script and the end of the interpreter: threads are waited for, `atexit`
  handlers run, `sys.exit` means what it always means. Outputs are taken after all of that, from whatever
  `outputs` is by then.
- A script that leaves by `os._exit` or `exec` has no end in Python; its outputs are what stands in the file,
  as with any program.
"""

import posix
import sys

from fairlead_runner import lean_json, scratch, values
from fairlead_runner.documents import Node
from fairlead_runner.scratch import Scratch


def run(node: Node, place: Scratch, env: dict[str, str]) -> None:
    """Run the node's script; raises SystemExit where the exit code is not 0."""
    _settle(env)
    module = type(sys)("__main__")
    names = module.__dict__
    names["__file__"] = place.script
    names["__builtins__"] = sys.modules["builtins"]
    names["inputs"] = node.inputs
    names["outputs"] = {}
    sys.modules["__main__"] = module
    sys.argv = [place.script]
    handing = _HandingOver(names, place)
    try:
        exec(compile(node.text, place.script, "exec", dont_inherit=True), names)  # noqa: S102 - it is what this program is for
    except SystemExit as end:
        handing.due = end.code is None or (isinstance(end.code, int) and end.code & 0xFF == 0)
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the script raised, it is shown as Python shows it
        trace = error.__traceback__
        error = error.with_traceback(trace.tb_next if trace else None)  # from the script's own first line on
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    handing.due = True


def _settle(env: dict[str, str]) -> None:
    """Make the forked interpreter what a freshly started one would be."""
    import os
    import site

    os.environ.clear()
    os.environ.update(env)
    site.main()  # we were started without it, for speed
    more = [folder for folder in env.get("PYTHONPATH", "").split(":") if folder]
    sys.path[:0] = ["", *more]
    for stream in (sys.stdout, sys.stderr):
        # Line by line, as on a terminal: seen while the script runs, not lost when it is killed.
        if stream is not None:
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


class _HandingOver:
    """Writes the outputs file, as the last `atexit` handler of the process that runs the script."""

    def __init__(self, names: dict[str, object], place: Scratch) -> None:
        import atexit

        self.due = False
        self._names = names
        self._place = place
        self._pid = posix.getpid()
        atexit.register(self)  # handlers run in reverse order: registered first, called last

    def __call__(self) -> None:
        if not self.due or posix.getpid() != self._pid:
            return  # it failed, or this is a process that the script forked
        outputs = self._names.get("outputs", {})
        if outputs == {} and isinstance(outputs, dict):
            return
        try:
            if posix.stat(self._place.outputs).st_size:
                self._refuse(
                    "OutputInvalid",
                    "the script filled `outputs` and also wrote the file FAIRLEAD_OUTPUTS; expected one",
                )
                return
            text = lean_json.encode(values.check(outputs))
            size = len(text.encode())
            if size > values.MAX_BYTES:
                self._refuse("OutputTooLarge", values.too_large(size))
                return
            scratch.write(self._place.outputs, text)
        except values.Unfit as unfit:
            self._refuse("OutputInvalid", str(unfit))
        except OSError as error:
            print(f"fairlead: the outputs cannot be written: {error}", file=sys.stderr, flush=True)
            sys.stdout.flush()
            posix._exit(1)  # noqa: SLF001 - an exit code can no longer be raised here

    def _refuse(self, reason: str, message: str) -> None:
        scratch.write(self._place.verdict, lean_json.encode({"reason": reason, "message": message}))
