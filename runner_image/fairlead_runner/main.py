"""One attempt, from the node document to the reported result."""

import posix

from fairlead_runner import documents, launching, processes, reporting, results, signals, supervision
from fairlead_runner.documents import Node
from fairlead_runner.hiding import Hidden
from fairlead_runner.scratch import Scratch, choose
from fairlead_runner.supervision import Watch
from fairlead_runner.words import LastWords

CLEANUP_LIMIT = 10.0
"""Seconds that a cleanup command has."""
_ALL_DESCRIPTORS = 1024  # where there is no close_range(2) each of them is a call


def main() -> None:
    """Run the attempt that the environment and stdin describe; returns only in the child that ran a Python script."""
    environ = posix.environ
    result_to = reporting.descriptor(environ, b"FAIRLEAD_RESULT_FD")
    control = reporting.descriptor(environ, b"FAIRLEAD_CONTROL_FD")
    place = Scratch(choose(environ))
    try:
        node = documents.load(environ)
        hidden = Hidden(environ, node)
        _detach(result_to, control)
        wakeups = signals.Wakeups()
        adopting = processes.adopt_orphans()
        env = launching.environment(environ, node, place)
        launching.enter(node.working_dir)
        place.create(node)
        source, stderr = posix.pipe()
        supervision.refuse_abandoned(control)
        pid = launching.start(node, place, env, stderr, {result_to, control, source}, wakeups)
    except Exception as error:  # noqa: BLE001 - a full disk, no more processes: an answer and not silence
        result = _why_not(error)
    else:
        if pid == 0 and node.kind in documents.REACHING:
            from fairlead_runner.reach import work

            work.run(node, place, env)  # does not come back
        if pid == 0:
            # Nothing of ours may stand between the script and the interpreter's end but these two calls.
            from fairlead_runner import scripts

            scripts.run(node, place, env)
            return
        posix.close(stderr)
        watch = Watch(
            pid, wakeups, LastWords(source, hidden), control, node.grace / 1_000_000, adopting=adopting
        )
        result = hidden.result(_finish(node, place, env, watch))
    place.remove()
    code = reporting.report(result, result_to, environ.get(b"FAIRLEAD_TERMINATION_LOG", b""))
    posix._exit(code)  # noqa: SLF001 - its documented name; nothing is left to unwind


def _finish(node: Node, place: Scratch, env: dict[str, str], watch: Watch) -> dict[str, object]:
    """Wait for the end of all that the node started; its result."""
    try:
        status = watch.wait()
        if node.cleanup and (watch.stopped or posix.WIFSIGNALED(status)):
            _clean_up(node, env, watch)
        result = results.of_process(status, watch.last_line(), place)
        if watch.stopped and "error" in result:
            result["stopped"] = True
        return result
    except Exception as error:  # noqa: BLE001 - as above
        processes.signal_group(watch.pid, signals.KILL)
        return _why_not(error)


def _clean_up(node: Node, env: dict[str, str], watch: Watch) -> None:
    """Run the node's cleanup command, silently and for a limited time; it runs also when nobody waits for the result."""
    nowhere = posix.open("/dev/null", posix.O_WRONLY)
    try:
        pid = launching.command(node.cleanup, env, stderr=nowhere, stdout=nowhere)
    except launching.NotStarted:
        return  # the tool that made the container is gone, and so is the container or our say in it
    finally:
        posix.close(nowhere)
    watch.successor(pid).wait(CLEANUP_LIMIT)


def _why_not(error: Exception) -> dict[str, object]:
    """The result of an attempt that could not be made."""
    if isinstance(error, launching.NotStarted):
        return results.error(error.reason, str(error), error.exit_code)
    if isinstance(error, documents.Refused | supervision.Abandoned):
        return results.error("RunnerFailed", str(error))
    return results.error("RunnerFailed", f"the node could not be run: {type(error).__name__}: {error}")


def _detach(*ours: int) -> None:
    """The document has been read: the node reads nothing, and has no descriptor but stdin, stdout, stderr."""
    first = 3
    for descriptor in sorted({number for number in ours if number >= first}):
        posix.closerange(first, descriptor)
        first = descriptor + 1
    posix.closerange(first, _ALL_DESCRIPTORS)
    nothing = posix.open("/dev/null", posix.O_RDONLY)
    posix.dup2(nothing, 0)
    posix.close(nothing)
