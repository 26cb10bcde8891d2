"""`resource` nodes: the real runner against a real API server where there is one, and always against a small one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.runner import api_servers
from tests.runner.api_servers import CONFIG_MAPS, Api, config_map
from tests.runner.conftest import Start
from tests.runner.reach_support import reaching
from tests.runner.runner_support import Runner
from tests.support.waiting import until

MANY = 20_000_000
SHORT = 700_000
BUILT = all((api_servers.BINARIES / name).exists() for name in ("etcd", "kube-apiserver"))


# The small server always; the real one where it is built: the rung of the cluster comes with the Kubernetes issue.
SERVERS = [
    pytest.param("small", marks=pytest.mark.local),
    *([pytest.param("real", marks=pytest.mark.cluster)] if BUILT else []),
]


@pytest.fixture(scope="module", params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    make = api_servers.real if request.param == "real" else api_servers.small
    with make(tmp_path_factory.mktemp(request.param)) as server:
        yield server


Do = Callable[..., Runner]


@pytest.fixture
def do(start: Start, api: Api) -> Do:
    """Runs a resource node."""

    def run(action: str, manifest: Any, *, token: str = "admin", key: str = "c0ffee", **spec: Any) -> Runner:
        node = reaching("resource", {"action": action, "manifest": manifest, **spec})
        return start(node={**node, "idempotencyKey": key}, env_of_home=api.kubeconfig(token))

    return run


def later(act: Callable[[], Any], when: Callable[[], Any] = lambda: True) -> threading.Thread:
    """Something that happens while a node waits: after a moment, and not before something else is there."""

    def wait() -> None:
        until(when, "what the change is made to is there")
        act()

    thread = threading.Timer(0.3, wait)
    thread.start()
    return thread


def test_create_gives_the_object(api: Api, do: Do):
    """The object exists, and the outputs show it without the API server's bookkeeping."""
    made = do("create", config_map("made", a="1")).outputs()["object"]

    assert api.config_map("made")["data"] == {"a": "1"}
    assert made["metadata"]["uid"] == api.config_map("made")["metadata"]["uid"]
    assert made["data"] == {"a": "1"}
    assert "managedFields" not in made["metadata"]


def test_create_twice_by_one_node_is_one_object(api: Api, do: Do):
    """A second delivery finds what the first one made; another node is told that it exists."""
    first = do("create", config_map("once")).outputs()
    again = do("create", config_map("once")).outputs()
    other = do("create", config_map("once"), key="beef").error()

    assert first["object"]["metadata"]["uid"] == again["object"]["metadata"]["uid"]
    assert other["reason"] == "AlreadyExists"
    assert "once" in other["message"]


def test_a_generated_name_is_the_same_for_every_delivery(do: Do):
    """`generateName` gives each node its own name, each delivery the same."""
    manifest = {**config_map("x"), "metadata": {"generateName": "job-"}}
    names = [
        do("create", manifest, key=key).outputs()["object"]["metadata"]["name"] for key in ("1", "1", "2")
    ]

    assert names[0] == names[1] != names[2]
    assert all(name.startswith("job-") for name in names)


def test_apply_creates_and_changes(api: Api, do: Do):
    """Server-side apply, by the manager `fairlead`."""
    do("apply", config_map("applied", a="1")).outputs()
    do("apply", config_map("applied", a="2")).outputs()

    assert api.config_map("applied")["data"] == {"a": "2"}


def test_apply_does_not_take_fields_of_others(api: Api, do: Do):
    """A field that another manager owns is a Conflict that names it."""
    api.ask("POST", f"{CONFIG_MAPS}?fieldManager=gitops", config_map("theirs", a="1"))
    error = do("apply", config_map("theirs", a="2")).error()

    assert error["reason"] == "Conflict"
    assert '"gitops"' in error["message"]
    assert ".data.a" in error["message"]


def test_patch_merges(api: Api, do: Do):
    """What the manifest does not name stays."""
    api.ask("POST", CONFIG_MAPS, config_map("patched", a="1", b="1"))
    patched = do("patch", config_map("patched", b="2")).outputs()["object"]

    assert patched["data"] == api.config_map("patched")["data"] == {"a": "1", "b": "2"}


def test_get(api: Api, do: Do):
    """An object that is there; one that is not is NotFound."""
    api.ask("POST", CONFIG_MAPS, config_map("there", a="1"))

    assert do("get", config_map("there")).outputs()["object"]["data"] == {"a": "1"}
    error = do("get", config_map("missing")).error()
    assert error["reason"] == "NotFound"
    assert "missing" in error["message"]


def test_delete(api: Api, do: Do):
    """It is gone; a second delivery finds that it is."""
    api.ask("POST", CONFIG_MAPS, config_map("doomed"))

    assert do("delete", config_map("doomed")).outputs() == {"object": None}
    assert api.config_map("doomed") is None
    assert do("delete", config_map("doomed")).outputs() == {"object": None}


def test_delete_awaits_the_end(api: Api, do: Do):
    """An object with a finalizer ends when that is gone, and so does the node."""
    held = config_map("held")
    held["metadata"]["finalizers"] = ["fairlead.dev/test"]
    api.ask("POST", CONFIG_MAPS, held)

    error = do("delete", config_map("held"), timeout=SHORT).error()
    assert error["reason"] == "ResourceTimeout"
    thread = later(lambda: api.ask("PATCH", f"{CONFIG_MAPS}/held", {"metadata": {"finalizers": None}}))
    assert do("delete", config_map("held"), timeout=MANY).outputs() == {"object": None}
    thread.join()


def test_success_is_awaited(api: Api, do: Do):
    """A field that is not there yet is waited for; the object is as it was when the condition held."""
    thread = later(
        lambda: api.ask("PATCH", f"{CONFIG_MAPS}/waited", {"data": {"phase": "ready"}}),
        lambda: api.config_map("waited"),
    )
    api.ask("POST", CONFIG_MAPS, config_map("waited", a="1"))
    found = do("get", config_map("waited"), success="object.data.phase == 'ready'", timeout=MANY).outputs()
    thread.join()

    assert found["object"]["data"] == {"a": "1", "phase": "ready"}


def test_an_object_that_comes_later_is_awaited(api: Api, do: Do):
    """`get` with `success` waits for the object itself too."""
    thread = later(lambda: api.ask("POST", CONFIG_MAPS, config_map("later", a="1")))
    found = do("get", config_map("later"), success="object.data.a == '1'", timeout=MANY).outputs()
    thread.join()

    assert found["object"]["data"] == {"a": "1"}


def test_failure_ends_the_wait(api: Api, do: Do):
    """`failure` goes before `success`."""
    thread = later(
        lambda: api.ask("PATCH", f"{CONFIG_MAPS}/broken", {"data": {"phase": "broken"}}),
        lambda: api.config_map("broken"),
    )
    error = do(
        "create",
        config_map("broken", phase="new"),
        success="object.data.phase in ['ready', 'broken']",
        failure="object.data.phase == 'broken'",
        timeout=MANY,
    ).error()
    thread.join()

    assert error["reason"] == "ResourceFailed"
    assert "ConfigMap 'broken'" in error["message"]


def test_a_timeout_of_its_own(api: Api, do: Do):
    """`timeout` bounds the waiting and says what was missing."""
    error = do("create", config_map("slow"), success="object.data.a == '1'", timeout=SHORT).error()

    assert error["reason"] == "ResourceTimeout"
    assert error["message"].startswith("ConfigMap 'slow' was not as `success` says within 0.7 s")
    absent = do("get", config_map("never"), success="true", timeout=SHORT).error()
    assert absent["message"].endswith("it does not exist")


def test_an_object_that_goes_while_it_is_awaited(api: Api, do: Do):
    """What was seen and is gone will not become what was awaited."""
    thread = later(lambda: api.ask("DELETE", f"{CONFIG_MAPS}/fleeting"), lambda: api.config_map("fleeting"))
    error = do("create", config_map("fleeting"), success="object.data.a == '1'", timeout=MANY).error()
    thread.join()

    assert error["reason"] == "NotFound"
    assert "deleted while it was awaited" in error["message"]


def test_rights_that_are_missing(do: Do):
    """A service account without the right is told which one is missing; an unknown one is Unauthorized."""
    error = do("create", config_map("no"), token="weak").error()

    assert error["reason"] == "Forbidden"
    assert 'cannot create resource "configmaps"' in error["message"]
    assert do("create", config_map("no"), token="stranger").error()["reason"] == "Unauthorized"


def test_secrets_are_no_values(api: Api, do: Do):
    """The data of a Secret is in no output, and no condition can read it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "canary"}, "data": {"k": "Y2FuYXJ5"}}
    made = do("create", secret).outputs()["object"]
    got = do("get", secret, success="!has(object.data)", timeout=SHORT).outputs()["object"]

    assert api.ask("GET", "/api/v1/namespaces/default/secrets/canary")["data"] == {"k": "Y2FuYXJ5"}
    for found in (made, got):
        assert "data" not in found
        assert "Y2FuYXJ5" not in str(found)


@pytest.mark.parametrize(
    "manifest, sign",
    [
        ("text", "is of type str"),
        ({"kind": "ConfigMap", "metadata": {"name": "x"}}, "apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "kind"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "metadata"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, "metadata.name"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ".."}}, "metadata.name"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": ".."}}, "namespace"),
        ({"apiVersion": "../../x", "kind": "ConfigMap", "metadata": {"name": "x"}}, "apiVersion"),
        ({"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "x"}}, "no kind 'Nothing'"),
        ({"apiVersion": "nothing.example/v1", "kind": "N", "metadata": {"name": "x"}}, "no API 'nothing.example/v1'"),
    ],
)  # fmt: skip
def test_manifests_that_are_refused(do: Do, manifest: Any, sign: str):
    """What is no object of the cluster is ResourceInvalid and says why."""
    error = do("get", manifest).error()

    assert error["reason"] == "ResourceInvalid"
    assert sign in error["message"]


@pytest.mark.parametrize("name", ["a/b", "../secrets/x", "a?b", "a%2fb"])
def test_names_stay_names(do: Do, name: str):
    """A name cannot lead to another path."""
    assert do("get", config_map(name)).error()["reason"] in ("NotFound", "ResourceInvalid")


@pytest.mark.parametrize("success", ["object.data.a", "object.data.a + 1 == 2", "nobody", "object =="])
def test_conditions_that_are_none(api: Api, do: Do, success: str):
    """What is no bool will never become true: it is an ExpressionError at once."""
    error = do("apply", config_map("conditions", a="1"), success=success, timeout=MANY).error()

    assert error["reason"] == "ExpressionError"
    assert success in error["message"]


def test_a_cluster_that_does_not_answer(start: Start, api: Api):
    """Nobody at the address, and no configuration at all."""
    node = reaching("resource", {"action": "get", "manifest": config_map("x")})
    nobody = start(node=node, env_of_home=api.kubeconfig(url="http://127.0.0.1:1")).error()
    nothing = start(node=node, env_of_home={"KUBECONFIG": "/nowhere/kubeconfig"}).error()

    assert nobody["reason"] == nothing["reason"] == "ClusterUnavailable"
    assert "http://127.0.0.1:1" in nobody["message"]
