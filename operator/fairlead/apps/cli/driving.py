"""Runs an execution in this process, with signals: the first asks to stop, which loses nothing; the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from fairlead.apps.cli.failures import INTERRUPTED

if TYPE_CHECKING:
    from fairlead.apps.cli.progress import Progress
    from fairlead.local.home import LocalHome

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def drive(home: LocalHome, name: str, progress: Progress, *, wait: bool) -> bool:
    """Run until the execution has ended (or stands still, if it is not to be waited for); whether a signal came first.

    Raises what `LocalHome.run` raises.
    """
    from fairlead.runtime.collector import tune_collector

    tune_collector()
    return asyncio.run(_drive(home, name, progress, wait=wait))


async def _drive(home: LocalHome, name: str, progress: Progress, *, wait: bool) -> bool:
    work = asyncio.create_task(home.run(name, wait=wait))
    fresh = asyncio.create_task(progress.keep_fresh())
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if stopped:
            progress.close()
            os._exit(INTERRUPTED)
        stopped = True
        progress.tell("stopping what runs; a second Ctrl-C leaves at once")
        work.cancel()

    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not stopped:
            raise
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)
        fresh.cancel()
        await asyncio.gather(fresh, return_exceptions=True)
        progress.close()
    return stopped
