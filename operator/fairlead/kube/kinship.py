"""What stands on a WorkflowExecution that a node has started: whose child it is, and what its parent wants of it. Pure.

Rules of this file
- The parent is an annotation, believed only if the owner agrees; a child that was let go of (`wait: false`) has no owner.
- What the parent wants (`held`, `stop`, `redrive`) is an annotation too: the operator never writes to a spec (semantics 39), and
  what people want in it is neither undone nor overwritten. Both are levels: `redrive` is the higher one of the two.
- What cannot be read counts as nothing: the parent says again what it wants whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client.replies import Metadata
from fairlead.kube.client.resources import EXECUTIONS
from fairlead.model.children import Parent
from fairlead.model.commands import Wish
from fairlead.model.effects import StartChild


class _Wanted(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    held: bool = False
    stop: int = 0
    stop_reason: str = ""
    stop_force: bool = False
    redrive: int = 0


_parent = msgspec.json.Decoder(Parent)
_wanted = msgspec.json.Decoder(_Wanted)


def parent_of(about: Metadata) -> Parent | None:
    """Who started an execution; None for one that a person, a tool or a trigger made."""
    try:
        parent = _parent.decode(about.annotations.get(names.PARENT, ""))
    except (msgspec.DecodeError, RecursionError):
        return None
    if parent.wait and all(owner.uid != parent.uid for owner in about.owner_references):
        return None
    return parent


def wanted_of(annotations: Mapping[str, str]) -> Wish:
    """What the parent of an execution wants of it, as the part of a wish that is its own."""
    try:
        found = _wanted.decode(annotations.get(names.WANTED, "{}"))
    except (msgspec.DecodeError, RecursionError):
        return Wish()
    return Wish(**msgspec.structs.asdict(found))


def merged(wish: Wish, wanted: Wish) -> Wish:
    """What is wished for in a spec, with what the parent wants."""
    return msgspec.structs.replace(
        wish,
        held=wanted.held,
        stop=wanted.stop,
        stop_reason=wanted.stop_reason,
        stop_force=wanted.stop_force,
        redrive=max(wish.redrive, wanted.redrive),
    )


def wanted_text(wish: Wish) -> str:
    """The annotation that says what the parent wants."""
    return msgspec.json.encode(
        _Wanted(wish.held, wish.stop, wish.stop_reason, wish.stop_force, wish.redrive)
    ).decode()


def child_of(
    effect: StartChild, namespace: str, inputs: dict[str, Any], wish: Wish, epoch: int
) -> dict[str, Any]:
    """The execution that a node asks for. Its shard is told by whoever first sees its uid."""
    parent = effect.parent
    metadata = names.shared_metadata(namespace, effect.child, "", epoch)
    metadata["labels"][names.ROOT] = parent.root
    metadata["annotations"] = {
        names.PARENT: msgspec.json.encode(parent).decode(),
        names.WANTED: wanted_text(wish),
    }
    if parent.wait:
        metadata["ownerReferences"] = [names.owner_reference(parent.name, parent.uid)]
        metadata["finalizers"] = [names.EXECUTION_FINALIZER]  # until the parent has taken its end
    spec = {"workflow": {"name": effect.workflow}, "inputs": inputs, "priority": effect.priority}
    body = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind}
    return {**body, "metadata": metadata, "spec": spec}
