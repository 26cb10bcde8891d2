"""Children on a real API server, beyond the contract of the port: what a child is made of, answers that never came, what people
do to it, and how many there may be.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.support.driver import spec_of
from tests.support.kube_faults import Fault
from tests.support.kube_home import KubernetesHome, Reign
from tests.support.stores import a_run
from tests.support.waiting import until

from fairlead.kube import children as kube_children
from fairlead.kube import names
from fairlead.kube.children import KubernetesChildren, KubernetesRegistry, Trees
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, WORKFLOWS
from fairlead.kube.fence import NotLeader
from fairlead.kube.kinship import merged, wanted_of
from fairlead.kube.log import head_name
from fairlead.kube.names import Place
from fairlead.kube.workflows import Workflows
from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model.children import Parent
from fairlead.model.effects import StartChild, SteerChild
from fairlead.model.errors import LogDamaged, Unavailable
from fairlead.model.manifests import plain
from fairlead.runtime import children as rules
from fairlead.runtime.children import Child, Refused
from fairlead.runtime.journal import Journal

SPEC = spec_of(nodes=[{"name": "x", "set": {"y": 1}}])


def started_by(parent: str, *, wait: bool = True, child: str = "kid", **fields: Any) -> StartChild:
    """What a parent asks for."""
    owner = Parent(name="parent", uid=parent, node="a", root=parent, depth=1, wait=wait)
    common: dict[str, Any] = {"node": "a", "attempt": 1, "workflow": "other", "inputs": {}}
    return StartChild(child=child, parent=owner, **{**common, **fields})


def journal_in(home: KubernetesHome):
    """Journals of the executions of a home."""

    def journal(child: Child, namespace: str) -> Journal:
        home.places.tell(child.uid, Place(namespace, child.name, child.uid))
        return Journal(child.uid, home.raw_log, home.raw_checkpoints, home.raw_blobs)

    return journal


def registry_of(
    home: KubernetesHome, reign: Reign | None = None, trees: Trees | None = None
) -> KubernetesRegistry:
    """A registry of a home's namespace that knows nothing yet."""
    fence = reign or home.reign
    workflows = Workflows(home.client, fence)
    return KubernetesRegistry(
        home.client, home.namespace, fence, workflows, journal_in(home), trees or Trees(home.client)
    )


def stored(home: KubernetesHome, name: str = "kid") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(home.run(home.client.get(EXECUTIONS, home.namespace, name)))
    return found


def make(home: KubernetesHome, effect: StartChild, wish: c.Wish | None = None) -> Child:
    return home.run(registry_of(home).create(effect, SPEC, effect.inputs, wish or c.Wish()))


# ---------------------------------------------------------------------------------------------------------- what a child is


def test_a_child_that_is_waited_for_belongs_to_its_parent(home):
    """Owner without blockOwnerDeletion, a finalizer until the parent has its end, labels for the fence and the tree."""
    parent = home.born("parent")
    effect = started_by(parent, inputs={"n": 1}, priority=7)
    child = make(home, effect, c.Wish(redrive=2, held=True))
    there = stored(home)
    about, owner = there["metadata"], names.owner_reference("parent", parent)

    assert (child.uid, [owner], [names.EXECUTION_FINALIZER]) == (
        about["uid"], about["ownerReferences"], about["finalizers"],
    )  # fmt: skip
    assert {names.MANAGED: "true", names.EPOCH: "1", names.ROOT: parent} == about["labels"]
    assert {"workflow": {"name": "other"}, "inputs": {"n": 1}, "priority": 7} == there["spec"]
    assert effect.parent == msgspec.json.decode(about["annotations"][names.PARENT], type=Parent)
    assert c.Wish(redrive=2, held=True) == wanted_of(about["annotations"])
    assert child == home.run(registry_of(home).find("kid"))


def test_a_child_that_is_let_go_belongs_to_nobody(home):
    """No owner, no finalizer; it counts for the tree."""
    parent = home.born("parent")
    make(home, started_by(parent, wait=False))
    about = stored(home)["metadata"]

    assert {"ownerReferences", "finalizers"}.isdisjoint(about)
    assert parent == about["labels"][names.ROOT]
    assert started_by(parent, wait=False).parent == home.run(registry_of(home).find("kid")).parent


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"name": "parent"}', "with the owner of another"])
def test_a_word_is_not_enough_to_be_somebodys_child(home, text):
    """The annotation counts only if it can be read and the owner agrees."""
    parent, other = home.born("parent"), home.born("other")
    about: dict[str, Any] = {"name": "kid", "ownerReferences": [names.owner_reference("other", other)]}
    forged = msgspec.json.encode(started_by(parent).parent).decode()
    if text is not None:
        about["annotations"] = {names.PARENT: forged if text.startswith("with") else text}
    body = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind, "metadata": about}
    spec = {"workflow": {"name": "other"}}
    home.run(home.client.create(EXECUTIONS, home.namespace, {**body, "spec": spec}))

    assert home.run(registry_of(home).find("kid")).parent is None


# ------------------------------------------------------------------------------------------------ answers that never came


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_birth_without_an_answer_is_one_birth(home, fault):
    """What is there afterwards is the child, made once and counted once."""
    parent, faults = home.born("parent"), iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    trees = Trees(home.client)
    registry = registry_of(home, trees=trees)
    child = home.run(registry.create(started_by(parent), SPEC, {}, c.Wish()))

    assert stored(home)["metadata"]["uid"] == child.uid
    assert (
        2
        == home.run(trees.size(home.namespace, parent))
        == home.run(Trees(home.client).size(home.namespace, parent))
    )


def test_a_name_that_is_taken_meanwhile_is_given_as_it_is(home):
    """Whoever asked decides whether it is the one; it does not count for the tree."""
    parent = home.born("parent")
    uid = home.born("kid")
    trees = Trees(home.client)
    registry = registry_of(home, trees=trees)
    found = home.run(registry.create(started_by(parent), SPEC, {}, c.Wish()))

    assert (uid, None) == (found.uid, found.parent)
    assert 1 == home.run(trees.size(home.namespace, parent))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_wish_without_an_answer_is_settled_by_looking(home, fault):
    """Afterwards it stands there, whatever became of the first request."""
    child, faults = make(home, started_by(home.born("parent"))), iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    home.run(registry_of(home).change_wish(child, lambda wish: msgspec.structs.replace(wish, held=True)))

    assert c.Wish(held=True) == wanted_of(stored(home)["metadata"]["annotations"])


def test_a_wish_is_changed_beside_what_others_write(home):
    """Somebody's annotation meanwhile stays, and so does ours."""
    child = make(home, started_by(home.born("parent")))

    async def annotate(method, path):
        home.client.between = None
        foreign = {"metadata": {"annotations": {"somebody": "was here"}}}
        await home.client.patch(EXECUTIONS, home.namespace, "kid", foreign)

    home.client.between = annotate
    home.run(registry_of(home).change_wish(child, lambda wish: msgspec.structs.replace(wish, held=True)))
    annotations = stored(home)["metadata"]["annotations"]

    assert ("was here", c.Wish(held=True)) == (annotations["somebody"], wanted_of(annotations))


def test_a_wish_that_stands_already_is_not_written(home):
    """Nor is that of a child which was born with it."""
    effect = started_by(home.born("parent"), held=True)
    registry = registry_of(home)
    child = home.run(registry.create(effect, SPEC, {}, c.Wish(held=True)))
    before = home.client.writes
    for _ in range(2):
        home.run(registry.change_wish(child, lambda wish: msgspec.structs.replace(wish, held=True)))

    assert before == home.client.writes


def test_a_child_that_goes_meanwhile_is_asked_for_again(home):
    """Nothing is written to another of its name."""
    child = make(home, started_by(home.born("parent"), wait=False))
    home.run(home.client.delete(EXECUTIONS, home.namespace, "kid", uid=child.uid))
    change = registry_of(home).change_wish
    with pytest.raises(Unavailable, match="went just now"):
        home.run(change(child, lambda wish: msgspec.structs.replace(wish, held=True)))
    home.born("kid")
    with pytest.raises(Unavailable, match="went just now"):
        home.run(change(child, lambda wish: msgspec.structs.replace(wish, held=True)))

    assert "annotations" not in stored(home)["metadata"]


def test_who_does_not_lead_makes_and_changes_nothing(home):
    """The fence is asked before every write."""
    parent = home.born("parent")
    child = make(home, started_by(parent))
    home.reign.number = None
    before = home.client.writes
    with pytest.raises(NotLeader):
        make(home, started_by(parent, child="kid2"))
    with pytest.raises(NotLeader):
        home.run(registry_of(home).change_wish(child, lambda wish: msgspec.structs.replace(wish, held=True)))

    assert before == home.client.writes


# --------------------------------------------------------------------------------------------------- what people do to it


def test_what_people_want_stays_theirs(home):
    """The spec is never written to; a redrive of theirs is one that a stop has to end."""
    child = make(home, started_by(home.born("parent")))
    spec = {"redrive": 2, "suspend": True, "cancel": {"reason": "mine"}}
    home.run(home.client.patch(EXECUTIONS, home.namespace, "kid", {"spec": spec}))
    seen: list[c.Wish] = []

    def steered(wish: c.Wish) -> c.Wish:
        seen.append(wish)
        return msgspec.structs.replace(wish, held=True, stop=wish.redrive + 1)

    home.run(registry_of(home).change_wish(child, steered))
    there = stored(home)

    assert [c.Wish(redrive=2)] == seen
    assert spec == {key: there["spec"][key] for key in spec}
    mine = c.Wish(suspend=True, cancel=True, cancel_reason="mine", redrive=2)
    wanted = wanted_of(there["metadata"]["annotations"])
    assert msgspec.structs.replace(mine, held=True, stop=3) == merged(mine, wanted)


def test_the_higher_redrive_counts():
    """Of a person's and of the parent's."""
    assert [2, 3] == [merged(c.Wish(redrive=2), c.Wish(redrive=n)).redrive for n in (1, 3)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stop": "x"}', '{"redrive": -1.5}'])
def test_a_wanted_that_cannot_be_read_counts_as_nothing(text):
    """The parent says again what it wants; what stands beside the known fields is nobody's business."""
    assert c.Wish() == wanted_of({names.WANTED: text}) == wanted_of({})
    assert c.Wish(held=True) == wanted_of({names.WANTED: '{"held": true, "cancel": true, "more": 1}'})


def test_a_child_whose_log_went_with_it_cannot_be_read(home):
    """It is held by its finalizer while it is being deleted, and its log is gone already."""
    child = make(home, started_by(home.born("parent")))
    registry = registry_of(home)
    assert not home.run(registry.state(child)).phase
    home.run(home.raw_log.append(child.uid, 0, a_run(1)))
    home.run(home.client.delete(EXECUTIONS, home.namespace, "kid"))
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, head_name(home.places.of(child.uid))))

    with pytest.raises(LogDamaged, match="kid is being deleted"):
        home.run(registry.state(child))
    let_go = {"metadata": {"finalizers": None}}
    home.run(home.client.patch(EXECUTIONS, home.namespace, "kid", let_go))


# ------------------------------------------------------------------------------------------------------- what is called

NODES: list[dict[str, Any]] = [{"name": "x", "set": {"y": 1}}]
MISSPELT: list[dict[str, Any]] = [{"name": "x", "set": {"y": 1}, "timout": "5m"}]


def apply(home: KubernetesHome, name: str, **spec: Any) -> None:
    """A Workflow, made or changed."""
    body = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": {"name": name}}
    params, content = {"fieldManager": "tests", "force": "true"}, "application/apply-patch+yaml"
    path = WORKFLOWS.path(home.namespace, name)
    home.run(home.client.request("PATCH", path, body={**body, "spec": spec}, params=params, content=content))


def inline(name: str) -> list[dict[str, Any]]:
    return [{"name": "call", "workflow": {"name": name, "inline": True}}]


def called(home: KubernetesHome, name: str) -> tuple[str, str]:
    """Why a workflow is not called."""
    with pytest.raises(Refused) as refused:
        home.run(registry_of(home).workflow("", name))
    return refused.value.reason, str(refused.value)


def test_a_workflow_is_called_as_it_is_now(home):
    """A change counts for the next one who calls it, also where it has been read before."""
    registry = registry_of(home)
    apply(home, "other", nodes=NODES)
    assert plain(spec_of(nodes=NODES)) == plain(home.run(registry.workflow("", "other")))

    apply(home, "other", nodes=NODES, version="2")
    assert "2" == home.run(registry.workflow("", "other")).version
    home.run(home.client.delete(WORKFLOWS, home.namespace, "other"))
    with pytest.raises(Refused, match="there is no workflow 'other'"):
        home.run(registry.workflow("", "other"))


@pytest.mark.parametrize(
    "name, said",
    [
        ("othr", "there is no workflow 'othr'; did you mean other?"),
        ("zzz", "there is no workflow 'zzz'; expected another, other"),
        ("Not A/Name?", "there is no workflow 'Not A/Name?'; expected another, other"),
        ("..", "there is no workflow '..'; expected another, other"),
        ("x" * 5000, "; expected another, other"),
    ],
    ids=["misspelt", "unknown", "no name", "dots", "long"],
)
def test_a_name_that_nobody_has_is_refused_with_the_nearest(home, name, said):
    """Of the names in the namespace, whatever the text is that was evaluated."""
    for known in ("other", "another"):
        apply(home, known, nodes=NODES)
    reason, message = called(home, name)

    assert (reasons.WORKFLOW_NOT_FOUND, True) == (reason, message.endswith(said))
    assert len(message) < 1000


def test_a_namespace_without_workflows_is_told_as_such(home):
    """There is no name to suggest."""
    expected = f"there is no workflow 'other'; expected one in the namespace {home.namespace}"
    assert (reasons.WORKFLOW_NOT_FOUND, expected) == called(home, "other")


@pytest.mark.parametrize(
    "nodes, reason, said",
    [
        (MISSPELT, reasons.WORKFLOW_INVALID, "'timout' is no field of a node"),
        (MISSPELT * 200, reasons.WORKFLOW_INVALID, "…"),
        (inline("other"), reasons.WORKFLOW_INVALID, "runs itself inline without end"),
        (inline("missing"), reasons.WORKFLOW_NOT_FOUND, "waits for the Workflow missing of its namespace"),
        (inline("wrong"), reasons.WORKFLOW_INVALID, "'timout' is no field of a node"),
    ],
    ids=["an error", "many errors", "a cycle", "without what it inlines", "with an error in that"],
)
def test_a_workflow_that_cannot_run_is_not_called(home, nodes, reason, said):
    """It is said why, in few words: all of it stands in the status of the Workflow."""
    apply(home, "wrong", nodes=MISSPELT)
    apply(home, "other", nodes=nodes)
    found, message = called(home, "other")

    assert reason == found
    assert said in message
    assert len(message.encode()) <= kube_children.MESSAGE


def test_a_workflow_that_nests_without_end_is_no_crash(home):
    """As deep as the server takes; the others are called as ever."""
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    about = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": {"name": "other"}}
    spec = msgspec.Raw(f'{{"nodes": [{{"name": "x", "set": {{"y": {deep}}}}}]}}'.encode())
    home.run(home.client.create(WORKFLOWS, home.namespace, {**about, "spec": spec}))
    apply(home, "another", nodes=NODES)

    assert reasons.WORKFLOW_INVALID == called(home, "other")[0]
    assert called(home, "nobody")[1].endswith("expected another, other")


# ------------------------------------------------------------------------------------------------ how many there may be


def test_a_tree_is_counted_page_by_page(home, monkeypatch):
    """All of its executions, those let go too, and none of another tree; a process that starts anew counts again."""
    monkeypatch.setattr(kube_children, "_PAGE", 2)
    monkeypatch.setattr(rules, "MAX_TREE", 6)
    parent, other = home.born("parent"), home.born("other")
    for number in range(5):
        make(home, started_by(parent, child=f"kid-{number}", wait=number % 2 == 0))
    make(home, started_by(other, child="another"))

    assert [6, 2] == [home.run(Trees(home.client).size(home.namespace, root)) for root in (parent, other)]
    with pytest.raises(Refused, match="are 6; expected at most 6"):
        make(home, started_by(parent, child="one-more"))


def test_what_was_not_made_takes_no_room(home):
    """A child that a quota refuses fails the node that asked, with what was said, and does not count."""
    parent = home.born("parent")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/workflowexecutions.fairlead.dev": "1"}},
    }
    path = f"/api/v1/namespaces/{home.namespace}/resourcequotas"
    home.run(home.client.request("POST", path, body=quota))

    def counted() -> bool:
        there = json.loads(home.run(home.client.request("GET", f"{path}/few")))
        return bool(there.get("status", {}).get("used"))

    until(counted, "the quota is in force")
    trees = Trees(home.client)
    registry = registry_of(home, trees=trees)
    with pytest.raises(Refused, match=r"the execution was not created: .*exceeded quota: few") as refused:
        home.run(registry.create(started_by(parent), SPEC, {}, c.Wish()))

    assert reasons.CHILD_REFUSED == refused.value.reason
    assert 1 == home.run(trees.size(home.namespace, parent))


# ------------------------------------------------------------------------------------------------------------- the port


def test_the_port_works_in_the_namespace_of_the_parent(home):
    """Which it knows by its uid; whoever hosts the child is told where it is."""
    parent = home.born("parent")
    apply(home, "other", nodes=NODES)
    reports: list[tuple[str, c.Command]] = []
    hosted: list[tuple[str, str]] = []
    port = KubernetesChildren(
        home.client,
        home.places,
        home.reign,
        Workflows(home.client, home.reign),
        journal_in(home),
        lambda uid, command: reports.append((uid, command)),
        lambda namespace, child: hosted.append((namespace, child.name)),
    )
    effect = started_by(parent)
    home.run(port.start(effect))
    home.run(port.steer(SteerChild(node="a", child="kid", parent=effect.parent, held=True)))

    uid = stored(home)["metadata"]["uid"]
    assert [(parent, c.ChildStarted(node="a", child="kid", uid=uid))] == reports
    assert [(home.namespace, "kid")] * 2 == hosted
    assert c.Wish(held=True) == wanted_of(stored(home)["metadata"]["annotations"])
    found = home.run(registry_of(home).find("kid"))
    assert effect.parent == found.parent
