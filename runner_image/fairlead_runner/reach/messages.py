"""What an `http` node sends: method, target, headers and body, made from values that templates gave.

Rule of this file: a value can never become syntax. Names and values of headers are checked letter by letter,
parameters are escaped, and what frames a message (lengths, encodings, the connection) is never the author's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from fairlead_runner import lean_json
from fairlead_runner.reach.failures import Failed
from fairlead_runner.reach.urls import Target

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_BODY = 4 * 1024 * 1024
MAX_HEADERS = 65536
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_FRAMING = frozenset(
    (
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "accept-encoding", "http2-settings", "proxy-authorization", "proxy-connection", "proxy-authenticate",
    )
)  # fmt: skip
_FORM = "application/x-www-form-urlencoded"


def method(spec: Mapping[str, Any]) -> str:
    """The method of a request."""
    found = spec.get("method") or "GET"
    if found not in METHODS:
        raise _refused(f"the method is {found!r}; expected one of {', '.join(METHODS)}")
    return str(found)


def path_and_query(target: Target, query: Any) -> str:
    """What stands in the first line of the request."""
    more = _form(query, "query")
    whole = "&".join(part for part in (target.query, more) if part)
    if len(whole) > 65536:
        raise _refused(f"the query has {len(whole)} characters; expected at most 65536")
    return f"{target.path}?{whole}" if whole else target.path


def headers(target: Target, given: Any, authorization: str | None) -> dict[str, str]:
    """All headers but those of the body, names in lower case."""
    found = {"host": target.authority, "accept-encoding": "gzip", "accept": "*/*", "user-agent": "fairlead"}
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise _refused(f"headers is of type {type(given).__name__}; expected an object")
    seen: set[str] = set()
    for name, value in given.items():
        key = name.lower()
        if not _TOKEN.fullmatch(name):
            raise _refused(f"the header name {name[:80]!r} is none; expected letters, digits and hyphens")
        if key in _FRAMING:
            raise _refused(f"the header {name!r} is set by Fairlead; expected none of that name")
        if key in seen:
            raise _refused(f"the header {name!r} is given twice; names differ in more than capitals")
        if value is None:
            continue
        seen.add(key)
        found[key] = _header(name, value)
    if authorization is not None:
        if "authorization" in seen:
            raise _refused("the node has `auth` and a header Authorization; expected one of them")
        found["authorization"] = authorization
    size = sum(len(name) + len(value) + 4 for name, value in found.items())
    if size > MAX_HEADERS:
        raise _refused(f"the headers are {size} bytes; expected at most {MAX_HEADERS}")
    return found


def body(value: Any, found: dict[str, str]) -> bytes | None:
    """The bytes of a body; its type is added to the headers where the author names none."""
    if value is None:
        return None
    if isinstance(value, str):
        kind, data = "text/plain; charset=utf-8", value.encode("utf-8", "surrogatepass")
    elif isinstance(value, dict) and found.get("content-type", "").split(";")[0].strip().lower() == _FORM:
        kind, data = _FORM, _form(value, "body").encode()
    else:
        kind, data = "application/json", lean_json.encode(value).encode("utf-8", "surrogatepass")
    found.setdefault("content-type", kind)
    if len(data) > MAX_BODY:
        raise _refused(f"the body is {len(data)} bytes; expected at most {MAX_BODY}")
    return data


def _header(name: str, value: Any) -> str:
    text = _scalar(value, f"the header {name!r}")
    if not _VALUE.fullmatch(text):
        raise _refused(
            f"the header {name!r} holds a line break or another letter that is not visible ASCII; expected none"
        )
    return text.strip()


def _form(values: Any, where: str) -> str:
    """Parameters as `application/x-www-form-urlencoded`; a list gives its name several times, null is left out."""
    if values is None:
        return ""
    if not isinstance(values, dict):
        raise _refused(f"{where} is of type {type(values).__name__}; expected an object")
    pairs = []
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                text = _scalar(item, f"{where}.{name}")
                pairs.append(f"{_escaped(name)}={_escaped(text)}")
    return "&".join(pairs)


def _escaped(text: str) -> str:
    try:
        return quote_plus(text)
    except UnicodeEncodeError:
        raise _refused("a parameter holds half of a surrogate pair; expected Unicode text") from None


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | dict | list):
        return lean_json.encode(value)
    raise _refused(f"{where} is of type {type(value).__name__}; expected text")


def _refused(message: str) -> Failed:
    return Failed("HttpRefused", message)
