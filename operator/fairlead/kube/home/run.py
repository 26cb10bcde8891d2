"""What a leader knows of one execution: as it was last seen, what is wished for by it, and the actor that is at work on it."""

from __future__ import annotations

import asyncio
import contextlib

from fairlead.kube.executions import Execution
from fairlead.kube.home.starting import Waiting, spec_of
from fairlead.kube.kinship import merged, wanted_of
from fairlead.kube.names import Place
from fairlead.model.commands import Tick, Wish
from fairlead.model.errors import FairleadError
from fairlead.model.state import State
from fairlead.runtime.actor import Actor
from fairlead.runtime.intake import wish_of


class Run:
    """What is known of one execution; `execution` is None until it was seen."""

    def __init__(self, place: Place, execution: Execution | None) -> None:
        self.place = place
        self.execution = execution
        self.actor: Actor | None = None
        self.task: asyncio.Task[None] | None = None
        self.deleted = execution is not None and execution.deleting
        self.shown: tuple[str, str] | None = None  # the trouble that the status tells of
        self.tries = 0  # how often it went wrong since something was last committed
        self.begun = place.started  # whether it has a log
        self.ended = False  # what its status says is how it ended, whatever else there is to do
        self._told: tuple[int, Wish | None] = (0, None)  # what the actor has heard, and of which generation
        self._was_shown = False
        self._news = asyncio.Event()
        self._doubt: FairleadError | None = None

    def see(self, execution: Execution) -> None:
        """The execution as it is now. Feed, list and live look may overtake each other: an older view changes nothing."""
        before = self.execution
        if before is not None and execution.is_older_than(before):
            return
        self.execution = execution
        self._was_shown = self._was_shown or (before is not None and bool(before.status.phase))
        self.deleted = self.deleted or execution.deleting
        if self.deleted or before is None or self.has_news(before):
            self.tell_wish()
            self.wake()

    def has_news(self, before: Execution) -> bool:
        """Whether spec or annotations are others than they were: a parent wants things by annotation."""
        assert self.execution is not None
        now = self.execution.metadata
        return (now.generation, now.annotations) != (before.metadata.generation, before.metadata.annotations)

    def is_gone(self) -> None:
        """It is not there any more."""
        self.deleted = True
        self.wake()

    @property
    def is_misrepresented(self) -> bool:
        """Whether its status, as it was last seen, says what its log does not."""
        if self.actor is None or self.execution is None:
            return False
        shown, state = self.execution.status, self.actor.state
        if not shown.phase:
            return self._was_shown  # somebody emptied it; else nothing was written yet
        return shown.phase != state.phase or (shown.log is not None and shown.log.sequence > state.seq)

    def is_in_doubt(self, found: FairleadError) -> None:
        """Somebody else has touched its log."""
        self._doubt = found
        self.wake()

    def is_over(self, state: State, actor: Actor) -> bool:
        """Whether the actor has nothing to do any more. Raises what is wrong with the log."""
        if self._doubt is not None:
            doubt, self._doubt = self._doubt, None
            raise doubt
        return self.deleted or (state.ended and actor.idle)

    def wake(self) -> None:
        """Something may have changed: look again."""
        self._news.set()
        if self.actor is not None:
            self.actor.tell(Tick())

    async def news(self, seconds: float) -> None:
        """Until something may have changed, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    def tell_wish(self) -> None:
        """Let the actor hear what is wished for, once; a spec that makes no sense any more changes nothing."""
        if self.actor is None or self.execution is None or self.deleted:
            return
        with contextlib.suppress(Waiting):
            generation, wish = self.execution.metadata.generation, self.wish()
            if (generation, wish) != self._told:
                self._told = (generation, wish)
                self.actor.tell(wish, generation=generation)

    def wish(self) -> Wish:
        """What is wished for by the spec as it stands. Raises Waiting."""
        assert self.execution is not None
        return merged(wish_of(spec_of(self.execution)), wanted_of(self.execution.metadata.annotations))

    def hears(self, actor: Actor | None, wish: Wish | None = None) -> None:
        """From now on this actor is told what happens; it knows a wish already, or none."""
        generation = self.execution.metadata.generation if self.execution is not None and wish else 0
        self.actor, self._told = actor, (generation, wish)

    @property
    def wants_more(self) -> bool:
        """Whether something is wished for that the actor has not heard."""
        if self.deleted or self.execution is None:
            return False
        with contextlib.suppress(Waiting):
            return (self.execution.metadata.generation, self.wish()) != self._told
        return False
