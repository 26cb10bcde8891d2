"""Lists in pages, metadata alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fairlead.kube.client import Client, Expired, Metadata, Resource
from fairlead.kube.client.replies import partial_list_decoder

PAGE = 500


async def pages(
    client: Client, resource: Resource, namespace: str | None, selector: str, *, size: int = PAGE
) -> AsyncIterator[list[Metadata]]:
    """All objects that a selector selects, page by page; if that takes too long, from the start once more.

    Raises Forbidden, Unavailable.
    """
    place = ""
    while True:
        params = {"limit": str(size)} | ({"labelSelector": selector} if selector else {})
        if place:
            params["continue"] = place
        try:
            body = await client.get(resource, namespace, params=params, partial=True)
        except Expired:
            place = ""
            continue
        page = partial_list_decoder.decode(body)
        yield page.found
        place = page.metadata.continue_
        if not place:
            return
