"""The node document: what a runner is told about one attempt, the same in every home (architecture.md, Inputs).

    {"version": 1, "execution": {"name", "uid"}, "node", "attempt", "delivery", "idempotencyKey", "run": {...},
     "inputs": {...}, "env": {...}, "workingDir": "..."}

`inputs` is what `with` gave. Secrets are never in it: they are references that the home resolves when it starts the runner.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.engine.graph import NodeDef
from fairlead.model.ids import idempotency_key, secret_variable
from fairlead.model.manifests import Http, Notify, Resource, Run, plain
from fairlead.model.state import NodeState, State

VERSION = 1


def node_document(state: State, key: str, node: NodeDef, instance: NodeState) -> dict[str, Any]:
    """The document of the delivery that is scheduled."""
    name = state.instance(key)
    values = {
        field: node.template(field, value).evaluate({})
        for field, value, constant in templates_of(node)
        if constant
    }
    values.update(instance.values or {})
    document: dict[str, Any] = {
        "version": VERSION,
        "execution": {"name": state.name, "uid": state.uid},
        "node": name,
        "attempt": instance.attempt,
        "delivery": instance.delivery,
        "idempotencyKey": idempotency_key(state.origin or state.uid, name),
        "inputs": values.get("with", {}),
    }
    if node.spec.run is not None:
        _run(document, node.spec.run, values)
    elif node.spec.http is not None:
        document["http"] = _http(node, node.spec.http, values)
    elif node.spec.notify is not None:
        document["notify"] = _notify(node.spec.notify, values)
    elif node.spec.resource is not None:
        document["resource"] = _resource(node.spec.resource, values)
    return document


def templates_of(node: NodeDef) -> list[tuple[str, Any, bool]]:
    """The fields of a pod node that are templates: the name in `NodeScheduled.values`, the text, whether it is constant."""
    run, http, notify, resource = node.spec.run, node.spec.http, node.spec.notify, node.spec.resource
    fields: list[tuple[str, Any]] = [("with", node.spec.with_)]
    if run is not None:
        fields += [
            ("image", run.image),
            ("args", list(run.args)),
            ("env", run.env),
            ("workingDir", run.working_dir),
        ]
    elif http is not None:
        fields += [("url", http.url), ("query", http.query), ("headers", http.headers), ("body", http.body)]
    elif notify is not None:
        fields += [("title", notify.title), ("body", notify.body)]
    elif resource is not None:
        fields += [("manifest", resource.manifest)]
    return [(name, value, node.template(name, value).constant) for name, value in fields if value]


def _run(document: dict[str, Any], run: Run, values: dict[str, Any]) -> None:
    work: dict[str, Any] = {}
    if run.python is not None:
        work["python"] = run.python
    elif run.sh is not None:
        work["sh"] = run.sh
    else:
        work["image"] = text_of(values["image"])
        work["command"] = list(run.command)
        work["args"] = [text_of(arg) for arg in values.get("args", ())]
    document["run"] = work
    document["env"] = {name: text_of(value) for name, value in values.get("env", {}).items()}
    if values.get("workingDir"):
        document["workingDir"] = text_of(values["workingDir"])


def _http(node: NodeDef, http: Http, values: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {"method": http.method, "url": text_of(values["url"]), "expect": http.expect}
    request["query"] = values.get("query", {})
    request["headers"] = {name: text_of(value) for name, value in values.get("headers", {}).items()}
    if "body" in values:
        request["body"] = values["body"]
    if node.timeout is not None:
        request["timeout"] = node.timeout
    if http.auth is not None:
        request["auth"] = {"secret": http.auth.secret, "kind": http.auth.kind}
    return request


def _notify(notify: Notify, values: dict[str, Any]) -> dict[str, Any]:
    message = {"secret": notify.secret, "body": text_of(values["body"])}
    if "title" in values:
        message["title"] = text_of(values["title"])
    return message


def _resource(resource: Resource, values: dict[str, Any]) -> dict[str, Any]:
    wanted = {"action": resource.action, "manifest": values["manifest"]}
    optional = {"success": resource.success, "failure": resource.failure, "timeout": resource.timeout}
    return wanted | {name: value for name, value in optional.items() if value is not None}


def text_of(value: Any) -> str:
    """A value put into text: strings as they are, all else as compact JSON (api.md Expressions)."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def placement_of(node: NodeDef) -> dict[str, Any]:
    """Where a cluster is asked to run it, each left out where nothing is said.

    `{"resources", "serviceAccountName", "pod", "onNodeLost"}`
    """
    run, resource = node.spec.run, node.spec.resource
    defaults = node.body.graph.spec.defaults
    resources = run.resources if run is not None and run.resources is not None else None
    if resources is None and defaults is not None:
        resources = defaults.resources
    asking = run if run is not None else resource
    account = asking.service_account_name if asking is not None else None
    found = {
        "resources": None if resources is None else plain(resources),
        "serviceAccountName": account,
        "pod": plain(run.pod) if run is not None and run.pod is not None else None,
        "onNodeLost": node.spec.on_node_lost if node.spec.on_node_lost != "wait" else None,
    }
    return {name: value for name, value in found.items() if value}


_AUTH_KEYS = {"bearer": ("token",), "basic": ("username", "password")}


def secrets_of(node: NodeDef) -> dict[str, Any]:
    """References to Secrets that the home resolves: `{"envFrom": [...], "files": [...]}`, empty if there are none.

    What http and notify need comes by env FAIRLEAD_SECRET_NAME_KEY, whose keys are listed as those of a `run` are.
    """
    run, http, notify = node.spec.run, node.spec.http, node.spec.notify
    if run is not None:
        found = {
            "envFrom": [plain(item) for item in run.env_from],
            "files": [plain(item) for item in run.files],
        }
        return {name: items for name, items in found.items() if items}
    if http is not None and http.auth is not None:
        return {"envFrom": [_needed(http.auth.secret, _AUTH_KEYS[http.auth.kind])]}
    if notify is not None:
        return {"envFrom": [_needed(notify.secret, ("url",))]}
    return {}


def _needed(secret: str, keys: tuple[str, ...]) -> dict[str, Any]:
    return {"secret": secret, "keys": {secret_variable(secret, key): key for key in keys}}
