"""What `bench_real.py` measures of containers: the operator's, as the chart installs it, and those of `python` nodes."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bench.processes import began
from tests.cluster.clusters import ROOT, SYSTEM
from tests.cluster.plane import ControlPlane
from tests.cluster.real import RealNode
from tests.support.charts import RELEASE, Helm
from tests.support.operators import Site, execution_of
from tests.support.waiting import until

OPERATORS = "app.kubernetes.io/component=operator"
CGROUPS = Path("/sys/fs/cgroup")
MIB = 1 << 20
STARTS = 9
"""How often the operator is started."""
QUIET = 20.0
"""Seconds without work after which memory is read."""
ROUNDS = 15
"""How many containers of each kind."""
TO_ASK_AGAIN = 0.01

# The container's process begins with the shell's `exec`; the clock is read just before.
_STAMPED = ["/bin/sh", "-c", 'BEGUN=$(date +%s%N); export BEGUN; exec "$@"', "sh"]
_SCRIPT = "import time\nnow = time.time_ns()\nimport os\noutputs['ms'] = (now - int(os.environ.get('BEGUN', now))) / 1e6"
_BARE = (
    "import time\nnow = time.time_ns()\nimport os, json\n"
    "text = json.dumps({'outputs': {'ms': (now - int(os.environ['BEGUN'])) / 1e6}})\n"
    "open('/dev/termination-log', 'w').write(text)"
)


def spread(values: Sequence[float], unit: str) -> str:
    """Median, least and most."""
    return f"median {statistics.median(values):,.0f} {unit}, {min(values):,.0f} to {max(values):,.0f}"


# --- the operator ---


def operators(plane: ControlPlane, node: RealNode, images: dict[str, str]) -> None:
    """Install the chart; how long a container of it takes until it is ready, and what it uses when it is idle."""
    repositories = {name: {"repository": image.rpartition(":")[0]} for name, image in images.items()}
    with TemporaryDirectory() as folder:
        helm = Helm(Path(folder), plane.kubeconfig)
        values = {"crds": {"install": False}, **repositories}
        helm.ok("install", RELEASE, str(helm.chart), "-n", SYSTEM, "--create-namespace", values=values)
        site = Site(plane.kubeconfig, SYSTEM)
        until(lambda: len(_ready(site)) == 2, "both replicas are ready")
        _starts(site, node)
        site.workflow("one", [{"name": "one", "run": {"sh": "true"}}])
        site.execution("one", "one")
        site.ended("one", "Succeeded")
        time.sleep(QUIET)
        leader = site.object("lease", RELEASE)["spec"]["holderIdentity"].rpartition("_")[0]
        for name, pod in _ready(site).items():
            used = working_set(_pid(node, pod)) / MIB
            who = "leads, after one run" if name == leader else "stands by"
            print(f"operator container idle, {who}: {used:.0f} MiB working set (target 120)")
        helm.ok("uninstall", RELEASE, "-n", SYSTEM)


def _starts(site: Site, node: RealNode) -> None:
    """Delete a standby again and again: from the start of the new container's process until it is ready."""
    answers, conditions = [], []
    for _ in range(STARTS):
        leader = site.object("lease", RELEASE)["spec"]["holderIdentity"].rpartition("_")[0]
        before = _ready(site)
        site.kubectl("delete", "pod", *(before.keys() - {leader}), "--wait=false")
        new = until(partial(_begun, site, before), "there is a new pod with an address")
        assert new is not None
        until(partial(_answers, new["status"]["podIP"]), "it is ready", 60.0)
        answered = time.clock_gettime(time.CLOCK_BOOTTIME)
        until(partial(_is_ready, site, new["metadata"]["name"]), "the kubelet says so too")
        told = time.clock_gettime(time.CLOCK_BOOTTIME)
        pod = _ready(site)[new["metadata"]["name"]]
        begun = began(_pid(node, pod))
        answers.append(answered - begun)
        conditions.append(told - begun)
        until(lambda: len(site.objects("pods", OPERATORS)) == 2, "the old one is gone")
    for what, values in (("/readyz answers 200", answers), ("its pod is Ready", conditions)):
        said = spread([1000 * one for one in values], "ms")
        print(f"operator container started until {what}, {STARTS} times: {said} (target 3,000)")


def _ready(site: Site) -> dict[str, dict[str, Any]]:
    """Pods of the operator that are ready and not about to go."""
    return {
        pod["metadata"]["name"]: pod
        for pod in site.objects("pods", OPERATORS)
        if "deletionTimestamp" not in pod["metadata"]
        if any(
            one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ())
        )
    }


def _begun(site: Site, known: dict[str, Any]) -> dict[str, Any] | None:
    pods = site.objects("pods", OPERATORS)
    return next(
        (pod for pod in pods if pod["metadata"]["name"] not in known and pod["status"].get("podIP")), None
    )


def _is_ready(site: Site, name: str) -> bool:
    return name in _ready(site)


def _answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}:8080/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _pid(node: RealNode, pod: dict[str, Any]) -> int:
    return node.pid(pod["status"]["containerStatuses"][0]["containerID"])


def working_set(pid: int) -> int:
    """Bytes that the cgroup of a process uses and the kernel could not take back at once, as `kubectl top` counts."""
    entries = [line.split(":") for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").split()]
    for _, controllers, path in entries:
        if controllers == "memory":
            return _without(CGROUPS / "memory" / path[1:], "memory.usage_in_bytes", "total_inactive_file")
    [path] = [path for number, _, path in entries if number == "0"]
    return _without(CGROUPS / path[1:], "memory.current", "inactive_file")


def _without(cgroup: Path, used: str, spare: str) -> int:
    facts = dict(line.split() for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines())
    return int((cgroup / used).read_text(encoding="ascii")) - int(facts[spare])


# --- nodes ---


def python_start(site: Site) -> None:
    """From the start of a container's process until the first statement of a script, beside `python3 -c` in the same image."""
    site.workflow("python", [{"name": "one", "run": {"python": _SCRIPT}}])
    site.apply(execution_of("python", "python"))
    made = site.pod("python", "one")["spec"]
    site.ended("python", "Succeeded")
    containerfile = (ROOT / "runner_image" / "Containerfile").read_text(encoding="utf-8")
    entry = json.loads(re.findall(r"(?m)^ENTRYPOINT (.*)$", containerfile)[0])
    commands = {"bare": ["python3", "-c", _BARE], "node": entry}
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS):
        for name, command in commands.items():
            own = {**made["containers"][0], "command": [*_STAMPED, *command]}
            spec = {key: value for key, value in made.items() if key != "nodeName"} | {"containers": [own]}
            about = {"name": f"first-{name}-{number}"}
            site.apply({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec})
            taken = until(_taken(site, about["name"]), f"{about['name']} has ended")
            assert taken is not None
            found[name].append(taken)
    bare, node = found["bare"], found["node"]
    print(f"first statement in the runner image, {ROUNDS} in turn: python3 -c {spread(bare, 'ms')}")
    print(
        f"first statement in the runner image, {ROUNDS} in turn: a `python` node {spread(node, 'ms')} (target 150)"
    )


def _taken(site: Site, pod: str) -> Callable[[], float | None]:
    def taken() -> float | None:
        for one in site.object("pod", pod)["status"].get("containerStatuses", ()):
            if "terminated" in one["state"]:
                return float(json.loads(one["state"]["terminated"]["message"])["outputs"]["ms"])
        time.sleep(0.2)
        return None

    return taken
