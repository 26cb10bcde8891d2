"""A real node beside the played ones: containerd, runc, a bridge network and a kubelet, for pods that must really run.

It needs root, Linux, and programs that Debian packages (PACKAGES). One machine has one at a time: the kubelet's ports, the
bridges and their addresses are taken. Pods come to it with the node selector `type: real`. They reach the API server and each
other, by no name: there is no DNS. It has no way out, and pulls nothing: images are built here, with `buildah`, and imported.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.bridges import ADDRESS, PODS, SUBNET, Bridges
from tests.cluster.kubectl import kubectl
from tests.cluster.plane import NotReady
from tests.cluster.processes import Process

ROOT = Path(__file__).resolve().parents[2]
NAME = "real-0"
SELECTOR = {"type": "real"}
TAINT = "fairlead.dev/real"
OPERATOR, RUNNER = (f"localhost/fairlead-{name}:{version('fairlead')}" for name in ("operator", "runner"))
ARCHIVES = {
    OPERATOR: ROOT / "dist" / "fairlead-operator.tar",
    RUNNER: ROOT / "dist" / "fairlead-runner.tar",
}
"""What `make image` builds, and where."""
BUSYBOX = "localhost/busybox:1"
"""An image with a shell and little else; it is the pause image, too."""
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "busybox": "busybox-static",
}
"""Programs, and the Debian packages that have them."""

_PLUGINS = Path("/usr/lib/cni")
_PATIENCE = 120.0
_LOOK_AGAIN = 0.2
_BUILDAH = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
_CGROUPS = Path("/sys/fs/cgroup")


def lacking() -> str:
    """Why this machine can have no real node; empty if it can."""
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        return "a real node needs Linux and root"
    packages = {package for program, package in PACKAGES.items() if not shutil.which(program)}
    if not (_PLUGINS / "bridge").exists():
        packages.add("containernetworking-plugins")
    return f"a real node needs the packages {', '.join(sorted(packages))}" if packages else ""


class RealNode:
    """A node that runs pods. `stop` leaves no process, mount, network or container behind."""

    def __init__(self, kubeconfig: Path, folder: Path, *, tainted: bool = False) -> None:
        """`tainted`: only pods that tolerate TAINT come to it, since others are meant to be played."""
        self._tainted = tainted
        self._kubeconfig = kubeconfig
        self._folder = folder.resolve()
        self._socket = self._folder / "containerd.sock"
        self._bridges = Bridges()
        programs = binaries.programs("kubelet")
        self.containerd = Process(
            ["containerd", "--config", self._folder / "containerd.toml"], self._folder / "containerd.log"
        )
        self.kubelet = Process(
            [
                *(programs["kubelet"], "--kubeconfig", kubeconfig, "--config", self._folder / "kubelet.yaml"),
                *("--root-dir", self._folder / "kubelet", "--cert-dir", self._folder / "pki"),
                *("--hostname-override", NAME, "--node-ip", ADDRESS, "--node-labels", "type=real"),
            ],
            self._folder / "kubelet.log",
        )

    def start(self) -> None:
        """Bring it up and wait until it is ready. Raises NotReady, CalledProcessError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "cni").mkdir(exist_ok=True)
        for name, content in self._settings().items():
            (self._folder / name).write_text(content, encoding="utf-8")
        self._bridges.set_up()
        self._lead_to_the_server()
        self.containerd.start()
        self._until(self._runs_containers, self.containerd)
        self._build_busybox()
        self.kubelet.start()
        self._until(self._is_ready, self.kubelet)

    def stop(self) -> None:
        """End everything of it."""
        self.kubelet.stop()
        networks = self._remove_containers()
        self.containerd.stop()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        self._bridges.take_down(networks)
        for cgroup in (*_CGROUPS.glob("k8s.io"), *_CGROUPS.glob("*/k8s.io")):
            with contextlib.suppress(OSError):  # another containerd's containers are in it
                cgroup.rmdir()

    def load(self, archive: Path) -> None:
        """Import an OCI archive. Raises CalledProcessError."""
        self._ctr("images", "import", str(archive))

    def pid(self, container: str) -> int:
        """The first process of a container, named as a pod's status does (`containerd://...`). Raises KeyError if none runs."""
        tasks = self._ctr("task", "ls").splitlines()[1:]
        pids = {name: int(pid) for name, pid, *_ in map(str.split, tasks)}
        return pids[container.removeprefix("containerd://")]

    # --- how it is set up ---

    def _settings(self) -> Mapping[str, str]:
        bridge = {"type": "bridge", "bridge": PODS, "isGateway": True}
        ranges = {"ranges": [[{"subnet": SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {**bridge, "ipam": {"type": "host-local", "dataDir": str(self._folder / "ipam"), **ranges}}
            ],
        }
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": ADDRESS,
            "makeIPTablesUtilChains": False,  # they would stay when it ends
            "failSwapOn": False,
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "maxPods": 250,
            "evictionHard": {"memory.available": "50Mi"},
            "serializeImagePulls": False,
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "registerWithTaints": [{"key": TAINT, "effect": "NoSchedule"}] if self._tainted else [],
        }
        containerd = f"""\
version = 2
root = "{self._folder}/containerd"
state = "{self._folder}/run"
[grpc]
  address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{BUSYBOX}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_PLUGINS}"
    conf_dir = "{self._folder}/cni"
"""
        return {
            "containerd.toml": containerd,
            "cni/10-pods.conflist": json.dumps(network),
            "kubelet.yaml": json.dumps(kubelet),
        }

    def _lead_to_the_server(self) -> None:
        service = json.loads(
            kubectl(self._kubeconfig, "-n", "default", "get", "service", "kubernetes", "-o", "json")
        )
        server = kubectl(
            self._kubeconfig, "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"
        )
        self._bridges.lead(service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"], server)

    def _build_busybox(self) -> None:
        archive = self._folder / "busybox.tar"
        container = self._buildah("from", "scratch").strip()
        try:
            self._buildah("copy", "-q", container, shutil.which("busybox") or "", "/bin/busybox")
            self._buildah("copy", "-q", container, shutil.which("busybox") or "", "/bin/sh")
            self._buildah("config", "--entrypoint", '["/bin/busybox","tail","-f","/dev/null"]', container)
            self._buildah("commit", "-q", container, f"oci-archive:{archive}:{BUSYBOX}")
        finally:
            self._buildah("rm", container)
        self.load(archive)

    def _remove_containers(self) -> set[Path]:
        """Kill and remove all containers; where their network namespaces are mounted."""
        networks: set[Path] = set()
        with contextlib.suppress(subprocess.CalledProcessError):  # containerd has ended, or never began
            containers = self._ctr("container", "ls", "-q").split()
            for container in containers:
                networks |= self._networks_of(container)
            for words in (("task", "rm", "--force"), ("container", "rm")):
                for container in containers:
                    with contextlib.suppress(subprocess.CalledProcessError):  # it went by itself
                        self._ctr(*words, container)
        return networks

    def _networks_of(self, container: str) -> set[Path]:
        """Where the network namespace of a container is mounted."""
        spec = json.loads(self._ctr("container", "info", container))["Spec"]
        return {
            Path(one["path"])
            for one in spec["linux"]["namespaces"]
            if one["type"] == "network" and Path(one.get("path", "")).parent.name == "netns"
        }

    def _buildah(self, *words: str) -> str:
        roots = ("--root", str(self._folder / "buildah"), "--runroot", str(self._folder / "buildah-run"))
        return _output(["buildah", *roots, *words], {**os.environ, **_BUILDAH})

    def _ctr(self, *words: str) -> str:
        return _output(["ctr", "--address", str(self._socket), "--namespace", "k8s.io", *words])

    # --- whether it is up ---

    def _runs_containers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return bool(self._ctr("version"))
        return False

    def _is_ready(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            node = json.loads(kubectl(self._kubeconfig, "get", "node", NAME, "-o", "json"))
            return any(
                one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"]
            )
        return False

    def _until(self, condition: Callable[[], bool], process: Process) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            late = time.monotonic() > end
            if process.ended() is not None or late:
                what = "did not answer in time" if late else f"ended with code {process.ended()}"
                raise NotReady(f"{process.command[0]} {what}; its last words: {process.last_words()}")
            time.sleep(_LOOK_AGAIN)


@contextmanager
def real_node(kubeconfig: Path, folder: Path, *, tainted: bool = False) -> Iterator[RealNode]:
    """A real node of a cluster; whoever else wants one on this machine waits until it is gone."""
    node = RealNode(kubeconfig, folder, tainted=tainted)
    with ExitStack() as stack:
        lock = stack.enter_context((binaries.cache() / "real-node.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        stack.callback(node.stop)
        node.start()
        yield node


def _output(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
