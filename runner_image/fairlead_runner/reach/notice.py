"""Runs a `notify` node: one message to one service, by apprise.

Rules of this file
- The target is the key `url` of the node's Secret. It holds tokens, so it is never shown: not whole, not in
  part, and no text that apprise or a library below it wrote (they show addresses, some with tokens in them).
- A target is one that reaches a service: what would act on this machine, or read a configuration with more
  targets, is refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from fairlead_runner import lean_json
from fairlead_runner.reach import credentials
from fairlead_runner.reach.failures import Failed

KEY = "url"
MAX_TEXT = 256 * 1024
_SCHEME = re.compile(r"([a-z0-9][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_LOCAL = frozenset(["dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"])
_STATUS = re.compile(r"\berror=(\d{3})\b")


def run(spec: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Send the message; the node has no outputs. Raises Failed."""
    title, body = _text(spec.get("title"), "title"), _text(spec.get("body"), "body")
    if not body.strip():
        raise Failed("NotifyRefused", "the body is empty; expected text")
    secret = spec.get("secret")
    url = credentials.value(secret, KEY, env).strip()
    heard = _listen()
    _send(url, f"Secret {secret!r}", title, body, heard)
    return {}


class _Ears(logging.Handler):
    """Keeps the status that a service answered, and nothing else of what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        found = _STATUS.search(record.getMessage())
        if found:
            self.status = found[1]


def _listen() -> _Ears:
    """Hear what the libraries log, and let nothing of it out."""
    ears = _Ears()
    root = logging.getLogger()
    root.handlers[:] = [ears]
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    return ears


def _send(url: str, whose: str, title: str, body: str, heard: _Ears) -> None:
    import warnings

    import apprise

    warnings.simplefilter("ignore")
    found = _SCHEME.match(url)
    if found is None:
        raise Failed("NotifyRefused", f"key {KEY!r} of {whose} is no target; expected one such as slack://…")
    scheme = found[1].lower()
    if scheme in _LOCAL:
        raise Failed(
            "NotifyRefused",
            f"key {KEY!r} of {whose} is of the kind {scheme}, which acts on this machine; expected a service",
        )
    asset = apprise.AppriseAsset(
        app_id="Fairlead", app_desc="Fairlead", app_url="", plugin_paths=[], secure_logging=True
    )
    sender = apprise.Apprise(asset=asset)
    if not _added(sender, url):
        raise Failed(
            "NotifyRefused",
            f"key {KEY!r} of {whose} is no target that apprise knows, or one that lacks a part (see apprise's page on it)",
        )
    if not sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT):
        answered = f": it answered {heard.status}" if heard.status else ""
        raise Failed("NotifyFailed", f"the {scheme} service of {whose} did not take the message{answered}")


def _added(sender: Any, url: str) -> bool:
    """One target, and only one: a text with commas or spaces could name more."""
    try:
        return bool(sender.add(url)) and len(sender) == 1
    except Exception:  # noqa: BLE001 - its text may show the target
        return False


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else lean_json.encode(value)
    if len(text) > MAX_TEXT:
        raise Failed("NotifyRefused", f"the {field} has {len(text)} characters; expected at most {MAX_TEXT}")
    return text
