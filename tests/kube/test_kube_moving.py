"""Runs that move into a cluster and out of it, on a real API server: whole or not at all, and never begun half-way."""

from __future__ import annotations

import json
import time

import pytest
from tests.engine.test_bundles import bundle as small
from tests.support.cli import Cli, sh
from tests.support.kube import with_client
from tests.support.kube_faults import Crash, Fault
from tests.support.kube_runs import ended, execution, head, left

from fairlead.kube import names
from fairlead.kube.checkpoints import KubernetesCheckpoints
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, LEASES
from fairlead.kube.leases import reign
from fairlead.kube.moving import export_run, import_run
from fairlead.kube.names import Place
from fairlead.kube.retention import Retention
from fairlead.model.errors import FairleadError, InvalidInput, NotFound
from fairlead.model.times import HOUR
from fairlead.runtime.bundles import Bundle, check
from fairlead.runtime.journal import Journal

NOW = time.time_ns() // 1_000
LONG = pytest.mark.timeout(240, func_only=True)
"""For those that take a dozen commands, each a process."""


@pytest.fixture
def cli(tmp_path, cluster):
    """The command line as a cluster administrator."""
    found = Cli(tmp_path)
    found.env |= {"KUBECONFIG": str(cluster.kubeconfig)}
    return found


def take_in(home, given: Bundle, name="moved", epoch=1):
    work = import_run(
        home.client, given, check(given, "FILE"), (home.namespace, name), NOW, "FILE", epoch=epoch
    )
    home.run(work)
    return place_of(home, name)


def into(home):
    """Where a command imports to: the cluster is shared, and so are the Leases of all operators in it."""
    return ("-n", home.namespace, "--lease", f"{home.namespace}/fairlead")


def place_of(home, name):
    there = execution(home, Place(home.namespace, name, ""))
    assert there is not None
    place = Place(home.namespace, name, there["metadata"]["uid"], started=bool(there.get("status")))
    home.places.tell(place.uid, place)
    return place


def state_of(home, place):
    checkpoints = KubernetesCheckpoints(home.client, home.places, home.reign)

    async def load():
        from fairlead.kube.blobs import KubernetesBlobs

        blobs = KubernetesBlobs(home.client, home.places, home.reign)
        return await Journal(place.uid, home.another_log(), checkpoints, blobs).load()

    return home.run(load())


def executions(home):
    body = home.run(home.client.get(EXECUTIONS, home.namespace))
    return json.loads(body).get("items", [])


# ------------------------------------------------------------------------------------------------------------- both ways


@LONG
def test_a_run_moves_from_a_laptop_to_a_cluster_and_back(cli, home):
    """A failed run with a large value: status, log and values are there, and a redrive in the last home ends it well."""
    ready = cli.folder / "ready"
    nodes = [
        sh("big", 'head -c 9000 /dev/zero | tr "\\0" y | sed \'s/.*/{"x": "&"}/\' > "$FAIRLEAD_OUTPUTS"'),
        sh("picky", f'echo "key $FAIRLEAD_IDEMPOTENCY_KEY"; test -e "{ready}"', after=["big"]),
    ]
    file = cli.workflow(*nodes, outputs={"size": "${size(nodes.big.outputs.x)}"})
    assert 1 == cli("run", file, "order", "--store", "first.db").returncode
    key = cli.ok("logs", "order", "picky", "--store", "first.db")

    cli.ok("export", "order", "--store", "first.db", "-o", "out.gz")
    done = cli.ok("import", "out.gz", "order-again", *into(home))

    assert "order-again is imported: Failed at event" in done
    place = place_of(home, "order-again")
    there = execution(home, place)
    assert there is not None
    assert ("Failed", "order") == (there["status"]["phase"], there["spec"]["from"]["execution"])
    assert names.IMPORTING not in there["metadata"].get("annotations", {})
    assert "closed" == head(home, place)["metadata"]["labels"][names.LOG]
    state = state_of(home, place)
    assert (place.uid, "order-again", 9000) == (state.uid, state.name, len(state.nodes["big"].outputs["x"]))

    said = cli.ok("export", "order-again", "-n", home.namespace)
    assert "order-again is exported to order-again.fairlead.gz" in said
    cli.ok("import", "order-again.fairlead.gz", "back", "--store", "second.db")
    ready.touch()
    cli.ok("redrive", "back", "--store", "second.db")
    ended_well = cli.ok("run", "--resume", "back", "--store", "second.db", "-o", "json")

    assert {"size": 9000} == json.loads(ended_well)["outputs"]
    assert key.split()[-1] in cli.ok("logs", "back", "picky", "--store", "second.db")
    assert 0 == cli("replay", "back", "--store", "second.db").returncode


def test_a_suspended_run_stays_so_until_it_is_resumed(home):
    """In its new home the spec holds it, whatever it said before; a copy of it moves on from there."""
    place = take_in(home, small(suspended=True))

    there = execution(home, place)
    assert there is not None
    assert (True, "Suspended") == (there["spec"]["suspend"], there["status"]["phase"])
    assert "head" == head(home, place)["metadata"]["labels"][names.LOG]
    onwards = home.run(export_run(home.client, home.namespace, place.name, "2026-01-01T00:00:00Z"))
    assert place.uid == onwards.created.uid
    again = state_of(home, take_in(home, onwards, "further"))
    assert ("Suspended", "uid-1", "further") == (again.phase, again.origin, again.name)


def test_the_leader_goes_on_with_what_was_imported(home):
    """Its epoch is that of the reign, a later one claims it, and the log takes the next event."""
    from fairlead.model.events import RedriveRefused

    place = take_in(home, small(), epoch=1)
    assert "1" == head(home, place)["metadata"]["labels"][names.EPOCH]
    home.reign.number = 4
    log = home.another_log()
    seq = len(home.run(log.read(place.uid)))

    home.run(log.claim(place.uid))
    home.run(log.append(place.uid, seq, [RedriveRefused(seq=seq + 1, redrive=1, reason="NotFailed")]))

    assert seq + 1 == state_of(home, place).seq


# ------------------------------------------------------------------------------------------------------------ not half


def test_an_execution_is_held_until_its_log_is_there(home):
    """From its birth on; the status comes before it is let go."""
    seen = []

    async def look(method, path):
        body = await home.client.get(EXECUTIONS, home.namespace)
        for one in json.loads(body).get("items", []):
            held = names.IMPORTING in one["metadata"].get("annotations", {})
            seen.append((held, bool(one.get("status")), "workflowexecutions" in path))

    home.client.between = look
    take_in(home, small())
    home.client.between = None

    assert seen
    assert all(held for held, _, _ in seen)
    assert (True, True, True) == seen[-1]


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_process_that_dies_leaves_nothing_that_starts(home, fault):
    """Wherever it dies: what is not held any more has its whole log and its status."""
    given, point = small(), 0
    while True:
        left_over = [point]

        def fate(*_, left_over=left_over):
            left_over[0] -= 1
            return fault if left_over[0] < 0 else Fault.NONE

        home.client.fate = fate
        try:
            take_in(home, given, f"moved-{point}")
        except Crash:
            pass
        finally:
            home.client.fate = lambda *_: Fault.NONE
        if left_over[0] >= 0:
            break
        point += 1

    assert point >= 5
    for one in executions(home):
        if names.IMPORTING not in one["metadata"].get("annotations", {}):
            place = place_of(home, one["metadata"]["name"])
            assert "Succeeded" == state_of(home, place).phase == one["status"]["phase"]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_an_answer_that_never_comes_is_settled(home, fault):
    """Whichever it is: the run is there, or nothing is and that is said."""
    given = small()
    for point in range(7):
        count = [point]

        def fate(*_, count=count):
            count[0] -= 1
            return fault if count[0] == -1 else Fault.NONE

        home.client.fate = fate
        name = f"moved-{point}"
        try:
            place = take_in(home, given, name)
        except FairleadError:
            assert execution(home, Place(home.namespace, name, "")) is None
        else:
            assert "Succeeded" == state_of(home, place).phase
        finally:
            home.client.fate = lambda *_: Fault.NONE


def test_a_name_that_is_taken_is_told(cli, home):
    """Also by an import that died half-way, which says so; what is there is left alone."""
    place = take_in(home, small(), "taken")
    with pytest.raises(InvalidInput, match="an execution named taken exists already"):
        take_in(home, small(), "taken")
    held = {"metadata": {"annotations": {names.IMPORTING: "somebody else's"}}}
    home.run(home.client.patch(EXECUTIONS, home.namespace, "taken", held))
    with pytest.raises(InvalidInput, match="was never imported to its end: delete it"):
        take_in(home, small(), "taken")

    assert "Succeeded" == state_of(home, place).phase


def test_who_may_not_write_records_imports_nothing(home, cluster, tmp_path):
    """The policy on records refuses, that is said, and no execution is left."""
    where = ("-n", home.namespace)
    role = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: editor}\nrules:\n"
        '- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}\n'
        '- {apiGroups: [fairlead.dev], resources: ["*"], verbs: ["*"]}\n'
        "- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [list]}\n"
    )
    cluster.kubectl(*where, "apply", "-f", "-", text=role)
    cluster.kubectl(*where, "create", "serviceaccount", "someone")
    who = f"--serviceaccount={home.namespace}:someone"
    cluster.kubectl(*where, "create", "rolebinding", "someone", "--role=editor", who)
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": cluster.kubectl(*where, "create", "token", "someone").strip()}
    mine = tmp_path / "kubeconfig"
    mine.write_text(json.dumps(config))
    mine.chmod(0o600)
    given = small()

    async def work(client):
        await import_run(client, given, check(given, "FILE"), (home.namespace, "x"), NOW, "FILE", epoch=1)

    with pytest.raises(InvalidInput, match="only the operator of Fairlead writes its records"):
        with_client(mine, work)
    assert [] == executions(home)


# ------------------------------------------------------------------------------------------------------------- the rest


def test_the_epoch_is_that_of_the_present_reign(home):
    """Of the Lease of the namespace; where there is none, the number is 0."""
    name = f"lease-{home.namespace}"
    assert 0 == home.run(reign(home.client, home.namespace, name))
    for namespace, number in ((home.namespace, 7), ("default", 3)):
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"leaseTransitions": number},
        }
        home.run(home.client.create(LEASES, namespace, body))
    try:
        assert 7 == home.run(reign(home.client, home.namespace, name))
        assert 3 == home.run(reign(home.client, home.namespace, f"default/{name}"))
        with pytest.raises(InvalidInput, match="several operators lead"):
            home.run(reign(home.client, "kube-system", name))
    finally:
        home.run(home.client.delete(LEASES, "default", name))


def test_retention_counts_from_the_import(home):
    """A run that ended long ago stays for its time in the new home; one that is being imported is left alone."""
    place = take_in(home, small())
    keeping = Retention(home.client, home.reign, lambda _: None, namespace=home.namespace)

    assert 0 == home.run(keeping.sweep(NOW + 167 * HOUR)).logs
    held = {"metadata": {"annotations": {names.IMPORTING: "x"}}}
    home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, held))
    assert 0 == home.run(keeping.sweep(NOW + 169 * HOUR)).logs
    free = {"metadata": {"annotations": {names.IMPORTING: None}}}
    home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, free))
    assert 1 == home.run(keeping.sweep(NOW + 169 * HOUR)).logs


def test_what_has_no_log_cannot_be_exported(home):
    """One that has not begun, one whose log retention has removed, one that is not there."""
    never = home.places.of(home.born())
    retired = ended(home, "Failed", NOW, failed="0")
    home.run(Retention(home.client, home.reign, lambda _: None, namespace=home.namespace).sweep(NOW + HOUR))
    assert [] == left(home, CONFIG_MAPS, retired)

    for name, error, said in (
        (never.name, InvalidInput, "has not begun"),
        (retired.name, NotFound, "was removed by its retention on"),
        ("nobody", NotFound, "nobody"),
    ):
        with pytest.raises(error, match=said):
            home.run(export_run(home.client, home.namespace, name, "2026-01-01T00:00:00Z"))
