"""What tests of the Kubernetes adapters share: clients, executions to own what is written, and a loop to run in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from fairlead.kube.client import Client, from_kubeconfig

T = TypeVar("T")


def with_client(kubeconfig: Path, work: Callable[[Client], Awaitable[T]]) -> T:
    """Run a coroutine with a client of its own, in a loop of its own."""

    async def run() -> T:
        async with Client(from_kubeconfig(kubeconfig)) as client:
            return await work(client)

    return asyncio.run(run())


def config_map(name: str, **fields: Any) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def execution(name: str) -> str:
    """An execution that nobody runs, as JSON."""
    return json.dumps(
        {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "WorkflowExecution",
            "metadata": {"name": name},
            "spec": {"workflow": {"name": "flow"}},
        }
    )
