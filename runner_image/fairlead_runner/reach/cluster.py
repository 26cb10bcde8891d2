"""Requests to a Kubernetes API server, and what their errors are called.

    401 Unauthorized    403 Forbidden    404 NotFound    409 AlreadyExists, Conflict
    400, 405, 413, 415, 422 ResourceInvalid             429, 5xx, no answer ClusterUnavailable

Rules of this file
- Who asks is settled by the pod: its own service account. On a laptop it is the current context of the
  kubeconfig (KUBECONFIG where that is set goes before all).
- Configuration, credentials and connections are those of the official client. Its generated models are not
  used: any kind is asked for by the path that discovery gives, one request for each apiVersion.
- Nothing is sent twice unasked, and redirects are not followed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from fairlead_runner import lean_json
from fairlead_runner.reach.failures import Failed

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LIMITS = (10.0, 30.0)
"""Seconds to connect, and to wait for each answer."""
MAX_BYTES = 8 * 1024 * 1024
_INVALID = (400, 405, 413, 415, 422)


class Answered(Failed):
    """The API server said no."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.status = status


class Kind(NamedTuple):
    """Where objects of a kind are found."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str | None) -> str:
        """The path of an object, or of all of them in a namespace."""
        root = "/api" if "/" not in self.api_version else "/apis"
        parts = [root, self.api_version]
        if self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        return posixpath.join(*parts)


class Cluster:
    """The API server that this machine or pod talks to; `namespace` is where objects without one belong."""

    def __init__(self, env: Mapping[str, str]) -> None:
        from kubernetes import client

        self._configuration = client.Configuration()
        self.namespace = _configure(self._configuration, env)
        self._configuration.retries = False
        self._connections: Any = client.rest.RESTClientObject(self._configuration)

    def kind(self, api_version: str, kind: str) -> Kind:
        """Where a kind is found. Raises Failed with ResourceInvalid where the cluster has none of it."""
        root = "/api" if "/" not in api_version else "/apis"
        group = "/".join(quote(part, safe="") for part in api_version.split("/"))
        try:
            found = self.ask("GET", f"{root}/{group}")
        except Answered as answered:
            if answered.status == 404:
                raise Failed(
                    "ResourceInvalid", f"the cluster has no API {api_version!r} (for {kind})"
                ) from None
            raise
        for entry in found.get("resources") or ():
            if entry["kind"] == kind and "/" not in entry["name"]:
                return Kind(api_version, kind, entry["name"], entry["namespaced"])
        raise Failed("ResourceInvalid", f"the API {api_version!r} of the cluster has no kind {kind!r}")

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> dict[str, Any]:
        """The JSON that is answered. Raises Answered, or Failed with ClusterUnavailable."""
        url = f"{self._configuration.host}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json", "User-Agent": "fairlead"}
        settings: Any = self._configuration.auth_settings()
        for setting in settings.values():
            if setting["value"]:
                headers[setting["key"]] = setting["value"]
        if body is not None:
            headers["Content-Type"] = content
        # The client encodes what is JSON by its type, merge patches too, and passes text on for every other type.
        sent: Any = body if content.endswith("json") or body is None else lean_json.encode(dict(body))
        status, data = self._exchange(method, url, headers, sent)
        try:
            answer = lean_json.decode(data.decode())
        except ValueError:
            answer = {"message": data[:200].decode("utf-8", "replace")}
        if not isinstance(answer, dict):
            answer = {}
        if 200 <= status < 300:
            return answer
        raise _answered(status, answer)

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: Any) -> tuple[int, bytes]:
        from kubernetes.client import exceptions
        from urllib3.exceptions import HTTPError

        try:
            response = self._connections.request(
                method, url, headers=headers, body=body, _request_timeout=LIMITS
            ).response
            data = bytes(response.read(MAX_BYTES + 1))
            response.release_conn()
        except (exceptions.ApiException, HTTPError, OSError) as error:
            said = " ".join(str(error).split())[:200]
            raise Failed(
                "ClusterUnavailable", f"the API server {self._configuration.host} gave no answer: {said}"
            ) from None
        if len(data) > MAX_BYTES:
            raise Failed("OutputTooLarge", f"the answer has more than {MAX_BYTES} bytes")
        return int(response.status), data


def _configure(configuration: Any, env: Mapping[str, str]) -> str:
    """Fill in server and credentials; the namespace that goes with them."""
    import kubernetes.config

    config: Any = kubernetes.config
    in_pod = not env.get("KUBECONFIG") and env.get("KUBERNETES_SERVICE_HOST")
    try:
        if in_pod:
            config.load_incluster_config(client_configuration=configuration)
            with open(f"{ACCOUNT}/namespace", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 10 ms to import
                return file.read().strip()
        config.load_kube_config(client_configuration=configuration, persist_config=False)
        current = config.list_kube_config_contexts()[1]
        return str(current["context"].get("namespace") or "default")
    except (config.ConfigException, OSError) as error:
        where = (
            "of this pod's service account" if in_pod else "of this machine (KUBECONFIG or ~/.kube/config)"
        )
        said = " ".join(str(error).split())[:200]
        raise Failed(
            "ClusterUnavailable", f"the cluster configuration {where} cannot be used: {said}"
        ) from None


def _answered(status: int, answer: Mapping[str, Any]) -> Answered:
    message = " ".join(str(answer.get("message") or f"the API server answered {status}").split())[:1000]
    if status == 401:
        return Answered(status, "Unauthorized", f"the API server does not know who asks: {message}")
    if status == 403:
        return Answered(status, "Forbidden", message)
    if status == 404:
        return Answered(status, "NotFound", message)
    if status == 409:
        return Answered(
            status, "AlreadyExists" if answer.get("reason") == "AlreadyExists" else "Conflict", message
        )
    if status in _INVALID:
        return Answered(status, "ResourceInvalid", message)
    if status == 429 or status >= 500:
        return Answered(status, "ClusterUnavailable", f"the API server answered {status}: {message}")
    return Answered(status, "ResourceInvalid", f"the API server answered {status}: {message}")
