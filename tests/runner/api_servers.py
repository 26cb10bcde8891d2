"""API servers for `resource` nodes: a real one where its binaries are, and a small one that always is.

The real one is etcd and kube-apiserver from FAIRLEAD_CLUSTER_CACHE (default ~/.cache/fairlead-cluster). Both know the tokens
`admin` (may do anything) and `weak` (may do nothing).
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.runner.reach_support import Reply, Request, as_json, serving
from tests.support.waiting import until

BINARIES = Path(os.environ.get("FAIRLEAD_CLUSTER_CACHE", Path.home() / ".cache" / "fairlead-cluster"))
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{url}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u, namespace: default}}}}]
current-context: x
"""


class Api:
    """A running API server, and requests to it with all rights."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def kubeconfig(self, token: str = "admin", url: str | None = None) -> dict[str, str]:
        """The environment of a runner that asks with a token."""
        file = self._folder / f"kubeconfig-{token}{'-elsewhere' if url else ''}"
        file.write_text(KUBECONFIG.format(url=url or self.url, token=token))
        return {"KUBECONFIG": str(file)}

    def ask(self, method: str, path: str, body: Any = None, token: str = "admin") -> Any:
        """JSON in, JSON out; None for what is not there."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": kind},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=20, context=_anyone()) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(error.read()) from None

    def config_map(self, name: str) -> Any:
        return self.ask("GET", f"{CONFIG_MAPS}/{name}")


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A manifest."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@contextmanager
def real(folder: Path) -> Iterator[Api]:
    """Etcd and kube-apiserver."""
    etcd, peers, port = _free_ports(3)
    subprocess.run(
        ["openssl", "genrsa", "-out", "sa.key", "2048"], cwd=folder, check=True, capture_output=True
    )
    (folder / "tokens.csv").write_text('admin,admin,admin,"system:masters"\nweak,weak,weak\n')
    url = f"http://127.0.0.1:{etcd}"
    programs = [
        ["etcd", "--data-dir", "etcd", "--unsafe-no-fsync", "--listen-client-urls", url, "--advertise-client-urls", url,
         "--listen-peer-urls", f"http://127.0.0.1:{peers}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
         "--initial-cluster", f"default=http://127.0.0.1:{peers}"],
        ["kube-apiserver", "--etcd-servers", url, "--bind-address", "127.0.0.1", "--secure-port", str(port),
         "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none", "--cert-dir", "certs",
         "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", "sa.key",
         "--service-account-signing-key-file", "sa.key", "--service-cluster-ip-range", "10.96.0.0/16",
         "--token-auth-file", "tokens.csv", "--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"],
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        for name, *options in programs:
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                [BINARIES / name, *options], cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
        api = Api(f"https://127.0.0.1:{port}", folder)
        until(lambda: _ready(api), "the API server is ready", 50)
        yield api


def _ready(api: Api) -> bool:
    """Has the API server its namespaces, and everybody the right to see its kinds?"""
    with contextlib.suppress(OSError, AssertionError):
        return bool(api.ask("GET", "/api/v1/namespaces/default") and api.ask("GET", "/api/v1", token="weak"))
    return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _anyone() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def small(folder: Path) -> Iterator[Api]:
    """As much of an API server as the tests need, in this process."""
    with serving(_Objects().answer) as server:
        yield Api(server.url, folder)


class _Objects:
    """ConfigMaps and Secrets in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.makers: dict[str, str] = {}
        self.version = 0

    def answer(self, request: Request) -> Reply:
        path = urlsplit(request.path).path
        who = request.headers.get("authorization", "").removeprefix("Bearer ")
        if who not in ("admin", "weak"):
            return _status(401, "Unauthorized", "Unauthorized")
        if path == "/api/v1":
            kinds = {"configmaps": "ConfigMap", "configmaps/status": "ConfigMap", "secrets": "Secret"}
            found = [{"name": name, "kind": kind, "namespaced": True} for name, kind in kinds.items()]
            return as_json({"resources": found})
        if not path.startswith("/api/v1/namespaces/"):
            return _status(404, "NotFound", "the server could not find the requested resource")
        if who == "weak":
            return _status(
                403, "Forbidden", 'configmaps is forbidden: User "weak" cannot create resource "configmaps"'
            )
        body = request.json() if request.body else {}
        if request.headers.get("content-type") == "application/apply-patch+yaml":
            for field, value in body.get("data", {}).items():
                before = self.objects.get(path, {}).get("data", {}).get(field, value)
                if before != value and self.makers[path] not in request.path:
                    conflict = f'Apply failed with 1 conflict: conflict with "{self.makers[path]}" using v1: .data.{field}'
                    return _status(409, "Conflict", conflict)
        elif request.method == "POST":
            self.makers[f"{path}/{body['metadata']['name']}"] = request.path.rpartition("fieldManager=")[2]
        act = getattr(self, f"on_{request.method.lower()}")
        reply: Reply = act(path, body)
        if request.method == "PATCH":
            self.makers.setdefault(path, "fairlead")
        return reply

    def on_post(self, path: str, body: dict[str, Any]) -> Reply:
        path = f"{path}/{body['metadata']['name']}"
        if path in self.objects:
            return _status(409, "AlreadyExists", f"{path} already exists")
        return self._put(path, body, 201)

    def on_get(self, path: str, body: dict[str, Any]) -> Reply:
        return as_json(self.objects[path]) if path in self.objects else self._none(path)

    def on_patch(self, path: str, body: dict[str, Any]) -> Reply:
        if path not in self.objects and not body.get("apiVersion"):
            return self._none(path)
        merged = copy.deepcopy(self.objects.get(path, {}))
        for field, value in body.items():
            merged[field] = {**merged.get(field, {}), **value} if isinstance(value, dict) else value
        return self._put(path, merged, 200)

    def on_delete(self, path: str, body: dict[str, Any]) -> Reply:
        found = self.objects.get(path)
        if found is None:
            return self._none(path)
        if found["metadata"].get("finalizers"):
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return as_json(found)
        del self.objects[path]
        return _status(200, "", "")

    def _put(self, path: str, value: dict[str, Any], status: int) -> Reply:
        self.version += 1
        about = {
            "uid": f"u{self.version}",
            **value["metadata"],
            "managedFields": [{}],
            "namespace": "default",
        }
        if about.get("deletionTimestamp") and not about.get("finalizers"):
            del self.objects[path]
        else:
            self.objects[path] = {**value, "metadata": about}
        return as_json({**value, "metadata": about}, status)

    @staticmethod
    def _none(path: str) -> Reply:
        return _status(404, "NotFound", f"configmaps {path.rpartition('/')[2]!r} not found")


def _status(code: int, reason: str, message: str) -> Reply:
    return as_json({"kind": "Status", "apiVersion": "v1", "reason": reason, "message": message}, code)
