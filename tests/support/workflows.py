"""Workflows on a real API server, and a process that looks after them, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from tests.support.kube_home import KubernetesHome
from tests.support.waiting import until

from fairlead.kube.client import WORKFLOWS
from fairlead.kube.workflows import Workflows

SLOW = 120.0
"""Seconds that the API server may take for a Workflow of 10,000 nodes on a busy machine."""
CURRENT = {"Ready": "True", "Reconciling": "False", "Stalled": "False"}
WAITING = {"Ready": "False", "Reconciling": "True", "Stalled": "False"}
FAILED = {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
GOOD = {"nodes": [{"name": "a", "run": {"sh": "true"}}]}


def inlining(*names: str) -> dict[str, Any]:
    """A spec that runs these workflows inline."""
    return {"nodes": [{"name": f"in-{name}", "workflow": {"name": name, "inline": True}} for name in names]}


def statuses(conditions: dict[str, Any]) -> dict[str, str]:
    """The statuses of conditions by their type."""
    return {kind: each["status"] for kind, each in conditions.items()}


class Flows:
    """Workflows in the namespace of a home, and what is known of them."""

    def __init__(self, home: KubernetesHome, **words: Any) -> None:
        self.home = home
        self.told: list[str] = []
        words.setdefault("first_pause", 0.05)
        self.workflows = Workflows(home.client, home.reign, lambda _, name: self.told.append(name), **words)
        self._task = home.run(self._spawn())

    async def _spawn(self) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.workflows.run())

    def close(self) -> None:
        """End what runs."""

        async def end() -> None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

        self.home.run(end())

    # --- the namespace ---

    def put(self, name: str, spec: Any) -> None:
        """Make a Workflow, or give one another spec."""
        body = {
            "apiVersion": WORKFLOWS.api_version,
            "kind": WORKFLOWS.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        if self.there(name) is None:
            self.home.run(self.home.client.create(WORKFLOWS, self.home.namespace, body, seconds=SLOW))
        else:
            body["metadata"]["resourceVersion"] = self.there(name)["metadata"]["resourceVersion"]
            self.home.run(self.home.client.replace(WORKFLOWS, self.home.namespace, name, body, seconds=SLOW))

    def delete(self, name: str) -> None:
        """Delete a Workflow and say so."""
        self.home.run(self.home.client.delete(WORKFLOWS, self.home.namespace, name))
        self.home.run(self._gone(name))

    async def _gone(self, name: str) -> None:
        self.workflows.gone(self.home.namespace, name)

    def there(self, name: str) -> Any:
        """The object as it is; None if there is none."""

        async def look() -> Any:
            found = await self.workflows._library.fetch(self.home.namespace, name)
            return found[0] if found is not None else None

        return self.home.run(look())

    # --- what is made of it ---

    def see(self, name: str, **changes: Any) -> None:
        """Show a Workflow as it is now, with changes that no API server would take."""
        self.home.run(self.workflows.seen({**self.there(name), **changes}))

    def apply(self, name: str, spec: Any) -> dict[str, Any]:
        """Put a Workflow and show it; its conditions."""
        self.put(name, spec)
        self.see(name)
        return self.conditions(name)

    def status(self, name: str) -> dict[str, Any]:
        """What stands in the status."""
        found: dict[str, Any] = self.there(name).get("status", {})
        return found

    def conditions(self, name: str) -> dict[str, Any]:
        """The conditions by their type."""
        return {each["type"]: each for each in self.status(name).get("conditions", ())}

    def reason(self, name: str) -> str:
        """The reason of Ready; empty without one."""
        return str(self.conditions(name).get("Ready", {}).get("reason", ""))

    def becomes(self, name: str, reason: str) -> dict[str, Any]:
        """The conditions once Ready has this reason."""
        until(lambda: self.reason(name) == reason, f"{name} is {reason}")
        return self.conditions(name)

    def get(self, name: str) -> Any:
        """What an execution gets of a Workflow."""
        return self.home.run(self.workflows.get(self.home.namespace, name))

    def pinned(self, name: str) -> Any:
        """The bundle that an execution is pinned to, and its text."""
        bundle = self.home.run(self.workflows.bundle(self.home.namespace, self.get(name).spec))
        return bundle, json.loads(bundle.text)
