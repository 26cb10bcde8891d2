"""Colours and signs of the SVG: by kind of node, by status, by state of an edge; for a light and a dark page.

Every meaning is carried twice, by colour and by a sign or a line style, so that it survives colour blindness and print.
Colours are plain rules in a style sheet (no CSS variables: many converters know none), the dark ones under a media query.
"""

from __future__ import annotations

from dataclasses import dataclass

# Signs are strokes on a 16 x 16 grid.
ICONS: dict[str, str] = {
    "run": "M5 3.2l7.2 4.8L5 12.8z",
    "http": "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8zM1.8 8h12.4M8 1.8c-4 4-4 8.4 0 12.4M8 1.8c4 4 4 8.4 0 12.4",
    "notify": "M3 11.5h10L11.8 9V6.2a3.8 3.8 0 0 0-7.6 0V9zM6.6 13.4a1.5 1.5 0 0 0 2.8 0",
    "resource": "M8 1.6l5.6 3.2v6.4L8 14.4l-5.6-3.2V4.8zM2.4 4.8L8 8l5.6-3.2M8 8v6.4",
    "set": "M3 5.6h10M3 10.4h10",
    "log": "M3 4h10M3 8h10M3 12h6",
    "if": "M8 1.8L14.2 8 8 14.2 1.8 8z",
    "switch": "M8 2v4.5M8 6.5L3 13.5M8 6.5v7M8 6.5l5 7",
    "while": "M13.2 8a5.2 5.2 0 1 1-1.7-3.9M13.4 1.8v3.4H10",
    "forEach": "M5.5 4.5V2.4h8v8h-2.1M2.5 5.5h8v8h-8z",
    "parallel": "M4 2.5v11M8 2.5v11M12 2.5v11",
    "wait": "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8zM8 4.6V8l2.6 1.6",
    "approval": "M8 2.2a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 1 0 0-5.4zM2.8 13.8c0-3 2.2-4.3 5.2-4.3s5.2 1.3 5.2 4.3",
    "emit": "M7 2.8H2.8v10.4H7M6 8h7.6M10.4 4.8L13.6 8l-3.2 3.2",
    "workflow": "M2.5 2.5h4.4v4.4H2.5zM9.1 9.1h4.4v4.4H9.1zM4.7 6.9v4.4h4.4",
    "finish": "M4 14.2V2.4h8.4l-2 3 2 3H4",
}
PLAIN_ICON = "M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3z"

FAMILIES: dict[str, str] = {
    **dict.fromkeys(("run", "http", "notify", "resource"), "work"),
    **dict.fromkeys(("set", "log"), "data"),
    **dict.fromkeys(("if", "switch"), "choice"),
    **dict.fromkeys(("while", "forEach", "parallel"), "loop"),
    **dict.fromkeys(("wait", "approval"), "pause"),
    **dict.fromkeys(("emit", "workflow"), "outward"),
    "finish": "end",
}

# family: light, dark
FAMILY_COLOURS: dict[str, tuple[str, str]] = {
    "work": ("#2563eb", "#60a5fa"),
    "data": ("#64748b", "#94a3b8"),
    "choice": ("#7c3aed", "#a78bfa"),
    "loop": ("#0e7490", "#22d3ee"),
    "pause": ("#b45309", "#fbbf24"),
    "outward": ("#be185d", "#f472b6"),
    "end": ("#334155", "#cbd5e1"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """How a status looks: border and fill on a light and a dark page, the badge's sign, a dashed border or not."""

    border: tuple[str, str]
    fill: tuple[str, str]
    sign: str
    dashed: bool = False


LOOKS: dict[str, Look] = {
    "Pending": Look(("#94a3b8", "#64748b"), ("#f8fafc", "#1e293b"), "M5 8h.01M8 8h.01M11 8h.01"),
    "Ready": Look(("#3b82f6", "#60a5fa"), ("#eff6ff", "#172554"), "M6.5 5L10 8l-3.5 3"),
    "Running": Look(("#2563eb", "#60a5fa"), ("#dbeafe", "#1e3a8a"), "M6.2 4.8l5 3.2-5 3.2z"),
    "Retrying": Look(("#c2410c", "#fb923c"), ("#ffedd5", "#431407"), "M11 8a3 3 0 1 1-1-2.3M11.2 4.2v2h-2"),
    "Waiting": Look(("#a16207", "#facc15"), ("#fef9c3", "#422006"), "M6.6 5v6M9.4 5v6"),
    "Succeeded": Look(("#15803d", "#4ade80"), ("#dcfce7", "#052e16"), "M4.8 8.2l2.2 2.3 4.2-4.8"),
    "Failed": Look(("#b91c1c", "#f87171"), ("#fee2e2", "#450a0a"), "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"),
    "Skipped": Look(
        ("#94a3b8", "#64748b"), ("#ffffff", "#0f172a"), "M5 5l3 3-3 3M8.4 5l3 3-3 3", dashed=True
    ),
    "Cancelled": Look(("#475569", "#94a3b8"), ("#e2e8f0", "#334155"), "M5.5 5.5h5v5h-5z", dashed=True),
}

# state of an edge: light, dark, width, dashes
LINES: dict[str, tuple[str, str, float, str]] = {
    "plain": ("#64748b", "#94a3b8", 1.5, ""),
    "open": ("#94a3b8", "#64748b", 1.5, ""),
    "taken": ("#15803d", "#4ade80", 2.0, ""),
    "dead": ("#cbd5e1", "#475569", 1.3, "4 4"),
    "back": ("#7c3aed", "#a78bfa", 1.5, ""),
}


def family(kind: str) -> str:
    """Which colour a kind has; kinds that are not known look like data."""
    return FAMILIES.get(kind, "data")


def style_sheet() -> str:
    """All rules, the light ones first."""
    return f"{_BASE}{_rules(0)}@media (prefers-color-scheme:dark){{{_DARK}{_rules(1)}}}"


def _rules(page: int) -> str:
    rules = [f".fl .{name}{{stroke:{colours[page]}}}" for name, colours in FAMILY_COLOURS.items()]
    for status, look in LOOKS.items():
        dashes = ";stroke-dasharray:5 3" if look.dashed else ""
        rules.append(f".fl .{status} .b{{stroke:{look.border[page]};fill:{look.fill[page]}{dashes}}}")
        rules.append(f".fl .{status} .d{{fill:{look.border[page]}}}.fl .{status}.f .b{{fill:none}}")
    for name, (*colours, width, dashes) in LINES.items():
        dash = f";stroke-dasharray:{dashes}" if dashes else ""
        rules.append(f".fl .e-{name}{{stroke:{colours[page]};stroke-width:{width}{dash}}}")
        rules.append(f".fl .a-{name}{{fill:{colours[page]}}}")
    return "".join(rules)


_BASE = (
    ".fl{font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}"
    ".fl .bg{fill:#fff}.fl .t{font-size:13px;font-weight:600;fill:#0f172a}.fl .c{font-size:11px;fill:#475569}"
    ".fl .h{font-size:16px;font-weight:600;fill:#0f172a}.fl .b{fill:#fff;stroke:#94a3b8;stroke-width:1.5}"
    ".fl .Running .b,.fl .Failed .b{stroke-width:2.2}"
    ".fl .i{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}"
    ".fl .d{stroke:none}.fl .s{fill:none;stroke:#fff;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}"
    ".fl .f .b{fill:none}.fl .body{fill:#64748b;fill-opacity:.06}.fl .k{fill:none;stroke:#94a3b8;stroke-dasharray:2 4}"
    ".fl .e{fill:none}.fl .l{font-size:11px;fill:#334155;text-anchor:middle}.fl .p{fill:#fff;fill-opacity:.9}"
    ".fl .Skipped .t,.fl .Skipped .c{fill:#64748b}"
)
_DARK = (
    ".fl .bg{fill:#0b1220}.fl .t,.fl .h{fill:#f1f5f9}.fl .c{fill:#a8b5c7}.fl .b{fill:#1e293b;stroke:#64748b}"
    ".fl .s{stroke:#0b1220}.fl .l{fill:#cbd5e1}.fl .p{fill:#0b1220}.fl .body{fill:#94a3b8}.fl .f .b{fill:none}"
    ".fl .Skipped .t,.fl .Skipped .c{fill:#94a3b8}"
)
