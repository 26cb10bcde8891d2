"""A control plane of our own: etcd and kube-apiserver, and with them, if wanted, controller-manager and scheduler.

Everything lives in one folder, which whoever starts it removes: data, certificates, logs, the kubeconfig, the audit log (one
JSON line for each request). Ports are chosen free. etcd does not flush, which makes it quick; it survives the crash of a
process all the same.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import create_default_context
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.cluster import binaries
from tests.cluster.kubectl import kubectl
from tests.cluster.processes import Process, free_ports

HERE = Path(__file__).resolve().parent
ALONE = ("etcd", "kube-apiserver")
"""Enough for what needs an API server and nothing else."""
WHOLE = (*ALONE, "kube-controller-manager", "kube-scheduler")

ADMIN, VISITOR = "admin", "visitor"
"""Users: who may do everything, and who may do nothing."""

_PATIENCE = 120.0
_LOOK_AGAIN = 0.1
_QUOTA = 8 << 30


class NotReady(Exception):
    """A component ended, or did not answer in time; the message ends with its last words."""


class ControlPlane:
    """A control plane in `folder`; `start` and `stop` may be called for single components too, as faults want it.

    `flags` are some that the API server gets besides.
    """

    def __init__(self, folder: Path, components: Sequence[str] = WHOLE, *, flags: Sequence[str] = ()) -> None:
        self._flags = tuple(flags)
        self.folder = folder.resolve()
        self.kubeconfig = self.folder / "kubeconfig"
        self.audit_log: Path | None = self.folder / "audit.log"
        self._names = tuple(components)
        self._programs = binaries.programs(*components)
        self._etcd, self._peer, self._port = free_ports(3)
        self._log = self.folder / "log"
        self._tokens = {ADMIN: "admin-of-a-test-cluster", VISITOR: "visitor-of-a-test-cluster"}
        self.processes: dict[str, Process] = {}

    # --- life ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up. Raises NotReady, binaries.NotBuilt."""
        self._log.mkdir(parents=True, exist_ok=True)
        self._keys()
        self._write_kubeconfig()
        try:
            for name in self._names:
                self.processes[name] = Process(
                    [self._programs[name], *self._arguments(name)], self._log / f"{name}.log"
                )
                self.processes[name].start()
                if name == "kube-apiserver":
                    self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, what was started last first."""
        for process in reversed(self.processes.values()):
            process.stop()

    def wait_until_ready(self) -> None:
        """Wait until the API server says that it is ready. Raises NotReady."""
        self._until(self._answers, "kube-apiserver")

    # --- use ---

    @property
    def server(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def etcd_address(self) -> str:
        """Where etcd answers, for faults of the store."""
        return f"http://127.0.0.1:{self._etcd}"

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Run kubectl as administrator; what it printed. Raises CalledProcessError."""
        return kubectl(self.kubeconfig, *words, text=text)

    def kubeconfig_of(self, user: str) -> Path:
        """A kubeconfig of another user."""
        file = self.folder / f"kubeconfig-{user}"
        self._write_kubeconfig(user, file)
        return file

    def compact(self) -> None:
        """Make etcd forget everything but the present."""

        def ask(path: str, body: dict[str, object]) -> dict[str, Any]:
            request = urllib.request.Request(f"{self.etcd_address}/v3/kv/{path}", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=10) as reply:
                answer: dict[str, Any] = json.load(reply)
            return answer

        revision = ask("range", {"key": "AA=="})["header"]["revision"]
        ask("compaction", {"revision": revision, "physical": True})

    # --- how it is set up ---

    def _arguments(self, name: str) -> list[str]:
        etcd, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        admin = ["--kubeconfig", str(self.kubeconfig)]
        return {
            "etcd": [
                *("--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}", "--quota-backend-bytes", str(_QUOTA)),
            ],
            "kube-apiserver": [
                *("--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", str(self._port)),
                *("--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"),
                *(
                    "--cert-dir",
                    str(self.folder / "certs"),
                    "--token-auth-file",
                    str(self.folder / "tokens.csv"),
                ),
                *("--service-account-issuer", "https://kubernetes.default.svc"),
                *("--service-account-key-file", str(self.folder / "sa.pub")),
                *("--service-account-signing-key-file", str(self.folder / "sa.key")),
                *("--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "Node,RBAC"),
                *("--allow-privileged", "--kubelet-preferred-address-types", "InternalIP"),
                *("--max-requests-inflight", "4000", "--max-mutating-requests-inflight", "2000"),
                *("--audit-policy-file", str(HERE / "audit-policy.yaml")),
                *("--audit-log-path", str(self.audit_log), "--audit-log-mode", "batch"),
                *("--shutdown-delay-duration", "0s"),
                *self._flags,
            ],
            "kube-controller-manager": [
                *admin,
                *("--service-account-private-key-file", str(self.folder / "sa.key")),
                *("--use-service-account-credentials", "--leader-elect=false", "--secure-port=0"),
                *("--root-ca-file", str(self.folder / "certs" / "apiserver.crt")),
                *("--kube-api-qps", "500", "--kube-api-burst", "1000"),
            ],
            "kube-scheduler": [
                *admin,
                *("--leader-elect=false", "--secure-port=0"),
                *("--kube-api-qps", "1000", "--kube-api-burst", "2000"),
            ],
        }[name]

    def _keys(self) -> None:
        key, public = self.folder / "sa.key", self.folder / "sa.pub"
        if not key.exists():
            private = rsa.generate_private_key(65537, 2048)
            key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            public.write_bytes(
                private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        lines = [
            f'{self._tokens[ADMIN]},{ADMIN},{ADMIN},"system:masters"',
            f"{self._tokens[VISITOR]},{VISITOR},{VISITOR}",
        ]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _write_kubeconfig(self, user: str = ADMIN, file: Path | None = None) -> None:
        """JSON is YAML. The API server makes its certificates at its first start, and they stay."""
        authority = str(self.folder / "certs" / "apiserver.crt")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": self.server, "certificate-authority": authority}}
            ],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": user, "namespace": "default"}}
            ],
            "current-context": "test",
        }
        (file or self.kubeconfig).write_text(json.dumps(config, indent=1), encoding="utf-8")

    def _answers(self) -> bool:
        certificate = self.folder / "certs" / "apiserver.crt"
        if not certificate.exists():
            return False
        request = urllib.request.Request(
            f"{self.server}/readyz", headers={"Authorization": f"Bearer {self._tokens[ADMIN]}"}
        )
        try:
            context = create_default_context(cafile=str(certificate))
            with urllib.request.urlopen(request, context=context, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:  # nobody listens yet, or it answers that it is not ready
            return False

    def _until(self, condition: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            for component, process in self.processes.items():
                if process.ended() is not None:
                    raise NotReady(
                        f"{component} ended with code {process.ended()}; its last words: {process.last_words()}"
                    )
            if time.monotonic() > end:
                raise NotReady(
                    f"{name} did not answer within {_PATIENCE:g} s: {self.processes[name].last_words()}"
                )
            time.sleep(_LOOK_AGAIN)
