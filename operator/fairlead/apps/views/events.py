"""Events as lines: the time, the type, the node and what there is to say of it. The format is stable.

2026-11-21T09:00:01.250Z NodeRetrying charge attempt 1 failed: NonZeroExit: exit code 3; the next in 2s
"""

from __future__ import annotations

import json
from typing import Any

from fairlead.apps.views import words
from fairlead.apps.views.graphs import texts
from fairlead.model.times import parse_duration

Json = dict[str, Any]

_SHOWN = 120
"""Characters of a value that a line shows."""


def line(form: Json) -> str:
    """The line of an event in its reader's form."""
    said = _said(form)
    parts = [_time(form["at"]), form["type"], form.get("node") or form.get("path"), said]
    return texts.clean(" ".join(str(part) for part in parts if part))


def _time(text: str) -> str:
    """Always milliseconds, so that columns stand."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def _said(form: Json) -> str:
    words_of = _WORDS.get(form["type"])
    return words_of(form) if words_of is not None else ""


def _attempt(form: Json) -> str:
    return f"attempt {form['attempt']}" if form.get("attempt") else ""


def _error(form: Json) -> str:
    error = form["error"]
    return f"{error['reason']}: {error['message']}" if error.get("message") else str(error["reason"])


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _completed(form: Json) -> str:
    if form.get("message") is not None:
        return f"{form.get('level') or 'info'}: {form['message']}"
    if form.get("result") is not None:
        reason = f": {form['reason']}" if form.get("reason") else ""
        return f"result {form['result']}{reason}"
    port = form.get("port", "")
    parts = [f"-> {port}" if port not in ("", "done") else "", _via(form)]
    if form.get("outputs"):
        parts.append(_value(form["outputs"]))
    return " ".join(filter(None, parts))


def _via(form: Json) -> str:
    if form.get("via") == "cache":
        return f"from the cache, filled by {form['cachedFrom']} at {form['cachedAt']}"
    return "by its fallback" if form.get("via") else ""


def _failed(form: Json) -> str:
    handled = {"port": " (handled)", "continue": " (onError: continue)"}.get(form.get("handled", ""), "")
    return f"{_error(form)}{handled}"


def _retrying(form: Json) -> str:
    delay = words.duration(parse_duration(form["delay"]))
    return f"{_attempt(form)} failed: {_error(form)}; the next in {delay}"


def _started_by(form: Json) -> str:
    parent = form.get("parent")
    return f", started by {parent['node']} of {parent['name']}" if parent else ""


def _suspended(form: Json) -> str:
    parts = ["held by the execution that started it"] if form.get("held") else []
    if form.get("until"):
        parts.append(f"until {form['until']}")
    return ", by its own spec ".join(parts)


def _loop_started(form: Json) -> str:
    if form.get("loopback"):
        return f"{form['loopback']} repeats {', '.join(form['region'])}"
    return words.count(len(form["items"]), "item") if form.get("items") is not None else ""


def _iteration(form: Json) -> str:
    by = f" by {form['loopback']}" if form.get("loopback") else ""
    return f"{form['index']}{by}, path {form['path']}"


_WORDS: dict[str, Any] = {
    "ExecutionCreated": lambda f: (
        f"{f['name']} of {f.get('workflow') or 'an inline definition'} {f['digest'][:19]}{_started_by(f)}"
    ),
    "ExecutionStarted": lambda f: words.count(f["nodes"], "node"),
    "ExecutionSuspended": _suspended,
    "ExecutionResumed": lambda f: f.get("reason", ""),
    "WishWithdrawn": lambda f: f["wish"],
    "CancelRequested": lambda f: f"{'force ' if f.get('force') else ''}{f.get('reason', '')}".strip(),
    "ExecutionTimedOut": lambda f: f"after {f['timeout']}",
    "OutcomeDecided": lambda f: f"{f['phase']}; finally begins with {words.count(f['nodes'], 'node')}",
    "ExecutionCompleted": _completed,
    "ExecutionFailed": _error,
    "ExecutionCancelled": lambda f: f.get("reason", ""),
    "Redriven": lambda f: f"{words.count(len(f['reset']), 'node')} again, epoch {f['epoch']}",
    "RedriveRefused": lambda f: f["reason"],
    "ProgressUpdated": lambda f: f"{f['percent']}% of {words.count(f['total'], 'node')}",
    "PathStarted": lambda f: f"path {f['path']}",
    "PathJoined": lambda f: f"path {f['path']} of {', '.join(f['joined'])}",
    "PathCompleted": lambda f: f"path {f['path']} {f.get('reason', 'GraphEnd')}",
    "PathFailed": lambda f: f"path {f['path']}",
    "PathCancelled": lambda f: f["reason"],
    "LateArrival": lambda f: f"path {f['path']} by {f['connection']}",
    "LoopStarted": _loop_started,
    "LoopIteration": _iteration,
    "LoopCompleted": lambda f: (
        f"after {f['iterations']}" + (f", {f['failed']} failed" if f.get("failed") else "")
    ),
    "InlineStarted": lambda f: f"workflow {f['workflow']} {_value(f.get('inputs', {}))}",
    "BodyStarted": lambda f: (
        f"{f['scope']} {words.count(f['nodes'], 'node')}" + (f" after {f['phase']}" if f.get("phase") else "")
    ),
    "BodyTimedOut": lambda f: f"{f['scope']} after {f['timeout']}",
    "NodeReady": lambda f: f"held: {f['reason']}",
    "ChildScheduled": lambda f: f"{_attempt(f)}, execution {f['child']} of {f['workflow']}",
    "ChildStarted": lambda f: f"{_attempt(f)}, execution {f['child']}",
    "ChildEnded": lambda f: f"{_attempt(f)}, execution {f['child']} {f['phase']}",
    "CacheLookup": lambda f: f"key {_value(f['key'])}",
    "CacheMissed": lambda f: f.get("note", ""),
    "NodeScheduled": lambda f: (
        _attempt(f) + (f", delivery {f['delivery']}" if f.get("delivery", 1) > 1 else "")
    ),
    "NodeStarted": _attempt,
    "DeliveryHeld": lambda f: (
        f"{_attempt(f)}, {f.get('reason', 'on its way again')}: {f.get('message', '')}".rstrip(": ")
    ),
    "DeliveryStarted": lambda f: f"{_attempt(f)}, delivery {f['delivery']}",
    "NodeRetrying": _retrying,
    "NodeTimedOut": lambda f: f"{_attempt(f)} {f['reason']} after {f['limit']}",
    "NodeStopping": lambda f: f"{_attempt(f)} {f['reason']}",
    "NodeLost": lambda f: (
        f"{_attempt(f)}, delivery {f['delivery']} {f['reason']}: {f.get('message', '')}".rstrip(": ")
    ),
    "DeadLettered": lambda f: f"{_attempt(f)}, delivery {f['deliveries']} was the last",
    "NodeFallback": lambda f: f"{f['fallback']} stands in after {_error(f)}",
    "NodeCompleted": _completed,
    "NodeFailed": _failed,
    "NodeSkipped": lambda f: f["reason"],
    "NodeCancelled": lambda f: f["reason"],
    "BodyReopened": lambda f: (
        f"{f['scope'].rstrip('/')} again, {words.count(len(f.get('reset', [])), 'node')} of it"
    ),
    "BodyEnded": lambda f: f"{f['scope'].rstrip('/')} {_error(f) if 'error' in f else 'done'}",
    "LateResult": lambda f: f"{_attempt(f)}, delivery {f['delivery']}, ignored",
    "VariableChanged": lambda f: f"{f['name']} = {_value(f['value'])}",
    "ConditionEvaluated": lambda f: str(f["condition"]).lower(),
}
