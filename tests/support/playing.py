"""Pods whose fate a test decides: it patches their status as kubelet, scheduler and node controllers do."""

from __future__ import annotations

import json
from typing import Any

from tests.support.operators import PATIENCE, Site
from tests.support.waiting import until

AGES = "1h"
"""What `runs` says of a container that ends only when the test has it end."""


def delivered(site: Site, execution: str, node: str, delivery: int = 1, attempt: int = 1) -> dict[str, Any]:
    """The pod of a delivery, once its container runs."""
    wanted = f"/{node}/{attempt}/{delivery}"

    def running() -> dict[str, Any] | None:
        for pod in site.pods(execution):
            identity = pod["metadata"]["annotations"]["fairlead.dev/identity"]
            if identity.endswith(wanted) and pod["status"].get("phase") == "Running":
                return pod
        return None

    return until(running, f"{wanted} of {execution} runs", PATIENCE) or {}


def ends(
    site: Site, pod: dict[str, Any], code: int = 0, message: str = '{"outputs":{}}', **more: Any
) -> None:
    """Its container ends with an exit code and a termination message; `reason` and `condition` as well."""
    state = {
        "exitCode": code,
        "message": message,
        "reason": more.get("reason", "Completed" if code == 0 else "Error"),
    }
    condition = more.get("condition")
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": condition,
        "message": "so it was told",
    }
    patch = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [_container(pod, {"terminated": state}, ready=False)],
        **({"conditions": [disrupted]} if condition else {}),
    }
    shows(site, pod, patch)


def loses_its_node(site: Site, pod: dict[str, Any], *conditions: tuple[str, str]) -> None:
    """Its node does not answer any more; conditions (type, reason) that the controllers set about it besides."""
    about = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    shows(site, pod, {"conditions": [{"type": "Ready", "status": "False"}, *about]})


def shows(site: Site, pod: dict[str, Any], status: dict[str, Any]) -> None:
    """Patch the status of a pod."""
    words = ("--subresource", "status", "--type", "strategic", "-p", json.dumps({"status": status}))
    site.kubectl("patch", "pod", pod["metadata"]["name"], *words)


def _container(pod: dict[str, Any], state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    [known] = pod["spec"]["containers"]
    about = {"name": known["name"], "image": known["image"], "imageID": "", "restartCount": 0}
    return {**about, "ready": ready, "started": ready, "state": {"running": None, **state}}
