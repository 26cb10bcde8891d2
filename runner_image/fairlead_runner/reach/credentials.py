"""Secrets of a node, and how they stay out of everything.

A key of a Secret is in the environment variable FAIRLEAD_SECRET_NAME_KEY: the home puts it there for the nodes that name it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead_runner.reach.failures import Failed

SHORTEST_HIDDEN = 4
"""Shorter values would blot out ordinary text without hiding anything."""
_STARS = "***"


def value(secret: Any, key: str, env: Mapping[str, str]) -> str:
    """The value of a key of a Secret. Raises Failed with SecretMissing."""
    if not isinstance(secret, str) or not secret:
        raise Failed("SecretMissing", f"the node names the Secret {secret!r}; expected a name")
    variable = f"FAIRLEAD_SECRET_{_upper(secret)}_{_upper(key)}"
    found = env.get(variable)
    if not found:
        raise Failed(
            "SecretMissing",
            f"key {key!r} of Secret {secret!r} is not here; expected the environment variable {variable}",
        )
    return found


def authorization(auth: Any, env: Mapping[str, str]) -> tuple[str, list[str]]:
    """The Authorization header for a request's `auth`, and the texts that have to stay hidden."""
    if not isinstance(auth, dict):
        raise Failed("HttpRefused", f"auth is of type {type(auth).__name__}; expected an object")
    kind = auth.get("kind", "bearer")
    if kind == "bearer":
        token = value(auth.get("secret"), "token", env).strip()
        _fit(token, auth, "token")
        return f"Bearer {token}", [token]
    if kind == "basic":
        user, password = (
            value(auth.get("secret"), key, env).rstrip("\n") for key in ("username", "password")
        )
        if ":" in user:
            raise Failed(
                "SecretUnusable", f"key 'username' of Secret {auth['secret']!r} holds a colon; expected none"
            )
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return f"Basic {pair}", [password, pair]
    raise Failed("HttpRefused", f"auth.kind is {kind!r}; expected bearer or basic")


def hide(value: Any, hidden: Iterable[str]) -> Any:
    """A JSON value without the texts: a server that echoes a request must not make a Secret an output."""
    texts = sorted({text for text in hidden if len(text) >= SHORTEST_HIDDEN}, key=len, reverse=True)
    return _hide(value, texts) if texts else value


def _hide(value: Any, texts: list[str]) -> Any:
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, _STARS)
        return value
    if isinstance(value, dict):
        return {_hide(key, texts): _hide(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, texts) for item in value]
    return value


def _fit(token: str, auth: Mapping[str, Any], key: str) -> None:
    if not all("!" <= letter <= "~" for letter in token):
        raise Failed(
            "SecretUnusable",
            f"key {key!r} of Secret {auth['secret']!r} cannot stand in a header; expected visible ASCII without spaces",
        )


def _upper(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text).upper()
