"""A stage for the runner port on a real API server: one execution, a runner for it, and what the runner reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.support.driver import Driver
from tests.support.kube_home import Reign
from tests.support.waiting import until_async

from fairlead.kube import names
from fairlead.kube.client import EXECUTIONS, PODS, Ambiguous, Client, from_kubeconfig
from fairlead.kube.client.replies import metadata_of
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.kube.pods.manifests import PodSettings
from fairlead.kube.pods.runner import PodRunner
from fairlead.kube.pods.views import Pod
from fairlead.model import commands as c
from fairlead.model.effects import StartAttempt
from fairlead.model.errors import NotFound

_pod = msgspec.json.Decoder(Pod)


def start_of(node: dict[str, Any], inputs: dict[str, Any] | None = None, **spec: Any) -> StartAttempt:
    """The effect that the engine wants for a workflow of one node."""
    run = Driver({"nodes": [{"name": "a", **node}], **spec}).create(inputs or {})
    [effect] = run.running.values()
    assert isinstance(effect, StartAttempt)
    return effect


class Forgetful(Client):
    """A client whose next so many reads get no answer."""

    reads_that_fail = 0

    async def get(self, *words: Any, **more: Any) -> bytes:
        if self.reads_that_fail:
            self.reads_that_fail -= 1
            raise Ambiguous("the answer was lost")
        return await super().get(*words, **more)


class Scene:
    """One execution, a runner for it, and what the runner reports."""

    def __init__(self, client: Forgetful, namespace: str, reign: Reign) -> None:
        self.client, self.namespace = client, namespace
        self.places = Places()
        self.reign = reign
        self.reports: asyncio.Queue[c.Command] = asyncio.Queue()
        self.uid = ""
        self.runner = self.another()

    def another(self) -> PodRunner:
        settings = PodSettings(runner_image="runner:test")
        return PodRunner(
            self.client,
            self.places,
            self.reign,
            settings,
            lambda _, command: self.reports.put_nowait(command),
        )

    async def execution(self, name: str = "order") -> str:
        """One more execution; its uid."""
        body = {
            "apiVersion": EXECUTIONS.api_version,
            "kind": EXECUTIONS.kind,
            "metadata": {"name": name},
            "spec": {"workflow": {"name": "flow"}},
        }
        born = await self.client.create(EXECUTIONS, self.namespace, body)
        self.places.tell(born.uid, Place(self.namespace, name, born.uid))
        return born.uid

    def effect(
        self, node: dict[str, Any] | None = None, *, played: bool = False, **more: Any
    ) -> StartAttempt:
        """An order for a node; one that is not played stays where the test puts it."""
        run = {"sh": "true", **({} if played else {"pod": {"nodeSelector": {"type": "nobody"}}})}
        effect = start_of(node or {"run": run})
        id = f"{self.uid}/a/{more.get('attempt', 1)}/1"  # noqa: A001 - its name
        return msgspec.structs.replace(effect, id=id, **more)

    async def found(self, effect: StartAttempt) -> Pod | None:
        """The pod of an order as it is now."""
        name = names.record_name("pod", effect.id)
        try:
            return _pod.decode(await self.client.get(PODS, self.namespace, name))
        except NotFound:
            return None

    async def pod(self, effect: StartAttempt) -> Pod:
        """The pod of an order, once it is there."""
        return await until_async(lambda: self.found(effect), f"the pod of {effect.id}")

    async def labels(self, effect: StartAttempt) -> dict[str, str]:
        """All labels of the pod of an order."""
        name = names.record_name("pod", effect.id)
        return metadata_of(await self.client.get(PODS, self.namespace, name)).labels

    async def until(self, effect: StartAttempt, holds: Callable[[Pod], bool]) -> Pod:
        async def pod() -> Pod | None:
            found = await self.found(effect)
            return found if found is not None and holds(found) else None

        return await until_async(pod, f"what is awaited of the pod of {effect.id}")

    async def gone(self, effect: StartAttempt) -> None:
        async def absent() -> bool | None:
            return None if await self.found(effect) is not None else True

        await until_async(absent, f"the end of the pod of {effect.id}")

    async def heard(self) -> c.Command:
        return await asyncio.wait_for(self.reports.get(), 30)

    async def heard_end(self) -> c.Command:
        """The next report but those that it waits: the scheduler may have had its say before."""
        while isinstance(report := await self.heard(), c.AttemptHeld):
            pass
        return report

    async def status(self, effect: StartAttempt, **status: Any) -> Pod:
        """Play the kubelet."""
        name = names.record_name("pod", effect.id)
        await self.client.patch(PODS, self.namespace, name, {"status": status}, subresource="status")
        return await self.pod(effect)


Play = Callable[[Scene], Awaitable[None]]


def played_on(client_type: type[Forgetful], kubeconfig: Path, namespace: str) -> Callable[[Play], None]:
    """Runs a scene in a loop of its own, with a client of a type."""

    def run(scene: Play) -> None:
        async def inside() -> None:
            async with client_type(from_kubeconfig(kubeconfig)) as client:
                made = Scene(client, namespace, Reign())
                made.uid = await made.execution()
                async with made.runner:
                    await scene(made)

        asyncio.run(inside())

    return run
