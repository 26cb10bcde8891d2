"""One cluster for all workers of a test session: a process of its own keeps it, and ends with the session.

The first test that wants a cluster starts the keeper (under a lock on a file that all workers of the session see) and tells it
the pid of the session; the keeper looks whether that process lives, so that also a session that is killed leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.cluster.clusters import ROOT, Cluster, opened

_LOOK_AGAIN = 0.25
_PATIENCE = 1800.0
"""A cold cache means that everything is compiled first."""


def shared(folder: Path, session: int) -> Cluster:
    """The cluster of a session, started if it is not there; `folder` is the same for all its workers. Raises RuntimeError."""
    ready, log = folder / "cluster.json", folder / "cluster.log"
    with (folder / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            _start(ready, log, session)
    found = json.loads(ready.read_text(encoding="utf-8"))
    audit_log = found["audit_log"]
    return Cluster(found["origin"], Path(found["kubeconfig"]), Path(audit_log) if audit_log else None)


def _start(ready: Path, log: Path, session: int) -> None:
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.keeper", str(ready), str(session)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + _PATIENCE
    while not ready.exists():
        if keeper.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"there is no cluster: {log.read_text(encoding='utf-8')[-4000:]}")
        time.sleep(_LOOK_AGAIN)
    keeper.returncode = 0  # it is not waited for: it ends by itself when the session has ended


def keep(ready: Path, session: int) -> None:
    """Hold a cluster until the session is gone or somebody ends us."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="fairlead-cluster-") as folder, opened(Path(folder)) as cluster:
        new = ready.with_suffix(".new")
        facts = {
            "origin": cluster.origin,
            "kubeconfig": str(cluster.kubeconfig),
            "audit_log": str(cluster.audit_log) if cluster.audit_log else None,
        }
        new.write_text(json.dumps(facts), encoding="utf-8")
        new.replace(ready)
        while _lives(session) and not stop.wait(_LOOK_AGAIN):
            pass


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
