"""The processes that a node started: adopted when their parents die, found, counted, signalled.

On Linux this process is the *subreaper* of all that it starts: a descendant whose parent dies becomes our
child, whatever session or process group it moved to. So "nothing is left" is one system call (no child to
wait for), and a signal reaches only groups that a child of ours is in. Python has no `prctl`; the C half of
`ctypes` calls it for 0.4 ms where `import ctypes` takes 3. Elsewhere, or if that fails, what is left is what
is in the node's process group.
"""

import posix
import sys

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> bool:
    """Make this process the parent of every orphan below it; False where the system cannot."""
    if posix.getpid() == 1:
        return True  # the first process of a container is that already
    if sys.platform != "linux":
        return False
    try:
        import _ctypes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return bool(_ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError, TypeError):
        return False


def groups_of_children() -> set[int]:
    """The process groups that our own children are in, ended ones that nobody waited for included; never our own group."""
    own, own_group = str(posix.getpid()).encode(), posix.getpgrp()
    groups = set()
    for name in posix.listdir("/proc"):
        if name.isdigit():
            parent, group = _family(name)
            if parent == own and group != own_group:
                groups.add(group)
    return groups


def _family(pid: str) -> tuple[bytes, int]:
    """A process's parent and its group."""
    try:
        descriptor = posix.open(f"/proc/{pid}/stat", posix.O_RDONLY)
    except OSError:
        return b"", 0
    try:
        # The name in brackets may hold anything, brackets too: the fields begin behind the last one.
        fields = posix.read(descriptor, 4096).rpartition(b")")[2].split()
    except OSError:
        return b"", 0
    finally:
        posix.close(descriptor)
    return (fields[1], int(fields[2])) if len(fields) > 2 else (b"", 0)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False if there is none any more."""
    try:
        posix.killpg(group, number)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
