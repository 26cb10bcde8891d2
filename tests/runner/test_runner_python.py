"""Python scripts: their names, their ends, their outputs, whatever they do to their own process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.runner.conftest import Start

pytestmark = pytest.mark.local


def test_inputs_and_outputs_are_dicts(start: Start):
    """A script reads `inputs` and fills `outputs`; values come back as the JSON values that they are."""
    script = "outputs['sum'] = sum(inputs['xs']); outputs['all'] = [1.5, True, None, 'é', {'k': (1, 2)}]"

    outputs = start(python=script, inputs={"xs": [1, 2, 3]}).outputs()

    assert outputs == {"sum": 6, "all": [1.5, True, None, "é", {"k": [1, 2]}]}


def test_a_script_that_writes_nothing_has_no_outputs(start: Start):
    """Nothing written is an empty object."""
    assert start(python="pass").outputs() == {}
    assert start(python="").outputs() == {}


def test_outputs_may_be_assigned_anew(start: Start):
    """`outputs = {...}` says the same as filling the dict."""
    assert start(python="outputs = {'a': 1}").outputs() == {"a": 1}


@pytest.mark.parametrize(
    "subclass",
    [
        "import collections; outputs['v'] = collections.OrderedDict(a=1)",
        "import enum; outputs['v'] = {'a': enum.IntEnum('E', 'one').one}",
        "import collections; outputs['v'] = collections.defaultdict(int, a=1)",
    ],
)
def test_subclasses_of_json_types_are_their_values(start: Start, subclass: str):
    """What is a dict or an int by inheritance is one in the outputs."""
    assert start(python=subclass).outputs() == {"v": {"a": 1}}


def test_the_script_is_main(start: Start):
    """`__name__` is `__main__`, and the module of that name is the script's own."""
    script = (
        "import sys\noutputs['main'] = __name__\noutputs['own'] = sys.modules['__main__'].outputs is outputs"
    )

    assert start(python=script).outputs() == {"main": "__main__", "own": True}


def test_a_traceback_shows_the_script_alone(start: Start):
    """The traceback has the script's own lines with their text, and no frame of the runner."""
    runner = start(python="def f(x):\n    raise ValueError(f'boom {x}')\n\nf(3)\n")

    error = runner.error()

    assert error == {"reason": "NonZeroExit", "message": "exit code 1: ValueError: boom 3", "exitCode": 1}
    assert runner.stderr.count("File ") == 2
    assert 'pack.py", line 4, in <module>\n    f(3)\n' in runner.stderr
    assert "    raise ValueError(f'boom {x}')\n" in runner.stderr
    assert "fairlead_runner" not in runner.stderr


def test_tracebacks_in_threads_have_lines_too(start: Start):
    """Whoever formats a traceback finds the text of the script."""
    script = (
        "import threading\ndef f():\n    1 / 0  # here\nt = threading.Thread(target=f); t.start(); t.join()"
    )
    runner = start(python=script)

    assert runner.outputs() == {}
    assert "    1 / 0  # here" in runner.stderr


def test_a_syntax_error_shows_its_line(start: Start):
    """A script that is no Python fails with the line, and nothing of it was run."""
    runner = start(python="print('first')\nif True print(1)\n")

    assert runner.error()["message"].startswith("exit code 1: SyntaxError: ")
    assert "line 2\n    if True print(1)" in runner.stderr
    assert runner.stdout == ""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit(3)", 3),
        ("sys.exit(-1)", 255),
        ("sys.exit('no luck')", 1),
        ("raise SystemExit(7)", 7),
        ("os._exit(9)", 9),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_the_exit_code_is_the_scripts(start: Start, end: str, code: int):
    """However a script leaves, its exit code is what the shell would have seen."""
    error = start(python=f"import os, sys\noutputs['a'] = 1\n{end}").error()

    assert (error["reason"], error["exitCode"]) == ("NonZeroExit", code)


@pytest.mark.parametrize("end", ["sys.exit()", "sys.exit(0)", "sys.exit(256)", "raise SystemExit"])
def test_exit_code_zero_keeps_the_outputs(start: Start, end: str):
    """Leaving by `sys.exit` with success is success, and what was filled in before counts."""
    assert start(python=f"import sys\noutputs['a'] = 1\n{end}").outputs() == {"a": 1}


def test_os_exit_zero_is_success_without_the_dict(start: Start):
    """`os._exit(0)` is exit code 0; Python never got to the end, so the dict is not handed over."""
    assert start(python="import os\noutputs['a'] = 1\nos._exit(0)").outputs() == {}


def test_exec_goes_on_as_another_program(start: Start):
    """A script that becomes another program has that one's end, and the outputs that it wrote to the file."""
    script = """import os\nos.execvp("sh", ["sh", "-c", "echo '{\\"by\\": \\"sh\\"}' > $FAIRLEAD_OUTPUTS"])"""

    assert start(python=script).outputs() == {"by": "sh"}


def test_outputs_count_after_threads_and_atexit(start: Start):
    """Outputs are taken when the script has really ended: after its threads and its atexit handlers."""
    script = """
import atexit, threading
gate = threading.Event()
def work():
    gate.wait()
    outputs['thread'] = True
threading.Thread(target=work).start()
atexit.register(lambda: outputs.update(atexit=True))
gate.set()
"""

    assert start(python=script).outputs() == {"thread": True, "atexit": True}


def test_a_forked_child_that_falls_through_hands_nothing_over(start: Start):
    """Only the script's own process gives outputs, also if a child of it runs to the end of the text."""
    script = """
import os
pid = os.fork()
outputs['who'] = 'parent' if pid else 'child'
if pid:
    assert os.waitpid(pid, 0) == (pid, 0)
"""

    assert start(python=script).outputs() == {"who": "parent"}


def test_a_script_may_close_every_descriptor(start: Start):
    """Outputs and exit code do not hang on descriptors that the script could close."""
    assert start(python="import os\noutputs['a'] = 1\nos.closerange(3, 4096)").outputs() == {"a": 1}


def test_a_script_has_three_descriptors(start: Start):
    """A script inherits stdin, stdout and stderr and nothing else: not the channel, not what fairlead had open."""
    runner = start(python="import os\noutputs['fds'] = sorted(map(int, os.listdir('/proc/self/fd')))")

    *inherited, _of_listdir = runner.outputs()["fds"]
    assert inherited == [0, 1, 2]


def test_a_script_may_replace_stdout(start: Start):
    """What a script does to `sys.stdout` is its own business."""
    runner = start(python="import io, sys\nsys.stdout = io.StringIO()\nprint('x')\noutputs['n'] = 1")

    assert runner.outputs() == {"n": 1}
    assert runner.stdout == ""


def test_a_script_may_remove_its_working_folder(start: Start, tmp_path: Path):
    """A working folder that is gone at the end disturbs nothing."""
    (tmp_path / "gone").mkdir()
    script = "import os\nos.rmdir(os.getcwd())\noutputs['a'] = 1"

    assert start(python=script, workingDir=str(tmp_path / "gone")).outputs() == {"a": 1}


def test_what_was_printed_survives_a_kill(start: Start):
    """Lines are written as they are printed, so a script that is killed has said what it said."""
    runner = start(python="import os, signal\nprint('before')\nos.kill(os.getpid(), signal.SIGKILL)")

    assert runner.error() == {"reason": "Signalled", "message": "ended by SIGKILL", "exitCode": 137}
    assert runner.stdout == "before\n"


def test_a_crash_of_the_interpreter_is_reported(start: Start):
    """A segmentation fault ends the script alone, with the signal as its reason."""
    error = start(python="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)").error()

    assert (error["reason"], error["exitCode"]) == ("Signalled", 139)


def test_stdin_is_empty(start: Start):
    """A script that reads stdin gets its end at once, not the node document."""
    assert start(python="import sys\noutputs['read'] = sys.stdin.read()").outputs() == {"read": ""}


def test_packages_beside_the_interpreter_can_be_imported(start: Start):
    """A script imports what is installed where fairlead is, although the runner itself starts without it."""
    assert start(python="import msgspec, sys\noutputs['exe'] = sys.executable").outputs() == {
        "exe": sys.executable
    }


def test_the_working_folder_and_pythonpath_are_on_the_path(start: Start, tmp_path: Path):
    """Modules are found as `python -c` finds them: in the working folder, then in PYTHONPATH of the node's env."""
    (tmp_path / "more").mkdir()
    (tmp_path / "near.py").write_text("WHERE = 'cwd'")
    (tmp_path / "more" / "far.py").write_text("WHERE = 'PYTHONPATH'")

    outputs = start(
        python="import near, far\noutputs.update(near=near.WHERE, far=far.WHERE)",
        workingDir=str(tmp_path),
        env={"PYTHONPATH": str(tmp_path / "more")},
    ).outputs()

    assert outputs == {"near": "cwd", "far": "PYTHONPATH"}


def test_signals_are_as_python_has_them(start: Start):
    """The script starts with Python's own signal handling; nothing of the runner's is left."""
    script = """
import signal
outputs['term'] = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
outputs['child'] = signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
outputs['int'] = signal.getsignal(signal.SIGINT) == signal.default_int_handler
outputs['wakeup'] = signal.set_wakeup_fd(-1)
outputs['blocked'] = len(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""

    assert start(python=script).outputs() == {
        "term": True,
        "child": True,
        "int": True,
        "wakeup": -1,
        "blocked": 0,
    }


def test_multiprocessing_works(start: Start):
    """A pool of processes is an ordinary thing to have in a script."""
    script = """
import multiprocessing
def double(x):
    return 2 * x
with multiprocessing.get_context('fork').Pool(2) as pool:
    outputs['doubled'] = pool.map(double, [1, 2, 3])
"""

    assert start(python=script).outputs() == {"doubled": [2, 4, 6]}


def test_multiprocessing_works_without_fork(start: Start):
    """So is one whose processes start afresh and import the script again."""
    script = """
import multiprocessing
def double(x):
    return 2 * x
if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        outputs['doubled'] = pool.map(double, [1, 2, 3])
"""

    assert start(python=script).outputs() == {"doubled": [2, 4, 6]}


def test_asyncio_and_subprocess_work(start: Start):
    """So are asyncio and subprocesses, also asynchronous ones."""
    script = """
import asyncio, subprocess
async def main():
    process = await asyncio.create_subprocess_exec('echo', 'a', stdout=subprocess.PIPE)
    return (await process.communicate())[0].decode().strip()
outputs['out'] = asyncio.run(main()) + subprocess.check_output(['echo', 'b'], text=True).strip()
"""

    assert start(python=script).outputs() == {"out": "ab"}


def test_one_way_of_giving_outputs(start: Start):
    """A script that fills the dict and writes the file is told so; nothing is lost in silence."""
    script = "import os\nopen(os.environ['FAIRLEAD_OUTPUTS'], 'w').write('{}')\noutputs['a'] = 1"

    error = start(python=script).error()

    assert error["reason"] == "OutputInvalid"
    assert "also wrote the file FAIRLEAD_OUTPUTS" in error["message"]


def test_the_message_of_a_group_of_exceptions_is_one_of_them(start: Start):
    """The last line of the traceback that says something is the message, not the frame drawn around it."""
    error = start(python="raise ExceptionGroup('several', [ValueError('first'), KeyError('second')])").error()

    assert error["message"] == "exit code 1: KeyError: 'second'"
