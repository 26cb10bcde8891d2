"""Waits for the node's process, ends it when asked, and lets nothing that it started outlive it.

    running ──ended──► lingering ──100 ms──► TERM ──grace──► KILL    until no process of it is left
       └──stop, or nobody waits any more──► TERM ──grace──► KILL

Rules of this file
- A stop sends TERM to the node's process group and KILL after the grace, whatever the node does meanwhile. A
  second stop may shorten the grace, never lengthen it.
- When the end of the control descriptor is read, whoever wanted the result is dead and will have the node
  delivered again: the work is ended at once, with at most `ORPHAN_GRACE`.
- What is left when the node's process has ended gets a moment to end by itself (a `tee` behind a pipe still
  has to write its last lines), then TERM, then KILL after at most `LEFTOVER_GRACE`.
- Time is the monotonic clock in seconds.
"""

import posix
import select
import time

from fairlead_runner import processes, signals
from fairlead_runner.words import LastWords

LINGER = 0.1
LEFTOVER_GRACE = 2.0
ORPHAN_GRACE = 2.0
UNKILLABLE = 10.0
"""Seconds after KILL when we stop waiting: a process in an uninterruptible system call holds the kernel, not us."""
_LOOK_AGAIN = 0.05
_NEVER = float("inf")


class Abandoned(Exception):
    """Whoever wanted the result died before the node was started."""


def refuse_abandoned(control: int) -> None:
    """Raises Abandoned if the other end of the control descriptor is closed already: the node is not even started."""
    if control >= 0:
        poll = select.poll()
        poll.register(control, 0)
        if poll.poll(0):
            raise Abandoned("nobody waits for the node any more; it was not started")


class Watch:
    """The processes of one node, from the start of the first to the end of the last."""

    def __init__(
        self,
        pid: int,
        wakeups: signals.Wakeups,
        words: LastWords,
        control: int,
        grace: float,
        *,
        adopting: bool,
    ) -> None:
        self.pid = pid
        self.status: int | None = None
        self.stopped = False
        self._wakeups = wakeups
        self._words = words
        self._control = control
        self._grace = grace
        self._adopting = adopting
        self._commands = b""
        self._told: set[int] = set()
        self._term_at = _NEVER
        self._kill_at = _NEVER
        self._give_up_at = _NEVER

    def wait(self, limit: float = _NEVER) -> int:
        """The wait status of the node's process, once nothing of it is left; it is killed after `limit` seconds."""
        if limit != _NEVER:
            self._kill_at = time.monotonic() + limit
        while not self._all_gone():
            now = time.monotonic()
            if now >= self._give_up_at:
                break
            self._act(now)
            self._sleep(now)
        self._words.finish()
        return signals.KILL if self.status is None else self.status

    def successor(self, pid: int) -> "Watch":
        """The watch over one more process of the same node, that says nothing and that no stop can end."""
        return Watch(pid, self._wakeups, LastWords(-1), -1, self._grace, adopting=self._adopting)

    def last_line(self) -> str:
        """What the node said last on stderr."""
        return self._words.last_line()

    def stop(self, grace: float) -> None:
        """TERM now, KILL after `grace` seconds at the latest."""
        now = time.monotonic()
        if not self.stopped:
            self.stopped = True
            self._term_at = _NEVER
            self._signal(signals.TERM)
        self._kill_at = min(self._kill_at, now + grace)

    def _sleep(self, now: float) -> None:
        """Until something happens or is due."""
        due = min(self._term_at, self._kill_at, self._give_up_at)
        if self.status is not None and not self._adopting:
            due = min(due, now + _LOOK_AGAIN)  # the end of a stranger's child tells us nothing
        descriptors = [self._wakeups.descriptor, *self._words.readable()]
        if self._control >= 0:
            descriptors.append(self._control)
        readable, writable, _ = select.select(
            descriptors, self._words.writable(), [], None if due == _NEVER else max(0.0, due - now)
        )
        if self._wakeups.descriptor in readable and any(
            number in signals.ENDING for number in self._wakeups.read()
        ):
            self.stop(self._grace)
        if self._control in readable:
            self._obey()
        if writable:
            self._words.hand_on()
        elif any(descriptor in readable for descriptor in self._words.readable()):
            self._words.take()

    def _obey(self) -> None:
        """Read the control descriptor."""
        try:
            data = posix.read(self._control, 4096)
        except OSError:
            data = b""
        if not data:
            self._control = -1
            self.stop(min(self._grace, ORPHAN_GRACE))
            return
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            word, _, micros = line.partition(b" ")
            if word == b"stop" and micros.isdigit():
                self.stop(int(micros) / 1_000_000)

    def _act(self, now: float) -> None:
        """Send what is due."""
        if now >= self._kill_at:
            self._signal(signals.KILL)
            self._kill_at = now + _LOOK_AGAIN  # what was just orphaned shows only once its parent is gone
            self._give_up_at = min(self._give_up_at, now + UNKILLABLE)
        elif now >= self._term_at:
            self._term_at = _NEVER
            self._words.freeze()
            self._signal(signals.TERM)
            self._kill_at = min(self._kill_at, now + min(self._grace, LEFTOVER_GRACE))
        elif self._told and self.status is not None:
            self._signal(signals.TERM)  # orphans of those that have just ended

    def _signal(self, number: int) -> None:
        """To every process group that a child of ours (an orphan too) is in, TERM once each.

        A group with a child that we have not waited for exists, so no stranger can have its id.
        """
        if not self._adopting:
            if number not in self._told or number == signals.KILL:
                processes.signal_group(self.pid, number)
            self._told.add(number)
            return
        for group in processes.groups_of_children():
            if number == signals.KILL or group not in self._told:
                self._told.add(group)
                processes.signal_group(group, number)

    def _all_gone(self) -> bool:
        """Collect what has ended; True once nothing is left."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                return False
            if pid == self.pid:
                self._ended(status)
        return self._adopting or not processes.signal_group(self.pid, 0)

    def _ended(self, status: int) -> None:
        self.status = status
        if not self.stopped:
            self._term_at = time.monotonic() + LINGER
