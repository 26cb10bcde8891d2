"""The pod of one delivery: one container, named after its identity, `restricted`, without a token.

Rules of this file (architecture.md, On Kubernetes)
- A node document up to 32 KiB goes into env FAIRLEAD_NODE, a larger one into a ConfigMap of its digest that is mounted as a
  file and has to exist before the pod does.
- Secrets are references that the kubelet resolves. Values of the user are data: in the document, in env, in arguments; never
  in a script.
- The user's `pod` section is taken over leaf by leaf from what the model allows; nothing else of a pod can be said.
- A user's own image has no runner in it: its inputs are a file (the pod's own annotation, by the downward API), its outputs
  are its termination message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, PODS
from fairlead.kube.names import Place
from fairlead.kube.parts import digest_of
from fairlead.kube.pods.causes import CONTAINER
from fairlead.model.effects import StartAttempt
from fairlead.model.ids import prefix_of
from fairlead.model.times import SECOND

INLINE = 32 * 1024
"""Bytes of a node document that go into the pod itself."""
USER = 65532
"""Whom containers run as: nobody on the node."""
TERMINATION_LOG = "/dev/termination-log"
DOCUMENT_FOLDER = "/fairlead/node"
INPUTS_FOLDER = "/fairlead/inputs"
INPUTS = "fairlead.dev/inputs"
"""Annotation that becomes the file of inputs of a container with the user's own image."""
REQUESTS = {"cpu": "10m", "memory": "32Mi"}
"""What a pod asks for that says nothing: a quota wants a number."""


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the install says of pods."""

    runner_image: str
    service_account: str = "default"
    http_settings: dict[str, str] = {}


class Wanted(msgspec.Struct, frozen=True):
    """A pod to create, and the ConfigMaps that have to exist before it."""

    pod: dict[str, Any]
    before: list[dict[str, Any]]


def pod_name(effect_id: str) -> str:
    """The name of the pod of a delivery."""
    return names.record_name("pod", effect_id)


class _Draft:
    """A pod while it is put together."""

    def __init__(self, place: Place, epoch: int, settings: PodSettings) -> None:
        self.place, self.epoch, self.settings = place, epoch, settings
        self.annotations: dict[str, str] = {}
        self.container: dict[str, Any] = {"name": CONTAINER, "terminationMessagePath": TERMINATION_LOG}
        self.env: list[dict[str, Any]] = []
        self.volumes: list[dict[str, Any]] = []
        self.mounts: list[dict[str, Any]] = []
        self.before: list[dict[str, Any]] = []

    def say(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self.env.append({"name": name, "value": _escaped(value)})

    def mount(self, name: str, path: str, source: dict[str, Any], *, writable: bool = False) -> None:
        """Put a volume somewhere."""
        self.volumes.append({"name": name, **source})
        self.mounts.append({"name": name, "mountPath": path, **({} if writable else {"readOnly": True})})

    def mount_file(self, name: str, folder: str, file: str, text: bytes) -> None:
        """A file from a ConfigMap that is named by its content, so that equal ones are one."""
        config_map = _config_map(self.place, self.epoch, file, text)
        self.before.append(config_map)
        self.mount(name, folder, {"configMap": {"name": config_map["metadata"]["name"]}})


def pod_of(start: StartAttempt, place: Place, epoch: int, settings: PodSettings) -> Wanted:
    """The pod of a delivery."""
    document = {**start.document, "grace": start.grace}
    own_image = "image" in document.get("run", {})
    draft = _Draft(place, epoch, settings)
    draft.mount("tmp", "/tmp", {"emptyDir": {}}, writable=True)  # noqa: S108 - a folder of the container
    if own_image:
        _own_image(draft, document)
    else:
        _runner(draft, document)
        _hide(draft, start.secrets)
    _secrets(draft, start.secrets)
    section = start.placement.get("pod") or {}
    container = draft.container | {
        "env": draft.env,
        "resources": _resources(start.placement.get("resources") or {}),
        "volumeMounts": draft.mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": not own_image,
        },
    }
    if section.get("imagePullPolicy"):
        container["imagePullPolicy"] = section["imagePullPolicy"]
    metadata = names.metadata(place, pod_name(start.id), "", epoch)
    metadata["labels"] |= {**section.get("labels", {}), **metadata["labels"], **_labels(start)}
    own = {names.IDENTITY: start.id, **metadata["annotations"]}
    metadata["annotations"] = {**section.get("annotations", {}), **draft.annotations, **own}
    metadata["finalizers"] = [names.RESULT_FINALIZER]
    spec = _spec(start, settings, section, container, draft.volumes)
    pod = {"apiVersion": PODS.api_version, "kind": PODS.kind, "metadata": metadata, "spec": spec}
    return Wanted(pod, draft.before)


def _labels(start: StartAttempt) -> dict[str, str]:
    own_name = start.node[len(prefix_of(start.node)) :].partition("#")[0]
    return {names.NODE: own_name, names.ATTEMPT: str(start.attempt)}


def _spec(
    start: StartAttempt,
    settings: PodSettings,
    section: dict[str, Any],
    container: dict[str, Any],
    volumes: list[dict[str, Any]],
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": "resource" in start.document,
        "serviceAccountName": start.placement.get("serviceAccountName") or settings.service_account,
        "terminationGracePeriodSeconds": -(-start.grace // SECOND) + 1,  # the runner's own limit comes first
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    for field in (
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
        "imagePullSecrets",
    ):
        if section.get(field):
            spec[field] = section[field]
    return spec


def _runner(draft: _Draft, document: dict[str, Any]) -> None:
    """Our own image: the document says all."""
    draft.container["image"] = draft.settings.runner_image
    draft.say("FAIRLEAD_TERMINATION_LOG", TERMINATION_LOG)
    if "http" in document:
        for name, value in draft.settings.http_settings.items():
            draft.say(name, value)
    text = msgspec.json.encode(document)
    if len(text) <= INLINE:
        draft.say("FAIRLEAD_NODE", text.decode())
    else:
        draft.mount_file("document", DOCUMENT_FOLDER, "node.json", text)
        draft.say("FAIRLEAD_NODE_FILE", f"{DOCUMENT_FOLDER}/node.json")


def _own_image(draft: _Draft, document: dict[str, Any]) -> None:
    """The user's image: its own command and arguments, inputs as a file, outputs as termination message."""
    run = document["run"]
    inputs = msgspec.json.encode(document.get("inputs", {}))
    if len(inputs) <= INLINE:
        draft.annotations[INPUTS] = inputs.decode()
        item = {"path": "inputs.json", "fieldRef": {"fieldPath": f"metadata.annotations['{INPUTS}']"}}
        draft.mount("inputs", INPUTS_FOLDER, {"downwardAPI": {"items": [item]}})
    else:
        draft.mount_file("inputs", INPUTS_FOLDER, "inputs.json", inputs)
    who = {
        "FAIRLEAD_INPUTS": f"{INPUTS_FOLDER}/inputs.json",
        "FAIRLEAD_OUTPUTS": TERMINATION_LOG,
        "FAIRLEAD_EXECUTION": draft.place.name,
        "FAIRLEAD_EXECUTION_UID": draft.place.uid,
        "FAIRLEAD_NODE_ID": document["node"],
        "FAIRLEAD_ATTEMPT": str(document["attempt"]),
        "FAIRLEAD_IDEMPOTENCY_KEY": document["idempotencyKey"],
    }
    for name, value in {**document.get("env", {}), **who}.items():
        draft.say(name, value)
    draft.container["image"] = run["image"]
    for field in ("command", "args"):
        if run.get(field):
            draft.container[field] = [_escaped(word) for word in run[field]]
    if document.get("workingDir"):
        draft.container["workingDir"] = document["workingDir"]


def _escaped(text: str) -> str:
    """Kubernetes replaces `$(NAME)` in env, command and args, and reads `$$` as one dollar."""
    return text.replace("$", "$$")


def _config_map(place: Place, epoch: int, file: str, text: bytes) -> dict[str, Any]:
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": names.metadata(place, names.record_name("file", place.uid, digest_of(text)), "", epoch),
        "immutable": True,
        "data": {file: text.decode()},
    }


def _secrets(draft: _Draft, secrets: dict[str, Any]) -> None:
    for wanted in secrets.get("envFrom", ()):
        if wanted.get("keys") is None:
            draft.container.setdefault("envFrom", []).append({"secretRef": {"name": wanted["secret"]}})
        for name, key in (wanted.get("keys") or {}).items():
            reference = {"secretKeyRef": {"name": wanted["secret"], "key": key}}
            draft.env.append({"name": name, "valueFrom": reference})
    for index, file in enumerate(secrets.get("files", ())):
        secret = {"secretName": file["secret"], "defaultMode": 0o440}
        draft.mount(f"secret-{index}", file["path"], {"secret": secret})


def _hide(draft: _Draft, secrets: dict[str, Any]) -> None:
    """Tell the runner where the values of Secrets are: it keeps them out of the message of a failure."""
    env_from, files = secrets.get("envFrom", ()), secrets.get("files", ())
    if not env_from and not files:
        return
    where = {
        "env": [name for wanted in env_from for name in wanted.get("keys") or ()],
        "rest": any(wanted.get("keys") is None for wanted in env_from),
        "files": [file["path"] for file in files],
    }
    draft.say("FAIRLEAD_HIDDEN", msgspec.json.encode(where).decode())


def _resources(wanted: dict[str, Any]) -> dict[str, Any]:
    asked = {"cpu": "cpu", "memory": "memory", "ephemeralStorage": "ephemeral-storage"}
    limits = {asked[name]: value for name, value in (wanted.get("limits") or {}).items() if value is not None}
    requests = {asked[name]: wanted[name] for name in asked if wanted.get(name) is not None}
    for name, value in REQUESTS.items():
        if name not in limits:  # a limit without a request is its own request
            requests.setdefault(name, value)
    return {"requests": requests, **({"limits": limits} if limits else {})}
