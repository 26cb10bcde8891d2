"""Random graphs, orders of arrival, wishes and crashes: what holds of every run.

- A run ends, whatever the order in which its nodes do.
- The fold of the log equals the live state at every step (the driver compares after each batch).
- A crash between any two steps, also in the middle of a long turn, changes neither the final state nor the outputs.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tests.support.driver import Driver
from tests.support.graphs import INPUTS, workflows

from fairlead.engine.evolve import fold
from fairlead.model import state as s
from fairlead.model.events import encode
from fairlead.model.manifests import WorkflowSpec, canonical_json

pytestmark = pytest.mark.simulation


CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much]


class Player:
    """Plays the world by a list of draws: which attempt ends next, and how; when time passes; what people want."""

    def __init__(self, run: Driver, draws: list[int], *, wishes: bool, crashes: bool, losses: bool) -> None:
        self.run = run
        self.draws = iter(draws)
        self.wishes = wishes
        self.crashes = crashes
        self.losses = losses
        self.wish: dict[str, Any] = {}

    def draw(self, below: int) -> int:
        return next(self.draws, 7) % below

    def play(self) -> Driver:
        run = self.run
        for _ in range(2_000):
            if run.state.ended:
                break
            if self.crashes and self.draw(3) == 0:
                run.crash().tick()
            if self.wishes:
                self._wish()
            if not run.state.ended:
                self._step()
        return run

    def _wish(self) -> None:
        pick = self.draw(24)
        if pick == 1:
            self.wish["suspend"] = True
        elif pick == 2:
            self.wish = {**self.wish, "cancel": True, "force": self.draw(3) == 0}
        elif pick in (3, 4, 5, 6, 7):
            self.wish["suspend"] = False
        if 0 < pick < 8:
            self.run.wish(**self.wish)

    def _step(self) -> None:
        run = self.run
        if run.asked and self.draw(3):
            run.answer()
        elif run.running:
            keys = sorted(run.running)
            node, attempt, _ = keys[self.draw(len(keys))]
            action = self.draw(8)
            if action == 0:
                run.started(node)
            elif action == 1:
                run.tick(20)
            elif action in (2, 3):
                run.fail(node)
            elif action == 4 and self.losses:
                run.lose(node)
            else:
                run.end(node, {"n": attempt})
        elif not run.wait_for_timer():
            assert run.state.suspended_at, f"stuck: {run.statuses()}"
            self.wish["suspend"] = False
            run.wish(**self.wish)


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=120))
def test_every_run_ends_whatever_the_order_and_the_wishes(spec, inputs, draws):
    """Any order of arrivals, failures, lost deliveries, suspends and cancels: the run ends and every instance ended once."""
    run = Driver(spec, slow=True).create(inputs)

    Player(run, draws, wishes=True, crashes=True, losses=True).play()

    run.check_ended()


def play_plain(spec: WorkflowSpec, inputs: dict[str, Any], *, limit: int, crash: bool) -> Driver:
    """A run in a world without choice, with or without a crash before every single step."""
    run = Driver(spec, limit=limit)
    if crash:
        run.crash()
    return play_on(run.create(inputs), crash=crash)


def play_on(run: Driver, *, crash: bool) -> Driver:
    """To the end: attempts end in order of name; names of a length divisible by 3 fail, and some first attempts."""
    for _ in range(2_000):
        if run.state.ended:
            break
        if crash:
            run.crash().tick()
        if run.running:
            node, attempt, _ = min(run.running)
            if len(node) % 3 == 0 or (attempt == 1 and node.endswith("1")):
                run.fail(node)
            else:
                run.end(node, {"n": attempt})
        else:
            assert run.wait_for_timer(), f"stuck: {run.statuses()}"
    return run


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS)
def test_crashes_between_all_steps_change_nothing(spec, inputs):
    """With a crash before every step the log is the same, byte for byte, as without any."""
    note(canonical_json(spec).decode())
    calm = play_plain(spec, inputs, limit=1_000, crash=False)
    rough = play_plain(spec, inputs, limit=1_000, crash=True)

    assert calm.log == rough.log
    assert s.encode(calm.state) == s.encode(rough.state)


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS, kept=st.integers(0, 10_000))
def test_a_crash_in_the_middle_of_a_turn_changes_nothing(spec, inputs, kept):
    """Long turns are committed in parts; a process that dies after any part leaves a log that goes on byte for byte the same."""
    note(canonical_json(spec).decode())
    calm = play_plain(spec, inputs, limit=1, crash=False)
    run = Driver(spec, limit=1)
    run.create_part(inputs)
    for _ in range(kept % 40):
        run.decide_part()
    run.crash()
    play_on(run, crash=False)

    run.check_ended()
    assert calm.log == run.log


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=60))
def test_a_redriven_run_ends_too(spec, inputs, draws):
    """However a run failed or was cancelled: after a redrive in which all goes well it ends, with attempts counted on."""
    run = Driver(spec).create(inputs)
    Player(run, draws, wishes=True, crashes=False, losses=True).play()
    if run.state.phase not in (s.FAILED, s.CANCELLED) or not run.state.scopes:
        return
    before = {run.state.instance(key): node.attempt for key, node in run.state.nodes.items()}

    run.wish(redrive=1, cancel=True)
    for _ in range(2_000):
        if run.state.ended:
            break
        if run.running:
            run.end(min(run.running)[0], {"n": 1})
        else:
            assert run.wait_for_timer(), f"stuck: {run.statuses()}"

    run.check_ended()
    after = {run.state.instance(key): node.attempt for key, node in run.state.nodes.items()}
    assert all(after.get(instance, attempt) >= attempt for instance, attempt in before.items())


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=200))
def test_epoch_after_epoch_ends_and_what_succeeded_stays(spec, inputs, draws):
    """Several redrives, in which things fail, are cancelled and crash again: no delivery comes twice, no success is undone."""
    run = Driver(spec).create(inputs)
    player = Player(run, draws, wishes=True, crashes=True, losses=True)
    for epoch in range(1, 6):
        player.play()
        run.check_ended()
        if run.state.phase not in (s.FAILED, s.CANCELLED) or not run.state.scopes:
            break
        player.wish |= {"redrive": epoch, "cancel": False, "suspend": False}
        run.wish(**player.wish)


@settings(suppress_health_check=CHECKS)
@given(spec=workflows(), inputs=INPUTS)
def test_crashes_in_redriven_runs_change_nothing(spec, inputs):
    """With a crash before every step of every epoch the log is the same, byte for byte, as without any."""
    note(canonical_json(spec).decode())
    runs = [play_plain(spec, inputs, limit=1_000, crash=crash) for crash in (False, True)]
    for epoch in (1, 2):
        for run, crash in zip(runs, (False, True), strict=True):
            if run.state.phase in (s.FAILED, s.CANCELLED) and run.state.scopes:
                run.wish(redrive=epoch)
                play_on(run, crash=crash)

    assert runs[0].log == runs[1].log
    runs[0].check_ended()


@settings(suppress_health_check=CHECKS, max_examples=25)
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=60))
def test_a_checkpoint_at_any_event_is_as_good_as_the_log(spec, inputs, draws):
    """State decoded from a checkpoint and folded on is the state folded from the beginning, byte for byte."""
    run = Driver(spec).create(inputs)
    Player(run, draws, wishes=True, crashes=False, losses=True).play()
    events = run.events
    whole = s.encode(fold(events))
    for cut in range(0, len(events), max(1, len(events) // 7)):
        resumed = fold(events[cut:], s.decode(s.encode(fold(events[:cut]))))

        assert whole == s.encode(resumed)
    assert [encode(event) for event in events] == run.log
