"""`make cluster`: a cluster to play with, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.clusters import SYSTEM, fence_in_force, opened


def main() -> None:
    """Bring a cluster up, say how to use it, end it when asked to."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-cluster-"))
        cluster = stack.enter_context(opened(Path(folder)))
        stack.enter_context(fence_in_force(cluster.kubeconfig))
        print(f"This is {cluster.origin}, with the CRDs and policies of Fairlead; pods are played by KWOK.")
        print(f"  export KUBECONFIG={cluster.kubeconfig}")
        print(f"What an operator creates needs the Lease fairlead of the namespace {SYSTEM}.")
        print("Ctrl-C ends it.", flush=True)
        stop.wait()
        print("ending", file=sys.stderr)


if __name__ == "__main__":
    main()
