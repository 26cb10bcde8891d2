"""In which order pods are created: a crowd of one run does not keep another waiting."""

from __future__ import annotations

import msgspec
from tests.support.pod_scenes import start_of

from fairlead.kube.pods.deliveries import CreationQueue, Delivery


def _delivery(uid: str, number: int, priority: int = 0) -> Delivery:
    effect = msgspec.structs.replace(
        start_of({"run": {"sh": "true"}}), id=f"{uid}/n{number}/1/1", priority=priority
    )
    return Delivery(uid, effect)


def _order(*deliveries: Delivery) -> list[str]:
    queue = CreationQueue()
    for delivery in deliveries:
        queue.push(delivery)
    return [one.start.id.rpartition("/1/1")[0] for one in iter(queue.pop, None)]


def test_executions_take_turns():
    """A fan-out of a thousand came first; whoever comes later with one pod is second."""
    crowd = [_delivery("crowd", number) for number in range(1000)]
    order = _order(*crowd, _delivery("small", 0), _delivery("other", 0))
    assert order[:4] == ["crowd/n0", "small/n0", "other/n0", "crowd/n1"]


def test_priority_comes_first():
    """Before turns and before the order of arrival."""
    order = _order(_delivery("calm", 0), _delivery("calm", 1), _delivery("urgent", 0, priority=5))
    assert order == ["urgent/n0", "calm/n0", "calm/n1"]
