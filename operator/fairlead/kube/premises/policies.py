"""Whether the admission policies of the chart are in force where we work.

Who may not look at policies, which are objects of the cluster, can still try: each policy denies something to everybody, and that
is tried as a dry run, of which nothing stays.

Rules of this file
- A denial by the policy is the only proof that it is in force. Another refusal (a right, a quota) proves nothing either way.
- Policies come and go while we run: they are looked for from time to time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from random import uniform
from typing import Any

import structlog

from fairlead.engine.conditions import FALSE, condition
from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, Client, Fenced, Invalid
from fairlead.model import reasons, shown
from fairlead.model.errors import FairleadError
from fairlead.model.times import format_time

RECORDS, FENCE = "records", "fence"
EVERY = 60.0
"""Seconds between two looks."""
PROBE = "probe"
"""The kind of record that the policy `records` denies to everybody."""
_NAME = "fairlead-policy-probe"
_DENIED = re.compile(r"ValidatingAdmissionPolicy 'records\.([a-z0-9.-]+\.)?fairlead\.dev'")
_GUARDS = {
    RECORDS: "whoever may write ConfigMaps or statuses there may write logs and statuses of executions",
    FENCE: "a leader that was paused is kept from starting something twice by its own checks alone",
}

_log = structlog.get_logger(__name__)


class Policies:
    """What is known of each policy: whether it is in force in a namespace. `when_changed` is called when that changes."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self.in_force: dict[str, bool] = {}
        self.since: dict[str, int] = {}
        self.when_changed: Callable[[], None] = _nothing

    @property
    def said(self) -> str:
        """All of it in some words, for a person."""
        words = {True: "in force", False: "NOT in force", None: "not known"}
        return ", ".join(f"{name} {words[self.in_force.get(name)]}" for name in _GUARDS)

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY * uniform(0.8, 1.2))  # noqa: S311 - spreads load

    async def look(self) -> None:
        """Find out what is in force now."""
        found = {
            RECORDS: await self._is_denied({names.LOG: PROBE}),
            FENCE: await self._is_denied({names.MANAGED: "true", names.EPOCH: "none"}),
        }
        changed = False
        for name, is_in_force in found.items():
            if is_in_force is None or self.in_force.get(name) is is_in_force:
                continue
            changed = True
            self.in_force[name] = is_in_force
            self.since[name] = time.time_ns() // 1_000
            if is_in_force:
                _log.info("a policy is in force", policy=name, namespace=self._namespace)
            else:
                _log.warning(
                    "a policy is NOT in force; expected those of the chart (value policies.enabled)",
                    policy=name,
                    namespace=self._namespace,
                    means=_GUARDS[name],
                )
        if changed:
            self.when_changed()

    async def _is_denied(self, labels: Mapping[str, str]) -> bool | None:
        """Whether a policy of ours denies a ConfigMap with these labels; None if that cannot be told."""
        body = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": _NAME, "namespace": self._namespace, "labels": labels},
        }
        path = CONFIG_MAPS.path(self._namespace)
        try:
            await self._client.request("POST", path, body=body, params={"dryRun": "All"})
        except Fenced:
            return True
        except Invalid as refused:
            return True if _DENIED.search(str(refused)) else None
        except FairleadError as error:
            _log.debug("whether a policy is in force cannot be told", reason=str(error))
            return None
        return False


def unprotected(policies: Policies, generation: int) -> list[dict[str, Any]]:
    """The condition of an execution whose log and status are not guarded, if so."""
    if policies.in_force.get(RECORDS) is not False:
        return []
    message = f"the policy {RECORDS} of the chart is not in force: {_GUARDS[RECORDS]}"
    since = format_time(policies.since[RECORDS])
    return [condition(shown.PROTECTED, FALSE, reasons.POLICY_MISSING, message, since, generation)]


def _nothing() -> None:
    """Nobody wants to know."""
