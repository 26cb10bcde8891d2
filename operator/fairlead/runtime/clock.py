"""The clock of this machine, as every home uses it outside tests."""

from __future__ import annotations

import time


class SystemClock:
    """Microseconds since the epoch, by the system's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000
