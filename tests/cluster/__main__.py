"""`make cluster`: a cluster to play with, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.clusters import SYSTEM, fence_in_force, opened
from tests.cluster.real import ARCHIVES, BUSYBOX, SELECTOR, TAINT, lacking, real_node


def main() -> None:
    """Bring a cluster up, say how to use it, end it when asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--real", action="store_true", help="add a node that really runs pods (Linux, root)")
    real = parser.parse_args().real
    if real and (why := lacking()):
        parser.error(why)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-cluster-"))
        cluster = stack.enter_context(opened(Path(folder)))
        stack.enter_context(fence_in_force(cluster.kubeconfig))
        print(f"This is {cluster.origin}, with the CRDs and policies of Fairlead; pods are played by KWOK.")
        print(f"  export KUBECONFIG={cluster.kubeconfig}")
        print(f"The fence is in force: start operators with --lease-namespace {SYSTEM}.")
        if real:
            node = stack.enter_context(real_node(cluster.kubeconfig, Path(folder) / "node", tainted=True))
            archives = [archive for archive in ARCHIVES.values() if archive.exists()]
            for archive in archives:
                node.load(archive)
            images = ", ".join(
                (BUSYBOX, *(image for image, archive in ARCHIVES.items() if archive in archives))
            )
            print(f"Pods that select {json.dumps(SELECTOR)} and tolerate {TAINT} really run, with {images}.")
        print("Ctrl-C ends it.", flush=True)
        stop.wait()
        print("ending", file=sys.stderr)


if __name__ == "__main__":
    main()
