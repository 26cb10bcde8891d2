"""A secret that goes in by any route comes out nowhere: no log, event, status, ConfigMap, metric or argument shows it.

Nobody plays pods here but the test: what a container would run runs on this machine, with the Secrets that its pod names.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.plane import ControlPlane
from tests.cluster.processes import free_ports
from tests.runner.reach_support import Reply, Request, as_json, serving
from tests.support.cli import Cli
from tests.support.kubelets import Kubelet
from tests.support.operators import API, Operator, Site, run_node

NAMESPACE = "canary"
MISPLACED = "canary-misplaced-7d1e"
KEYS = ("token", "whole", "file", "bearer", "password", "notify", "refused", "pull")
CANARIES = {key: f"canary-{key}-5b0c9a" for key in KEYS}
SETTINGS = {
    "FAIRLEAD_HTTP_ALLOW_PLAIN": "true",
    "FAIRLEAD_HTTP_ALLOW_PRIVATE": "true",
    "FAIRLEAD_HTTP_ALLOW_HOSTS": "127.0.0.1:*",
}
"""An install that lets requests go to this machine."""
FAILING = (
    "env-fails",
    "whole-fails",
    "file-fails",
    "http-refused",
    "http-closed",
    "http-expects",
    "notify-fails",
)
HELD = {
    "missing": ("CreateContainerConfigError", "couldn't find key nothing in Secret canary/token"),
    "pulls": ("ErrImagePull", "failed to authorize: 401 Unauthorized"),
}


@dataclass
class Told:
    """All that came out, by where."""

    texts: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    printed: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def showing(self, secret: str) -> list[str]:
        """Where a secret is seen, as it stands or in base64, however that falls."""
        forms = {secret, *(base64.b64encode(b"x" * n + secret.encode()).decode()[4:-4] for n in range(3))}
        return [where for where, text in self.texts.items() if any(form in text for form in forms)]


def _secrets(site: Site, server: str, closed: str) -> None:
    token = dict(CANARIES)
    site.kubectl("create", "secret", "generic", "token", f"--from-literal=token={token['token']}")
    site.kubectl("create", "secret", "generic", "whole", f"--from-literal=WHOLE_KEY={token['whole']}")
    site.kubectl("create", "secret", "generic", "file", f"--from-literal=key={token['file']}")
    site.kubectl("create", "secret", "generic", "bearer", f"--from-literal=token={token['bearer']}")
    login = ("--from-literal=username=me", f"--from-literal=password={token['password']}")
    site.kubectl("create", "secret", "generic", "basic", *login)
    for name, url in (
        ("well", f"json://me:{token['notify']}@{server}/well"),
        ("down", f"json://me:{token['notify']}@{server}/fails?x={token['notify']}"),
        ("away", f"json://me:{token['notify']}@{closed}/"),
        ("bogus", f"bogus://{token['refused']}"),
    ):
        site.kubectl("create", "secret", "generic", name, f"--from-literal=url={url}")
    pull = ("--docker-server=x", "--docker-username=me", f"--docker-password={token['pull']}")
    site.kubectl("create", "secret", "docker-registry", "pull", *pull)


def _nodes(server: str, closed: str, folder: Path) -> list[dict[str, Any]]:
    """Each route, well and failing."""
    variable = {"envFrom": [{"secret": "token", "keys": {"TOKEN": "token"}}]}
    whole = {"envFrom": [{"secret": "whole"}]}
    file = {"files": [{"secret": "file", "path": str(folder / "mounted")}]}
    bearer, basic = {"secret": "bearer"}, {"secret": "basic", "kind": "basic"}
    count = "import os\noutputs['n'] = len(os.environ['TOKEN'])"
    raises = "import os\nraise RuntimeError('no login with ' + os.environ['WHOLE_KEY'])"
    words = ["sh", "-c", 'printf \'{"n": %d}\' "${#TOKEN}" > "$FAIRLEAD_OUTPUTS"']
    pull = {"image": "private/x", "pod": {"imagePullSecrets": [{"name": "pull"}]}}
    nodes = [
        run_node("env", {"python": count, **variable}),
        run_node("env-fails", {"sh": 'echo "no login with $TOKEN" >&2; exit 3', **variable}),
        run_node("whole-fails", {"python": raises, **whole}),
        run_node("file", {"sh": f"test -s {folder}/mounted/key", **file}),
        run_node("file-fails", {"sh": f"cat {folder}/mounted/key >&2; exit 1", **file}),
        run_node("image", {"image": "busybox", "command": words, **variable}),
        {"name": "http-echo", "http": {"url": f"http://{server}/echo", "auth": bearer}},
        {"name": "http-basic", "http": {"url": f"http://{server}/echo", "auth": basic}},
        {"name": "http-refused", "http": {"url": f"http://{server}/refuse", "auth": bearer}},
        {"name": "http-closed", "http": {"url": f"http://{closed}/", "auth": basic}},
        {
            "name": "http-expects",
            "http": {"url": f"http://{server}/echo", "auth": bearer, "expect": "body.nothing.at.all"},
        },
        {"name": "notify", "notify": {"secret": "well", "body": "x"}},
        {"name": "notify-fails", "notify": {"secret": "down", "body": "x"}},
        {"name": "notify-away", "notify": {"secret": "away", "body": "x"}},
        {"name": "notify-refused", "notify": {"secret": "bogus", "body": "x"}},
        run_node("missing", {"sh": "true", "envFrom": [{"secret": "token", "keys": {"X": "nothing"}}]}),
        run_node("pulls", pull),
        {
            "name": "wrong-expression",
            "set": {"seen": "${nodes.http_echo.outputs.body.nothing}"},
            "after": ["http-echo"],
        },
        {
            "name": "speaks",
            "log": {"message": "${toJson(nodes.http_echo.outputs)} ${toJson(nodes.http_basic.outputs)}"},
            "after": ["http-echo", "http-basic"],
        },
    ]
    for node in nodes:
        if "set" in node or "run" in node or "http" in node or "notify" in node:
            node["onError"] = "continue"
    return nodes


def _misplaced(site: Site) -> None:
    """Secrets where their names belong, in Workflows and in definitions of executions."""
    wrong: list[dict[str, Any]] = [
        {"http": {"url": "https://x", "auth": {"secret": f"Bearer {MISPLACED}"}}},
        {"http": {"url": "https://x", "auth": {"secret": "x", "token": MISPLACED}}},
        {"notify": {"secret": f"slack://{MISPLACED}", "body": "x"}},
        {"run": {"sh": "true", "envFrom": [{"secret": "x", "keys": {"A": "a"}, "value": MISPLACED}]}},
        {"run": {"sh": "true", "files": [{"secret": f"{MISPLACED}!", "path": "/x"}]}},
        {"run": {"sh": "true", "pod": {"imagePullSecrets": [{"name": "x", "password": MISPLACED}]}}},
    ]
    for number, node in enumerate(wrong):
        name = f"wrong-{number}"
        site.workflow(name, [{"name": "a", **node}])
        site.execution(f"{name}-called", name)
        spec = {"definition": {"nodes": [{"name": "a", **node}]}}
        site.apply({"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": name}, "spec": spec})


@pytest.fixture(scope="module")
def told(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What comes out of runs that use secrets by every route."""
    folder = tmp_path_factory.mktemp("canary")
    plane.kubectl("create", "namespace", NAMESPACE)
    site = Site(plane.kubeconfig, NAMESPACE)
    site.kubectl("create", "serviceaccount", "default")
    [probes, nobody] = free_ports(2)
    operator = Operator(plane.kubeconfig, NAMESPACE, folder / "operator.log", "--probes", str(probes))
    found = Told()

    def answer(request: Request) -> Reply:
        found.asked.append(request)
        code = {"/refuse": 401, "/fails": 500}.get(request.path.partition("?")[0], 200)
        return as_json({"you": request.headers}, code)

    operator.start()
    try:
        operator.until_leading()
        with serving(answer) as server:
            here, closed = f"127.0.0.1:{server.port}", f"127.0.0.1:{nobody}"
            _secrets(site, here, closed)
            site.workflow("routes", _nodes(here, closed, folder))
            site.execution("routes-1", "routes")
            _misplaced(site)
            _play(site, Kubelet(site, folder, SETTINGS), found)
            site.patch("routes-1", {"cancel": {"reason": "the rest is held"}})
            found.status = site.ended("routes-1")
            for name in ("wrong-0", "wrong-5", "wrong-0-called", "wrong-5-called"):
                site.until(name, lambda status: status.get("conditions"), f"{name} is refused")
        _collect(site, operator, probes, folder, found)
        yield found
    finally:
        operator.stop()


def _play(site: Site, kubelet: Kubelet, found: Told) -> None:
    """Run every pod that comes, or hold it, until all have been."""
    routes = [node for node in _nodes("", "", Path("/")) if not {"set", "log"} & node.keys()]
    for node in (one["name"] for one in routes):
        pod = site.pod("routes-1", node)
        if node in HELD:
            kubelet.hold(pod, *HELD[node])
        else:
            found.printed[node] = kubelet.play(pod)
    expected = len(HELD)
    site.until(
        "routes-1", lambda status: len(status.get("waitingFor", ())) == expected, "all but those have ended"
    )


def _collect(site: Site, operator: Operator, probes: int, folder: Path, found: Told) -> None:
    """Everything that the API server shows but Secrets, and all that our programs say."""
    kinds = site.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    for kind in kinds:
        if kind != "secrets":
            objects = json.loads(site.kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
            for one in objects:
                about = one["metadata"]
                if about["name"].startswith("wrong-"):  # what a person has written there stands there
                    one.pop("spec", None)
                    about.pop("annotations", None)
                found.texts[f"{kind} {about['name']}"] = json.dumps(one)
    with urllib.request.urlopen(f"http://127.0.0.1:{probes}/metrics", timeout=10) as reply:
        found.texts["metrics"] = reply.read().decode()
    found.texts["the operator's log"] = operator.log.read_text(encoding="utf-8")
    cli = Cli(folder)
    cli.env["KUBECONFIG"] = str(site.kubeconfig)
    names = ("routes-1", "wrong-0", "wrong-5")
    commands = [
        (*words, name)
        for name in names
        for words in (("get",), ("events",), ("graph",), ("replay",), ("logs",), ("get", "-o", "yaml"))
    ]
    for words in (*commands, ("list",), ("list", "-o", "wide"), ("events", "routes-1", "-o", "json")):
        done = cli(*words, "-n", NAMESPACE)
        own = "wrong" in words[-1] and "yaml" in words  # the object itself, with its spec
        found.texts[f"fairlead {' '.join(words)}"] = done.stderr if own else done.stdout + done.stderr
    found.outputs = json.loads(cli.ok("get", "routes-1", "-n", NAMESPACE, "-o", "json"))


@pytest.mark.timeout(400, func_only=True)
def test_the_secrets_were_used(told: Told):
    """Each of them has arrived where it was meant to, and some of it was printed or sent: there was something to show."""
    sent = json.dumps([request.headers for request in told.asked])
    assert CANARIES["bearer"] in sent
    for key in ("password", "notify"):
        assert base64.b64encode(f"me:{CANARIES[key]}".encode()).decode() in sent
    assert CANARIES["token"] in told.printed["env-fails"]
    assert CANARIES["whole"] in told.printed["whole-fails"]
    assert CANARIES["file"] in told.printed["file-fails"]
    shown = told.texts["fairlead events routes-1"]
    assert "no login with ***" in shown
    for node in FAILING:
        assert f"{node}" in shown
    assert told.texts["fairlead get wrong-0"].count("a text of") == 1
    assert any(where.startswith("events") for where in told.texts)
    assert any(
        "status" in json.loads(text)
        for where, text in told.texts.items()
        if "wrong-0" in where and "workflows" in where
    )


@pytest.mark.parametrize("route", [*CANARIES, "misplaced"])
def test_no_secret_comes_out(told: Told, route: str):
    """Not as it stands and not in base64."""
    assert told.showing(CANARIES.get(route, MISPLACED)) == []
