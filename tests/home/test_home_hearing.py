"""A leader that hears of nothing new is not ready, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.cluster.plane import VISITOR, ControlPlane
from tests.cluster.processes import free_ports
from tests.support.operators import PATIENCE, Operator, Site
from tests.support.waiting import until

NAMESPACE = "hearing"
GROUPS = {
    "fairlead.dev": ["workflowexecutions", "workflowexecutions/status"],
    "coordination.k8s.io": ["leases"],
}
CORE = {
    "": ["pods", "pods/log", "configmaps"],
    "events.k8s.io": ["events"],
    "internal.fairlead.dev": ["records"],
}


def _let(site: Site, *more: str) -> None:
    """Give the visitor all rights to what the operator needs, Workflows apart, and to `more` of our kinds."""
    kinds = {**CORE, **GROUPS, "fairlead.dev": [*GROUPS["fairlead.dev"], *more]}
    rules = [{"apiGroups": [group], "resources": names, "verbs": ["*"]} for group, names in kinds.items()]
    about = {"name": "operator"}
    role: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": about}
    site.apply({**role, "rules": rules})
    group = "rbac.authorization.k8s.io"
    subjects = [{"kind": "User", "name": VISITOR, "apiGroup": group}]
    reference = {"kind": "Role", "name": "operator", "apiGroup": group}
    site.apply({**role, "kind": "RoleBinding", "roleRef": reference, "subjects": subjects})


def _asked(port: int, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except URLError:
        return 0, "nobody answers"


def test_a_leader_that_is_not_shown_workflows(plane: ControlPlane, tmp_path: Path):
    """It is not ready and names what was refused, but is not to be started anew; once it may look, it is ready."""
    plane.kubectl("create", "namespace", NAMESPACE)
    site = Site(plane.kubeconfig, NAMESPACE)
    _let(site)
    [port] = free_ports(1)
    log = tmp_path / "operator.log"
    operator = Operator(plane.kubeconfig_of(VISITOR), NAMESPACE, log, "--probes", str(port))
    operator.start()
    try:
        operator.until_leading()
        refused = f"namespaces/{NAMESPACE}/workflows gave 403"
        until(lambda: refused in _asked(port, "readyz")[1], "it says what is refused", PATIENCE)
        assert _asked(port, "readyz")[0] == 503
        assert _asked(port, "healthz")[0] == 200
        _let(site, "workflows", "workflows/status")
        until(lambda: _asked(port, "readyz")[0] == 200, "it is ready", PATIENCE)
        assert _asked(port, "readyz")[1].startswith("ok: leads")
    finally:
        operator.stop()
