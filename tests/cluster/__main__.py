"""`make cluster`: a cluster to play with, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.cluster.clusters import opened


def main() -> None:
    """Bring a cluster up, say how to use it, end it when asked to."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="fairlead-cluster-") as folder, opened(Path(folder)) as cluster:
        print(f"This is {cluster.origin}, with the CRDs of Fairlead; pods are played by KWOK.")
        print(f"  export KUBECONFIG={cluster.kubeconfig}")
        print("Ctrl-C ends it.", flush=True)
        stop.wait()
        print("ending", file=sys.stderr)


if __name__ == "__main__":
    main()
