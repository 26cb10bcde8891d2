"""Starts the node's process: a shell with the text, a command, or a fork of this process for a
Python script and for what reaches out.

The child leads a process group of its own, reads nothing from stdin, writes to our stdout and into the stderr
pipe, has no other descriptor of ours, and has all signals as the system has them.
"""

import posix

from fairlead_runner import scratch, signals
from fairlead_runner.documents import Node
from fairlead_runner.scratch import Scratch

PRIVATE = (
    b"FAIRLEAD_NODE",
    b"FAIRLEAD_NODE_FILE",
    b"FAIRLEAD_HIDDEN",
    b"FAIRLEAD_SCRATCH",
    b"FAIRLEAD_RESULT_FD",
    b"FAIRLEAD_CONTROL_FD",
    b"FAIRLEAD_TERMINATION_LOG",
)
"""What the home tells this process and not the node."""
_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")
"""What Python writes into LC_CTYPE at its start where the locale is C (PEP 538), unasked."""
_LONGEST_ARGUMENT = 100_000
"""Bytes of script text that go onto the command line; the kernel's limit for one argument is 128 KiB."""
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class NotStarted(Exception):
    """The node's process could not be started; `reason` and `exit_code` are the result's."""

    def __init__(self, reason: str, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code


def environment(inherited: dict[bytes, bytes], node: Node, place: Scratch) -> dict[str, str]:
    """Exactly what the node's process gets: what the home gave, what the node names, who it is."""
    env = {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in inherited.items()
        if name not in PRIVATE and not (name == b"LC_CTYPE" and value in _COERCED)
    }
    env.update(node.env)
    env["FAIRLEAD_INPUTS"] = place.inputs
    env["FAIRLEAD_OUTPUTS"] = place.outputs
    env["FAIRLEAD_EXECUTION"] = node.execution
    env["FAIRLEAD_EXECUTION_UID"] = node.uid
    env["FAIRLEAD_NODE_ID"] = node.node
    env["FAIRLEAD_ATTEMPT"] = node.attempt
    env["FAIRLEAD_IDEMPOTENCY_KEY"] = node.idempotency_key
    return env


def enter(working_dir: str) -> None:
    """Go to the working folder of the node, if it names one."""
    if not working_dir:
        return
    try:
        posix.chdir(working_dir)
    except OSError as error:
        where = "" if working_dir.startswith("/") else f" in {_here()}"
        raise NotStarted(
            "WorkingDirMissing",
            f"workingDir {working_dir!r}{where} cannot be entered ({error.strerror}); expected a folder",
        ) from None


def start(
    node: Node, place: Scratch, env: dict[str, str], stderr: int, ours: set[int], wakeups: signals.Wakeups
) -> int:
    """The pid of the node's process; 0 in the child that has to do the work itself."""
    if node.kind == "sh":
        return spawn("/bin/sh", _shell(node, place), env, stderr)
    if node.kind == "image":
        return command(node.command, env, stderr)
    if node.kind == "python":
        scratch.write(place.script, node.text)
    pid = posix.fork()
    if pid:
        _lead_group(pid)
        return pid
    posix.setpgid(0, 0)
    posix.dup2(stderr, 2)
    wakeups.forget()
    for descriptor in {*ours, stderr}:
        if descriptor > 2:
            posix.close(descriptor)
    return 0


def command(argv: list[str], env: dict[str, str], stderr: int, stdout: int = 1) -> int:
    """Start a command found as the shell finds it: by PATH unless it has a slash."""
    if not argv:
        raise NotStarted(
            "CommandNotFound",
            "the node has no command; only its image knows one, and it is run without the image",
            127,
        )
    name = argv[0]
    folders = (
        [""] if "/" in name else [f"{folder or '.'}/" for folder in env.get("PATH", DEFAULT_PATH).split(":")]
    )
    refused = ""
    for path in (folder + name for folder in folders):
        if not _exists(path):
            continue  # dearer to find out by starting it
        try:
            return spawn(path, argv, env, stderr, stdout)
        except FileNotFoundError:
            refused = f"{path} names an interpreter in its first line that does not exist"
        except PermissionError:
            refused = f"{path} may not be executed"
        except OSError as error:
            refused = f"{path} cannot be executed: {error.strerror}"
    if refused:
        raise NotStarted("CommandNotFound", f"command {name!r}: {refused}", 126)
    where = _here() if "/" in name else f"PATH ({env.get('PATH', DEFAULT_PATH)})"
    raise NotStarted("CommandNotFound", f"command {name!r} was not found in {where}", 127)


def spawn(path: str, argv: list[str], env: dict[str, str], stderr: int, stdout: int = 1) -> int:
    """Start a program in a process group of its own."""
    return posix.posix_spawn(
        path,
        argv,
        env,
        file_actions=[(posix.POSIX_SPAWN_DUP2, stdout, 1), (posix.POSIX_SPAWN_DUP2, stderr, 2)],
        setpgroup=0,
        setsigmask=[],
        setsigdef=signals.DEFAULTS,
    )


def _lead_group(pid: int) -> None:
    """What the child does too; so it has happened when either goes on."""
    try:
        posix.setpgid(pid, pid)
    except OSError:
        return  # it has ended already


def _shell(node: Node, place: Scratch) -> list[str]:
    if len(node.text) * 4 < _LONGEST_ARGUMENT or len(node.text.encode()) < _LONGEST_ARGUMENT:
        return ["sh", "-c", node.text]
    scratch.write(place.script, node.text)
    return ["sh", place.script]


def _exists(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _here() -> str:
    try:
        return posix.getcwd()
    except OSError:
        return "a folder that was removed"
