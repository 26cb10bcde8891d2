"""Order in a directed graph: components, upstream sets, one cycle. Knows nothing of workflows.

Nodes are the numbers 0 to n-1, a set of nodes is an integer with a bit per node: ten thousand sets of ten thousand nodes take
12 MB and are united in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Adjacency = Sequence[Sequence[int]]


def bits(mask: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def components(after: Adjacency) -> list[list[int]]:
    """The strongly connected components, each before those that lead to it."""
    size = len(after)
    order = [0] * size
    low = [0] * size
    on_stack = [False] * size
    stack: list[int] = []
    found: list[list[int]] = []
    count = 0
    for root in range(size):
        if order[root]:
            continue
        todo = [(root, 0)]
        while todo:
            node, position = todo.pop()
            if position == 0:
                count += 1
                order[node] = low[node] = count
                stack.append(node)
                on_stack[node] = True
            if position < len(after[node]):
                todo.append((node, position + 1))
                other = after[node][position]
                if not order[other]:
                    todo.append((other, 0))
                elif on_stack[other]:
                    low[node] = min(low[node], order[other])
                continue
            if low[node] == order[node]:
                found.append(_popped(stack, on_stack, node))
            if todo:
                parent = todo[-1][0]
                low[parent] = min(low[parent], low[node])
    return found


def _popped(stack: list[int], on_stack: list[bool], node: int) -> list[int]:
    component: list[int] = []
    while True:
        member = stack.pop()
        on_stack[member] = False
        component.append(member)
        if member == node:
            return sorted(component)


def closures(after: Adjacency, parts: list[list[int]]) -> list[int]:
    """For each node the set of nodes that a path of one or more edges leads to, from its components."""
    sets = [0] * len(after)
    for part in parts:
        own = 0
        for node in part:
            own |= 1 << node
        reached = 0
        for node in part:
            for other in after[node]:
                if not own >> other & 1:
                    reached |= 1 << other | sets[other]
        if len(part) > 1 or part[0] in after[part[0]]:
            reached |= own
        for node in part:
            sets[node] = reached
    return sets


def reversed_edges(after: Adjacency) -> list[list[int]]:
    """The same graph with every edge turned round."""
    before: list[list[int]] = [[] for _ in after]
    for node, others in enumerate(after):
        for other in others:
            before[other].append(node)
    return before


def shortest_cycle_through(after: Adjacency, start: int, within: set[int]) -> list[int]:
    """The nodes of a shortest cycle through a node of a component, beginning with that node."""
    came_from: dict[int, int] = {}
    todo = [start]
    while todo:
        following: list[int] = []
        for node in todo:
            for other in after[node]:
                if other == start:
                    path = [node]
                    while path[-1] != start:
                        path.append(came_from[path[-1]])
                    return path[::-1]
                if other in within and other not in came_from:
                    came_from[other] = node
                    following.append(other)
        todo = following
    return [start]
