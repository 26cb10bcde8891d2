"""Runs a `resource` node: create, apply, patch, delete or get one Kubernetes object, and await what it becomes.

    act ──► object ──failure holds──► ResourceFailed
              │ ──success holds, or there is none──► outputs
              └──neither──► look again, later and later, until the timeout

Rules of this file
- A node may be delivered twice. What was created carries the node's idempotency key, so that finding it again is
  done and no AlreadyExists; a name made from `generateName` derives from that key; an object that is gone is deleted.
- Conditions wait for fields that are not there yet. While one awaits, a cluster that does not answer is asked again.
- `get` with `success` awaits an object that does not exist yet; an object that was seen and is gone has failed.
- `delete` awaits the end of the object, or `success`.
- No values of Secrets: objects of that kind come without their data, whoever asks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fairlead_runner import lean_json
from fairlead_runner.reach.cluster import Answered, Cluster, Kind
from fairlead_runner.reach.conditions import Condition
from fairlead_runner.reach.failures import Failed

MANAGER = "fairlead"
KEY = "fairlead.dev/idempotency-key"
"""The annotation of what a `create` made."""
FIRST_LOOK, GROWTH, SLOWEST_LOOK = 0.2, 1.5, 5.0
ACTIONS = ("create", "apply", "patch", "delete", "get")
_SHOWN = 300


def run(spec: Mapping[str, Any], env: Mapping[str, str], idempotency_key: str) -> dict[str, Any]:
    """The outputs of the node: `object`, null once it is deleted. Raises Failed."""
    work = _Work(spec, idempotency_key)
    return {"object": _presentable(work.run(Cluster(env)))}


class _Work:
    """One action on one object."""

    def __init__(self, spec: Mapping[str, Any], idempotency_key: str) -> None:
        self.action = spec.get("action") or "create"
        if self.action not in ACTIONS:
            raise _invalid(f"the action is {self.action!r}; expected one of {', '.join(ACTIONS)}")
        self.key = idempotency_key
        self.manifest = _manifest(spec.get("manifest"))
        self.name = _name(self.manifest, self.action, idempotency_key)
        self.success = _condition(spec, "success")
        self.failure = _condition(spec, "failure")
        micros = spec.get("timeout")
        self.seconds = micros / 1_000_000 if isinstance(micros, int) and micros > 0 else None
        self.shown = f"{self.manifest['kind']} {self.name!r}"

    def run(self, cluster: Cluster) -> dict[str, Any] | None:
        """The object as it was last seen."""
        end = None if self.seconds is None else time.monotonic() + self.seconds
        kind = cluster.kind(self.manifest["apiVersion"], self.manifest["kind"])
        namespace = self.manifest["metadata"].get("namespace") or cluster.namespace
        path = kind.path(namespace, self.name)
        found = self._act(cluster, kind, namespace, path)
        uid = _uid(found)
        wait = FIRST_LOOK
        while not self._over(found):
            left = wait if end is None else end - time.monotonic()
            if left <= 0:
                raise self._late(found)
            time.sleep(min(wait, left))
            wait = min(wait * GROWTH, SLOWEST_LOOK)
            found = self._look(cluster, path, found, uid)
            uid = uid or _uid(found)
        return found

    def _act(self, cluster: Cluster, kind: Kind, namespace: str, path: str) -> dict[str, Any] | None:
        """Do it; what the object is then."""
        if self.action == "create":
            return self._create(cluster, kind.path(namespace, None), path)
        if self.action == "apply":
            query = {"fieldManager": MANAGER, "force": "false"}
            return cluster.ask("PATCH", path, query, self.manifest, "application/apply-patch+yaml")
        if self.action == "patch":
            query = {"fieldManager": MANAGER}
            return cluster.ask("PATCH", path, query, self.manifest, "application/merge-patch+json")
        if self.action == "delete":
            return self._delete(cluster, path)
        try:
            return cluster.ask("GET", path)
        except Answered as answered:
            if answered.status == 404 and self.success:
                return None
            raise

    def _create(self, cluster: Cluster, folder: str, path: str) -> dict[str, Any]:
        about = {name: value for name, value in self.manifest["metadata"].items() if name != "generateName"}
        about |= {"name": self.name, "annotations": {**(about.get("annotations") or {}), KEY: self.key}}
        try:
            return cluster.ask(
                "POST", folder, {"fieldManager": MANAGER}, {**self.manifest, "metadata": about}
            )
        except Answered as answered:
            if answered.reason != "AlreadyExists":
                raise
            there = self._ours(cluster, path)
            if there is None:
                raise
            return there

    def _ours(self, cluster: Cluster, path: str) -> dict[str, Any] | None:
        """The object that an earlier delivery of this node created; None if it is somebody else's."""
        try:
            found = cluster.ask("GET", path)
        except Answered:
            return None
        annotations = found["metadata"].get("annotations") or {}
        return found if self.key and annotations.get(KEY) == self.key else None

    def _delete(self, cluster: Cluster, path: str) -> dict[str, Any] | None:
        try:
            answer = cluster.ask("DELETE", path, None, {"propagationPolicy": "Background"})
        except Answered as answered:
            if answered.status == 404:
                return None
            raise
        return None if answer.get("kind") == "Status" else answer  # an object is one that is still ending

    def _look(
        self, cluster: Cluster, path: str, before: dict[str, Any] | None, uid: str | None
    ) -> dict[str, Any] | None:
        """The object now; what it was where the cluster does not answer."""
        try:
            found = cluster.ask("GET", path)
        except Failed as failed:
            if failed.reason == "ClusterUnavailable":
                return before
            if (
                isinstance(failed, Answered)
                and failed.status == 404
                and (uid is None or self.action == "delete")
            ):
                return None
            if isinstance(failed, Answered) and failed.status == 404:
                raise Failed("NotFound", f"{self.shown} was deleted while it was awaited") from None
            raise
        if self.action == "delete" and _uid(found) != uid:
            return None  # another one of that name
        return found

    def _over(self, found: dict[str, Any] | None) -> bool:
        """Is there nothing more to wait for? Raises Failed where `failure` holds."""
        if found is None:
            return self.action == "delete"
        values = {"object": _without_data(found)}
        if self.failure and self.failure.holds(values, patient=True):
            raise Failed("ResourceFailed", f"{self.shown}: `failure` holds{_status(found)}")
        if self.success:
            return self.success.holds(values, patient=True)
        return self.action != "delete"

    def _late(self, found: dict[str, Any] | None) -> Failed:
        state = (
            "it does not exist"
            if found is None
            else f"it was last seen{_status(found) or ' without a status'}"
        )
        wanted = "gone" if self.action == "delete" and not self.success else "as `success` says"
        return Failed("ResourceTimeout", f"{self.shown} was not {wanted} within {self.seconds:g} s; {state}")


def _manifest(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"the manifest is of type {type(value).__name__}; expected an object")
    for field in ("apiVersion", "kind"):
        text = value.get(field)
        if not isinstance(text, str) or not text:
            raise _invalid(f"the manifest's {field} is {text!r}; expected text")
    if value["apiVersion"].count("/") > 1 or any(
        part in ("", ".", "..") for part in value["apiVersion"].split("/")
    ):
        raise _invalid(
            f"the manifest's apiVersion is {value['apiVersion']!r}; expected VERSION or GROUP/VERSION"
        )
    about = value.get("metadata")
    if not isinstance(about, dict):
        raise _invalid(f"the manifest's metadata is {about!r:.80}; expected an object with a name")
    namespace = about.get("namespace")
    if namespace is not None and (not isinstance(namespace, str) or namespace in ("", ".", "..")):
        raise _invalid(f"the manifest's namespace is {namespace!r}; expected a name")
    annotations = about.get("annotations")
    if annotations is not None and not isinstance(annotations, dict):
        raise _invalid(f"the manifest's annotations are {annotations!r:.80}; expected an object")
    return value


def _name(manifest: Mapping[str, Any], action: str, idempotency_key: str) -> str:
    about = manifest["metadata"]
    name, prefix = about.get("name"), about.get("generateName")
    if name is None and isinstance(prefix, str) and prefix and action == "create" and idempotency_key:
        import hashlib

        return f"{prefix}{hashlib.sha256(idempotency_key.encode()).hexdigest()[:16]}"
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise _invalid(f"the manifest's metadata.name is {name!r}; expected text")
    return name


def _condition(spec: Mapping[str, Any], field: str) -> Condition | None:
    source = spec.get(field)
    return Condition(source, ("object",), field) if source else None


def _uid(found: Mapping[str, Any] | None) -> str | None:
    return None if found is None else str(found["metadata"].get("uid"))


def _status(found: Mapping[str, Any]) -> str:
    """The status of an object as a message shows it."""
    status = found.get("status")
    if not status:
        return ""
    text = lean_json.encode(status)
    return f" with status {text if len(text) <= _SHOWN else text[: _SHOWN - 3] + '...'}"


def _presentable(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """An object as outputs have it: without the API server's own bookkeeping."""
    if found is None:
        return None
    about = {name: value for name, value in found["metadata"].items() if name != "managedFields"}
    return {**_without_data(found), "metadata": about}


def _without_data(found: dict[str, Any]) -> dict[str, Any]:
    """An object; a Secret without what is secret in it."""
    if found.get("kind") != "Secret" or found.get("apiVersion") != "v1":
        return found
    bare = {name: value for name, value in found.items() if name not in ("data", "stringData")}
    about = dict(found["metadata"])
    annotations = {
        name: value
        for name, value in (about.get("annotations") or {}).items()
        if name != "kubectl.kubernetes.io/last-applied-configuration"
    }
    about["annotations"] = annotations
    return {**bare, "metadata": about}


def _invalid(message: str) -> Failed:
    return Failed("ResourceInvalid", message)
