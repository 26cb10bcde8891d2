"""Which creations are under way at once: quick ones and slow ones each in a lane of their own, so that none waits for the other.

    pushed ──► quick lane ──► created, or refused                                within `QUICK` seconds
                  └─────────► slow lane: goes on there, if it has room           else: called off, and in line there

Rules of this file
- An admission webhook that hangs takes half a minute for each pod. A creation that has no answer after `QUICK` seconds gives its
  place back; it goes on in the slow lane, or where that is full it is called off, and tried again there when its turn comes.
- What an execution wants created while one of its pods is in the slow lane goes there too: others do not pay a second for each.
- One that was called off may have been done all the same: it counts as tried, and nothing is concluded before it has an answer.
- Both lanes together leave connections of the client free for everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fairlead.kube.pods.deliveries import CreationQueue, Delivery

PLACES = 32
"""Creations under way at once in each lane."""
QUICK = 1.0
"""Seconds after which a creation is a slow one."""

Create = Callable[[Delivery], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Lane:
    """Those that wait, and those under way by execution."""

    line: CreationQueue = field(default_factory=CreationQueue)
    under_way: dict[str, int] = field(default_factory=dict)
    free: int = PLACES

    def enter(self, uid: str) -> None:
        self.free -= 1
        self.under_way[uid] = self.under_way.get(uid, 0) + 1

    def leave(self, uid: str) -> None:
        self.free += 1
        left = self.under_way.pop(uid) - 1
        if left:
            self.under_way[uid] = left


@dataclass(slots=True)
class _Creation:
    """One try, and where it has its place."""

    delivery: Delivery
    lane: _Lane
    task: asyncio.Task[None]
    called_off: bool = False


class Lanes:
    """Has `create` done for what is pushed, once it is opened. `called_off` is told of each that has to wait for its next try."""

    def __init__(self, create: Create, called_off: Callable[[Delivery], None]) -> None:
        self._create = create
        self._called_off = called_off
        self._quick, self._slow = _Lane(), _Lane()
        self._creations: set[asyncio.Task[None]] = set()
        self._open = self._called = False

    def __len__(self) -> int:
        return len(self._quick.line) + len(self._slow.line)

    def open(self) -> None:
        """From now on it is created what was pushed."""
        self._open = True
        self._advance_soon()

    async def close(self) -> None:
        """Call everything off."""
        self._open = False
        for task in self._creations:
            task.cancel()
        await asyncio.gather(*self._creations, return_exceptions=True)

    def push(self, delivery: Delivery) -> None:
        """Have it created when its turn comes."""
        slow = delivery.uid in self._slow.line or delivery.uid in self._slow.under_way
        (self._slow if slow else self._quick).line.push(delivery)
        self._advance_soon()

    # --- inside ---

    def _advance_soon(self) -> None:
        """After all that is pushed in this step: priority and turns are among these too."""
        if self._open and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._advance)

    def _advance(self) -> None:
        self._called = False
        for lane in (self._quick, self._slow):
            while self._open and lane.free and (delivery := lane.line.pop()) is not None:
                self._begin(delivery, lane)

    def _begin(self, delivery: Delivery, lane: _Lane) -> None:
        lane.enter(delivery.uid)
        creation = _Creation(delivery, lane, asyncio.get_running_loop().create_task(self._create(delivery)))
        self._creations.add(creation.task)
        creation.task.add_done_callback(lambda _: self._ended(creation))
        if lane is self._quick:
            self._time(creation)

    def _time(self, creation: _Creation) -> None:
        """Look in a while whether it has an answer."""
        loop = asyncio.get_running_loop()
        due = loop.time() + QUICK
        timer = loop.call_at(due, self._is_slow, creation, due)
        creation.task.add_done_callback(lambda _: timer.cancel())

    def _is_slow(self, creation: _Creation, due: float) -> None:
        if asyncio.get_running_loop().time() - due > QUICK / 4:
            self._time(creation)  # it is we who were slow: perhaps its answer is there and was not read
        elif self._slow.free:
            uid = creation.delivery.uid
            self._quick.leave(uid)
            self._slow.enter(uid)
            creation.lane = self._slow
            self._advance_soon()
        else:
            creation.called_off = True
            creation.task.cancel()

    def _ended(self, creation: _Creation) -> None:
        delivery = creation.delivery
        self._creations.discard(creation.task)
        creation.lane.leave(delivery.uid)
        if creation.called_off and creation.task.cancelled():  # else it had its answer after all
            delivery.tries += 1
            self._slow.line.push(delivery)
            self._called_off(delivery)
        self._advance_soon()
