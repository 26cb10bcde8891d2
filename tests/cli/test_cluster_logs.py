"""`logs` in a cluster: what the kubelet keeps of pods, read through a real API server.

The kubelet is a server of the test's own: the API server of a test finds it by the address of a Node, and asks it as it asks a
real one. What it answers has the form of containerd's logs.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.cluster.clusters import Cluster
from tests.runner.reach_support import Reply, Request, certified, serving
from tests.support.cli import sh
from tests.support.driver import Driver
from tests.support.waiting import until

from fairlead.kube.pods.causes import CONTAINER
from fairlead.kube.pods.manifests import pod_name
from fairlead.model.ids import delivery_id

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]
FLOW = {"nodes": [sh("a", retry={"maxAttempts": 2, "backoff": "none"}), {"name": "s", "set": {"x": 1}}]}
RESULT = f"fairlead-result {'0' * 16} 0 eyJvdXRwdXRzIjp7fX0="


class Kubelet:
    """A node of the cluster, and the server that answers for its pods."""

    def __init__(self, cluster: Cluster, namespace: str, folder) -> None:
        self.name = f"kubelet-{secrets.token_hex(4)}"
        self.logs: dict[str, list[tuple[str, str]]] = {}
        self.asked: list[dict[str, list[str]]] = []
        self._cluster, self._namespace, self._folder = cluster, namespace, folder

    def answer(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        _, kind, namespace, pod, container = url.path.split("/")
        assert (kind, namespace, container) == ("containerLogs", self._namespace, CONTAINER)
        options = parse_qs(url.query)
        self.asked.append(options)
        since = options.get("sinceTime", [""])[0].rstrip("Z")
        lines = [f"{at} {text}\n" for at, text in self.logs[pod] if at >= since]
        return Reply(headers={"Content-Type": "text/plain"}, body="".join(lines).encode())

    def __enter__(self) -> Self:
        context, _ = certified(self._folder, "127.0.0.1")
        self._serving = serving(self.answer, context)
        port = self._serving.__enter__().port
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            },
        }
        self._cluster.kubectl("create", "-f", "-", text=json.dumps(node))
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.kubectl("delete", "node", self.name, "--wait=false")
        self._serving.__exit__(None, None, None)

    def pod(self, uid: str, node: str, attempt: int, *, on: str | None = None) -> str:
        """The pod of a delivery, on this node; its name."""
        name = pod_name(delivery_id(uid, node, attempt, 1))
        spec = {
            "nodeName": on or self.name,
            "containers": [{"name": CONTAINER, "image": "none"}, {"name": "mesh", "image": "none"}],
        }
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self._cluster.kubectl("create", "-n", self._namespace, "-f", "-", text=json.dumps(body))
        self.logs[name] = []
        return name


@pytest.fixture
def kubelet(cluster, runs, tmp_path) -> Iterator[Kubelet]:
    """A node whose pods print what a test says."""
    with Kubelet(cluster, runs.namespace, tmp_path) as started:
        yield started


def test_what_pods_printed_is_shown(cli, runs, kubelet):
    """By attempt, without the lines of a result; a pod that is gone is said to be, and what the kubelet cannot read."""
    driver = Driver(FLOW, name="l").create()
    driver.started("a").fail("a")
    driver.started("a").end("a")
    uid = runs.created("l")
    runs.write(uid, driver.spec, driver.events)
    first = kubelet.pod(uid, "a", 1)
    kubelet.logs[first] = [
        ("2026-01-01T00:00:00.100000001Z", "one"),
        ("2026-01-01T00:00:00.100000002Z", "zwei €"),
        ("2026-01-01T00:00:01Z", RESULT),
        ("unable", "to retrieve container logs for containerd://x"),
    ]

    shown = cli.ok("logs", "l").splitlines()
    as_json = cli.json("logs", "l", "a", "--attempt", "1")

    gone = pod_name(delivery_id(uid, "a", 2, 1))
    assert shown[0].startswith("==> a, attempt 1: failed with ")
    assert shown[1:4] == ["one", "zwei €", "(unable to retrieve container logs for containerd://x)"]
    assert shown[4].startswith("==> a, attempt 2: done")
    assert shown[5:] == [f"(the pod {gone} is gone, and what it printed with it)"]
    assert as_json[0]["lines"][0] == {"stream": "output", "at": "2026-01-01T00:00:00.1Z", "text": "one"}
    assert as_json[0]["lines"][2]["stream"] == "gap"
    assert cli("logs", "l", "s").stderr.startswith("error: s is of kind set, which prints nothing")
    assert "did you mean a?" in cli("logs", "l", "aa").stderr


def test_logs_are_followed_until_the_run_has_ended(cli, runs, kubelet):
    """Each line once, when it is whole, also those of one second; only what is new is asked for."""
    driver = Driver(FLOW, name="f").create()
    driver.started("a")
    uid = runs.created("f")
    runs.write(uid, driver.spec, driver.events)
    told = len(driver.events)
    pod = kubelet.pod(uid, "a", 1)
    kubelet.logs[pod] = [("2026-01-01T00:00:05.1Z", "one"), ("2026-01-01T00:00:05.2Z", "two")]
    out: list[str] = []
    with cli.started("logs", "f", "--follow") as process:
        reader = threading.Thread(target=lambda: out.extend(process.stdout or ()))
        reader.start()
        until(lambda: out == ["a | one\n"], "the first whole line")
        kubelet.logs[pod] += [("2026-01-01T00:00:05.3Z", "three"), ("2026-01-01T00:00:07Z", "four")]
        until(lambda: len(out) == 3, "all but the last line")
        driver.end("a")
        runs.append(uid, driver.events[told:])
        assert process.wait() == 0
        reader.join()

    assert out == ["a | one\n", "a | two\n", "a | three\n", "a | four\n"]
    assert "sinceTime" not in kubelet.asked[0]
    assert kubelet.asked[-1]["sinceTime"] == ["2026-01-01T00:00:07Z"]


def test_what_the_server_answers_for_a_played_pod_is_said(cli, runs, kubelet):
    """A node without a kubelet has no logs: the sentence of the API server stands where they would."""
    driver = Driver(FLOW, name="k").create()
    driver.started("a").end("a")
    uid = runs.created("k")
    runs.write(uid, driver.spec, driver.events)
    kubelet.pod(uid, "a", 1, on="played-0")

    shown = cli.ok("logs", "k").splitlines()

    assert len(shown) == 2
    assert shown[1].startswith("(what it printed cannot be read: get /api/v1/namespaces/")
    assert "no preferred addresses found" in shown[1]
