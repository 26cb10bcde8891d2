"""What is kept of one execution: its log, its checkpoints and its large values, as the actor and all readers use them.

Rules of this file
- A value whose JSON is larger than 4 KiB stands once, in a blob named by its digest; events and checkpoints refer to it. Nobody
  outside sees that: what is read back is whole, and each value is one object in memory however many events refer to it.
- Blobs are kept before the events that refer to them are appended; what a refused append leaves behind is in nobody's way.
- An event whose blob is missing or altered is damage to the log. A checkpoint whose blob is, is thrown away; so is one of an
  event that the log does not have: the log decides how far a run has come.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fairlead.engine.evolve import fold
from fairlead.model import state as states
from fairlead.model.errors import Bug, LogDamaged
from fairlead.model.events import Event, Large
from fairlead.model.large import Changed, Giver, Taker, thin_state
from fairlead.model.state import State
from fairlead.runtime.ports import Blobs, Checkpoints, EventLog

FETCHED = 64
"""Blobs that are fetched at a time."""


class Journal:
    """The journal of the execution `uid`."""

    def __init__(self, uid: str, log: EventLog, checkpoints: Checkpoints, blobs: Blobs) -> None:
        self.uid = uid
        self._log = log
        self._checkpoints = checkpoints
        self._blobs = blobs
        self._taker = Taker()

    async def append(self, after: int, events: Sequence[Event]) -> None:
        """Commit events `after + 1 …` all together, or none. Raises Conflict, Unavailable."""
        thin = [self._taker.thin(event) for event in events]
        await self._keep()
        await self._log.append(self.uid, after, thin)

    async def read(self, after: int = 0, *, up_to: int | None = None) -> list[Event]:
        """The events after a sequence number; with `up_to`, values of more bytes stay references. Raises LogDamaged."""
        events = await self._log.read(self.uid, after)
        await self._fill(events, Giver(), up_to)
        return events

    async def save(self, state: State) -> None:
        """Keep a checkpoint of the state as it is."""
        thin = thin_state(state, self._taker)
        await self._keep()
        await self._checkpoints.save(self.uid, state.seq, states.encode(thin))

    async def checkpoint(self) -> State | None:
        """The state of the newest checkpoint; None if there is none, or it is not whole."""
        return await self._checkpoint(Giver())

    async def load(self) -> State:
        """The fold of the log, from the newest checkpoint that fits it. Raises LogDamaged."""
        return (await self.take_up())[0]

    async def take_up(self) -> tuple[State, list[Event]]:
        """`load`, and the events that were folded for it: what followed from these may not have been done."""
        giver = Giver()
        state = await self._checkpoint(giver)
        if state is not None:
            try:
                return await self._folded(state, giver)
            except (Bug, LogDamaged):
                pass  # a checkpoint that does not fit the log is thrown away: the log has all
        return await self._folded(State(), giver)

    # --- inside ---

    async def _keep(self) -> None:
        if self._taker.fresh:
            await self._blobs.keep(self.uid, self._taker.fresh)
            self._taker.taken()

    async def _folded(self, state: State, giver: Giver) -> tuple[State, list[Event]]:
        events = await self._log.read(self.uid, max(0, state.seq - 1))
        if state.seq:
            if not events or events[0].seq != state.seq:
                raise LogDamaged(f"the log of {self.uid} has no event {state.seq}", state.seq)
            del events[0]
        await self._fill(events, giver, None)
        self._taker.stored(giver.values)
        try:
            return fold(events, state), events
        except Bug as wrong:
            raise LogDamaged(f"the log does not fold: {wrong}", seq=state.seq + 1) from wrong

    async def _checkpoint(self, giver: Giver) -> State | None:
        kept = await self._checkpoints.latest(self.uid)
        if kept is None:
            return None
        seq, data = kept
        try:
            state = states.decode(data)
            await self._fetch(state.large, giver)
        except (msgspec.DecodeError, Changed):
            return None
        giver.give(state, state.large)
        state.large = []
        return state if state.seq == seq and state.uid == self.uid else None

    async def _fill(self, events: Sequence[Event], giver: Giver, up_to: int | None) -> None:
        """Put the values back into events; fetched together, since readers of a cluster wait for each fetch."""
        wanted = [
            (event, [large for large in event.large if up_to is None or large.size <= up_to])
            for event in events
            if event.large
        ]
        try:
            await self._fetch([large for _, found in wanted for large in found], giver)
        except Changed:
            for event, found in wanted:  # which is the first?
                await self._fetch_for(event, found, giver)
        for event, found in wanted:
            giver.give(event, found)
            left = [large for large in event.large or () if large not in found]
            msgspec.structs.force_setattr(event, "large", left or None)

    async def _fetch_for(self, event: Event, references: Sequence[Large], giver: Giver) -> None:
        try:
            await self._fetch(references, giver)
        except Changed as wrong:
            message = f"event {event.seq} of the log of {self.uid} refers to what is not there: {wrong}"
            raise LogDamaged(message, event.seq) from wrong

    async def _fetch(self, references: Sequence[Large], giver: Giver) -> None:
        while missing := giver.missing(references):
            for start in range(0, len(missing), FETCHED):
                part = missing[start : start + FETCHED]
                found = await self._blobs.fetch(self.uid, part)
                for digest in part:
                    giver.take(digest, found.get(digest))
