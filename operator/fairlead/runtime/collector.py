"""Settings of Python's garbage collector for processes that hold executions.

States and graphs are large, live long and hold no cycles; the default thresholds look through all of them over and over
(measured in bench_engine: a third of the time at 100,000 nodes).
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 100)


def tune_collector() -> None:
    """Collect rarely, and leave alone what is there already. For a process, once, after its imports."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
