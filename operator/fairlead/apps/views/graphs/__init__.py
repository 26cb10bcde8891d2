"""A workflow's graph as SVG, Mermaid, Graphviz dot or plain text.

Callers build a `GraphView` (see `views`), everything else is a pure function of it: the same view gives the same bytes.
Labels are text that users wrote: each renderer escapes them for its own format and none trusts them.
"""

from fairlead.apps.views.graphs.dot import to_dot
from fairlead.apps.views.graphs.mermaid import to_mermaid
from fairlead.apps.views.graphs.svg import to_svg
from fairlead.apps.views.graphs.text import to_text
from fairlead.apps.views.graphs.views import GraphEdge, GraphGroup, GraphNode, GraphView

__all__ = ["GraphEdge", "GraphGroup", "GraphNode", "GraphView", "to_dot", "to_mermaid", "to_svg", "to_text"]
