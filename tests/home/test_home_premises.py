"""What a cluster lacks: CRDs that are missing or old, an API server that is too old, policies."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.binaries import NotBuilt
from tests.cluster.clusters import POLICIES, ROOT
from tests.cluster.plane import ALONE, ControlPlane
from tests.cluster.processes import free_ports
from tests.runner.reach_support import Reply, Request, serving
from tests.support.cli import Cli
from tests.support.kube import with_client
from tests.support.operators import LEADING, Operator, Site
from tests.support.scraped import scrape
from tests.support.waiting import until

from fairlead.kube.client import Client
from fairlead.kube.premises.policies import FENCE, RECORDS, Policies

NAMESPACE = "shop"
EXECUTIONS = "fairlead.dev_workflowexecutions.yaml"
WAITS = '"event": "waits"'
pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A namespace of a cluster that has nothing of ours."""
    try:
        with ControlPlane(tmp_path_factory.mktemp("plane"), ALONE) as plane:
            plane.kubectl("create", "namespace", NAMESPACE)
            plane.kubectl("--namespace", NAMESPACE, "create", "serviceaccount", "default")
            yield Site(plane.kubeconfig, NAMESPACE)
    except NotBuilt as reason:
        pytest.skip(str(reason))


class Watched(Operator):
    """An operator that answers on a port."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        [self.port] = free_ports(1)
        words = ("--probes", str(self.port))
        super().__init__(kubeconfig, NAMESPACE, folder / "operator.log", *words)

    def answer(self, path: str) -> tuple[int, str]:
        """Code and text of a probe; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def until_waiting(self, *words: str) -> None:
        """Wait until it says on its port what it waits for; it is not ready, and lives."""

        def waits() -> bool:
            code, text = self.answer("readyz")
            return code == 503 and all(word in text for word in words)

        until(waits, f"it waits for {words}, and not: {self.answer('readyz')}")
        assert self.answer("healthz")[0] == 200
        assert self.said(LEADING) == 0


@pytest.fixture
def operator(bare: Site, tmp_path: Path) -> Iterator[Watched]:
    """An operator of that namespace, not started."""
    found = Watched(bare.kubeconfig, tmp_path)
    yield found
    found.stop()


def _apply_crds(site: Site) -> None:
    site.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    site.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def test_without_crds(bare: Site, operator: Watched):
    """It waits and says so, in its log once and to who asks; once they come it goes on by itself."""
    bare.kubectl("delete", "crd", "--all")
    operator.start()
    operator.until_waiting("the CRDs are missing", "fairlead crds | kubectl apply")
    _apply_crds(bare)
    operator.until_leading()
    until(lambda: operator.answer("readyz")[0] == 200, "it is ready")
    assert operator.said("the CRDs are missing") == 1


def _without_status(crd: dict[str, Any]) -> str:
    del crd["spec"]["versions"][0]["subresources"]
    return "the subresource status"


def _without_a_field(crd: dict[str, Any]) -> str:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["redrive"]
    return "the field spec.redrive"


def _without_deep_fields(crd: dict[str, Any]) -> str:
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    del status["default"]
    del status["properties"]["waitingFor"]["items"]["properties"]["message"]
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = []
    return "the field status.waitingFor[].message"


@pytest.mark.parametrize("spoil", [_without_status, _without_a_field, _without_deep_fields])
def test_with_an_old_crd(bare: Site, operator: Watched, spoil: Any):
    """What it lacks is named, with the way to mend it; mended, all goes on without a restart."""
    _apply_crds(bare)
    crd = yaml.safe_load((ROOT / "crds" / EXECUTIONS).read_text(encoding="utf-8"))
    named = spoil(crd)
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    bare.kubectl(*words, text=json.dumps(crd))
    operator.start()
    operator.until_waiting(f"the CRD of WorkflowExecution is older than this release: it lacks {named}")
    assert operator.said(WAITS) >= 1
    _apply_crds(bare)
    operator.until_leading()


def test_with_an_old_api_server(bare: Site, operator: Watched, tmp_path: Path):
    """Its version and the one that is expected are named; after an upgrade all goes on. Only /version is made up here."""
    _apply_crds(bare)
    config = yaml.safe_load(bare.kubeconfig.read_text(encoding="utf-8"))
    [there], [user] = config["clusters"], config["users"]
    upstream, trusted = there["cluster"]["server"], ssl.create_default_context()
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    version = {"major": "1", "minor": "29+", "gitVersion": "v1.29.3-old"}
    is_old = True

    def answer(request: Request) -> Reply:
        if request.path == "/version" and is_old:
            return Reply(200, {"Content-Type": "application/json"}, json.dumps(version).encode())
        wanted = ("content-type", "accept")
        headers = {name: value for name, value in request.headers.items() if name in wanted}
        headers["Authorization"] = f"Bearer {user['user']['token']}"
        asked = urllib.request.Request(
            upstream + request.path, request.body or None, headers, method=request.method
        )
        try:
            reply = urllib.request.urlopen(asked, context=trusted, timeout=300)
        except urllib.error.HTTPError as refused:
            reply = refused
        kind = {"Content-Type": reply.headers["Content-Type"]}
        if "watch=" in request.path:
            return Reply(reply.status, kind, iter(lambda: reply.read1(65536), b""))
        with reply:
            return Reply(reply.status, kind, reply.read())

    with serving(answer) as proxy:
        config["clusters"] = [{"name": there["name"], "cluster": {"server": proxy.url}}]
        own = tmp_path / "kubeconfig"
        own.write_text(yaml.safe_dump(config), encoding="utf-8")
        behind = Watched(own, tmp_path)
        behind.start()
        try:
            behind.until_waiting("is of version v1.29.3-old; expected 1.30 or newer")
            is_old = False
            behind.until_leading()
        finally:
            behind.stop()


def test_without_policies(bare: Site, operator: Watched, tmp_path: Path):
    """It works, and says what is not guarded: in its log, on its port, as a metric, with each execution, to `fairlead get`."""
    _apply_crds(bare)
    bare.kubectl("delete", "-f", str(POLICIES), "--ignore-not-found")
    bare.workflow("waiting", [{"name": "only", "wait": {"for": "1h"}}])
    operator.start()
    operator.until_leading()
    bare.execution("waiting-1", "waiting")
    status = bare.until("waiting-1", lambda found: _of_type(found, "Protected"), "it is said")
    condition = _of_type(status, "Protected")
    assert (condition["status"], condition["reason"]) == ("False", "PolicyMissing")
    assert operator.said("a policy is NOT in force") == 2
    assert "policies: records NOT in force, fence NOT in force" in operator.answer("readyz")[1]
    assert _in_force(operator) == {RECORDS: 0.0, FENCE: 0.0}
    cli = Cli(tmp_path)
    cli.env["KUBECONFIG"] = str(bare.kubeconfig)
    assert "no, PolicyMissing: the policy records" in cli.ok("get", "waiting-1", "-n", NAMESPACE)

    bare.kubectl("apply", "--server-side", "-f", str(POLICIES))
    until(lambda: _in_force(operator)[RECORDS] == 1.0, "it is seen to be in force", 120)
    bare.until("waiting-1", lambda found: not _of_type(found, "Protected"), "it is said no more")
    bare.kubectl("delete", "wfe", "--all", "--timeout=60s")


def _of_type(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = [one for one in status.get("conditions", ()) if one["type"] == kind]
    return found[0] if found else {}


def _in_force(operator: Watched) -> dict[str, float]:
    read = scrape(operator.port)[0]
    return {name: read.value("fairlead_policy_in_force", policy=name) for name in (RECORDS, FENCE)}


def test_policies_are_found_by_trying(bare: Site):
    """A policy without its binding is not in force; nothing of a try stays."""
    bare.kubectl("apply", "--server-side", "-f", str(POLICIES))

    def found() -> dict[str, bool]:
        async def look(client: Client) -> dict[str, bool]:
            policies = Policies(client, NAMESPACE)
            await policies.look()
            return policies.in_force

        return with_client(bare.kubeconfig, look)

    until(lambda: found() == {RECORDS: True, FENCE: False}, "what guards records is in force")
    bare.kubectl("delete", "validatingadmissionpolicybinding", "records.fairlead.dev")
    until(lambda: found() == {RECORDS: False, FENCE: False}, "without a binding it is not")
    assert "fairlead-policy-probe" not in bare.kubectl("get", "configmaps", "-o", "name")
