"""Ownership: one live process per execution, settled by a lock that goes with the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.stores import DEFINITION, line_of, program, record, tell, with_execution
from tests.support.waiting import lives

from fairlead.local.store import Store
from fairlead.model.errors import InvalidInput, NotFound

OWNS = """
store = Store(path)
owned = store.own("uid-demo")
say(os.getpid())
sys.stdin.readline()
owned.release()
say("released")
sys.stdin.readline()
"""
OWNS_WITH_CHILD = """
import subprocess
store = Store(path)
owned = store.own("uid-demo")
child = subprocess.Popen(["sleep", "1000"], close_fds=len(sys.argv) < 3)
say(child.pid)
sys.stdin.readline()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with with_execution(tmp_path / "store.db") as opened:
        yield opened


def test_a_live_owner_is_named(store):
    """Who comes second is told the pid of the first, and by which name."""
    with program(store.path, OWNS) as process:
        pid = int(line_of(process))

        assert pid == process.pid == store.owner("uid-demo")
        with pytest.raises(InvalidInput) as caught:
            store.own("uid-demo")

    assert f"execution demo is owned by process {pid}, which is alive; expected that one to end first" == str(
        caught.value
    )
    assert "AlreadyOwned" == caught.value.reason


def test_a_killed_owner_owns_nothing(store):
    """After kill -9 the next one owns at once, and knows who was there before."""
    with program(store.path, OWNS) as process:
        pid = int(line_of(process))
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert store.owner("uid-demo") is None
        with store.own("uid-demo") as owned:
            assert (pid, os.getpid()) == (owned.previous, store.owner("uid-demo"))


def test_an_owner_may_let_go(store):
    """After a release somebody else may own, and nothing of the first is left."""
    with program(store.path, OWNS) as process:
        line_of(process)
        tell(process)
        assert "released" == line_of(process)

        assert store.owner("uid-demo") is None
        with store.own("uid-demo") as owned:
            assert owned.previous is None


@pytest.mark.parametrize("words", [(), ("leaky",)], ids=["subprocess as usual", "close_fds off"])
def test_a_child_that_outlives_its_owner_does_not_own(store, words):
    """What an owner started never inherits the lock: the lock's file is closed on exec."""
    with program(store.path, OWNS_WITH_CHILD, *words) as process:
        child = int(line_of(process))
        try:
            process.kill()
            process.wait()
            assert lives(child)

            store.own("uid-demo").release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_same_process_does_not_own_twice(store):
    """Neither through one store nor through two: the pid that is named is our own."""
    with Store(store.path) as second, store.own("uid-demo"):
        for other in (store, second):
            with pytest.raises(InvalidInput, match=f"owned by process {os.getpid()}, which is alive"):
                other.own("uid-demo")
    store.own("uid-demo").release()


def test_executions_are_owned_apart(store):
    """One process may own many."""
    store.create(record("other"), DEFINITION)
    with store.own("uid-demo"), store.own("uid-other"):
        assert [os.getpid()] * 2 == [store.owner("uid-demo"), store.owner("uid-other")]


def test_two_names_of_one_store_are_one_store(store, tmp_path):
    """Through a symbolic link the same locks are found."""
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(store.path)
    with (
        Store(link) as linked,
        store.own("uid-demo"),
        pytest.raises(InvalidInput, match="which is alive"),
    ):
        linked.own("uid-demo")


def test_release_is_final_and_may_be_repeated(store):
    """Releasing what was released does not touch the ownership of who came next."""
    first = store.own("uid-demo")
    first.release()
    with store.own("uid-demo"):
        first.release()

        assert os.getpid() == store.owner("uid-demo")
    assert [] == list(store.folder.iterdir())


def test_what_does_not_exist_cannot_be_owned(store):
    """An unknown uid is NotFound and leaves no lock behind."""
    with pytest.raises(NotFound, match="no execution with uid nobody"):
        store.own("nobody")

    assert store.owner("nobody") is None
    assert [] == list(store.folder.iterdir())


def test_an_owned_execution_is_not_deleted(store):
    """Deletion needs ownership."""
    with program(store.path, OWNS) as process:
        line_of(process)
        with pytest.raises(InvalidInput, match=f"owned by process {process.pid}"):
            store.delete("demo")

    assert "demo" == store.get("demo").name


def test_of_many_that_want_it_one_owns(store):
    """Processes that grab at the same moment: one gets it, each of the others is told of that one."""
    grabs = """
store = Store(path)
say("ready")
sys.stdin.readline()
try:
    owned = store.own("uid-demo")
    say("mine")
    sys.stdin.readline()
except FairleadError as error:
    say(error)
"""
    with ExitStack() as stack:
        processes = [stack.enter_context(program(store.path, grabs)) for _ in range(4)]
        assert ["ready"] * 4 == [line_of(process) for process in processes]
        for process in processes:
            tell(process)
        answers = {process.pid: line_of(process) for process in processes}

    [winner] = [pid for pid, answer in answers.items() if answer == "mine"]
    losers = {answer for answer in answers.values() if answer != "mine"}
    assert {
        f"execution demo is owned by process {winner}, which is alive; expected that one to end first"
    } == losers
    assert store.owner("uid-demo") is None
