"""The signals of this process, as bytes in a pipe that a poll can wait for.

`_signal` is the C half of `signal` (which takes 4 ms to import for its enums).
"""

import _signal  # type: ignore[import-not-found]
import posix

CHLD: int = _signal.SIGCHLD
TERM: int = _signal.SIGTERM
KILL: int = _signal.SIGKILL
ENDING = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)
"""What asks this process to end: it ends the node first and still reports."""
DEFAULTS = (*ENDING, _signal.SIGQUIT, _signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGCHLD)
"""What a node's process starts with as the system has it, whatever Python or a `nohup` in front of fairlead ignored."""


class Wakeups:
    """A pipe that gets one byte, the signal's number, for each signal of interest. Made before the first
    child is started.
    """

    __slots__ = ("_written", "descriptor")

    def __init__(self) -> None:
        self.descriptor, self._written = posix.pipe()
        for end in (self.descriptor, self._written):
            posix.set_blocking(end, False)
        for number in (CHLD, *ENDING):
            _signal.signal(number, _nothing)
        _signal.set_wakeup_fd(self._written, warn_on_full_buffer=False)

    def read(self) -> bytes:
        """The signals since the last time."""
        try:
            return posix.read(self.descriptor, 4096)
        except BlockingIOError:
            return b""

    def forget(self) -> None:
        """In a forked child: signals as any Python program has them."""
        _signal.set_wakeup_fd(-1)
        for number in (CHLD, _signal.SIGTERM, _signal.SIGHUP):
            _signal.signal(number, _signal.SIG_DFL)
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        posix.close(self.descriptor)
        posix.close(self._written)


def _nothing(_number: int, _frame: object) -> None:
    """Python calls a handler for every signal; the pipe has said it already."""


def name_of(number: int) -> str:
    """`SIGKILL` for 9."""
    from signal import Signals

    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
