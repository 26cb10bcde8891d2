"""Short forms of workflows with loops for tests."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}
Json = dict[str, Any]


def flow(nodes: dict[str, Json], *connections: str | Json, **spec: Any) -> Driver:
    """A run of nodes by name; a connection is `a>b`, a loopback `a.port^b` (100 times at most), or written out."""
    return Driver({"nodes": named(nodes), "connections": list(map(written, connections)), **spec})


def named(nodes: dict[str, Json]) -> list[Json]:
    return [{"name": name, **node} for name, node in nodes.items()]


def written(connection: str | Json) -> Json:
    if not isinstance(connection, str):
        return connection
    source, sign, target = connection.partition("^" if "^" in connection else ">")
    return {"from": source, "to": target, **({"loopback": {}} if sign == "^" else {})}


def back(source: str, target: str, most: int, **more: Any) -> Json:
    """A loopback."""
    return {"from": source, "to": target, "loopback": {"maxIterations": most}, **more}


def ends(run: Driver, *nodes: str) -> Driver:
    """Attempts that end well, one after the other."""
    for node in nodes:
        run.end(node)
    return run
