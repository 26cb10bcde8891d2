"""Runs an `http` node: one request, one answer, by the rules that the modules beside this one hold.

parse the URL ► admit its host and addresses ► send once, follow nothing ► read at most 1 MiB ► `expect`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpcore

from fairlead_runner.reach import answers, credentials, messages, transport, urls
from fairlead_runner.reach.allowing import settings
from fairlead_runner.reach.answers import Answer
from fairlead_runner.reach.conditions import Condition
from fairlead_runner.reach.failures import Failed
from fairlead_runner.reach.urls import Target

DEFAULT_EXPECT = "status < 400"
DEFAULT_SECONDS = 30.0
_SHOWN = 200


def run(
    spec: Mapping[str, Any], env: Mapping[str, str], resolve: transport.Resolver = transport.system_resolver
) -> dict[str, Any]:
    """The outputs of the node. Raises Failed."""
    authorization: str | None = None
    hidden: list[str] = []
    if spec.get("auth") is not None:
        authorization, hidden = credentials.authorization(spec["auth"], env)
    try:
        answer = _ask(spec, env, authorization, resolve)
        answer.headers = credentials.hide(answer.headers, hidden)
        answer.body = credentials.hide(answer.body, hidden)
        _judge(spec, answer)
    except Failed as failed:
        raise Failed(failed.reason, credentials.hide(str(failed), hidden)) from None
    return answer.outputs()


def _ask(
    spec: Mapping[str, Any], env: Mapping[str, str], authorization: str | None, resolve: transport.Resolver
) -> Answer:
    allow = settings(spec.get("allow"), env)
    target = urls.parse(spec.get("url"))
    method = messages.method(spec)
    headers = messages.headers(target, spec.get("headers"), authorization)
    body = messages.body(spec.get("body"), headers)
    line = messages.path_and_query(target, spec.get("query"))
    deadline = transport.Deadline(_seconds(spec))
    addresses = transport.admit(target, allow, resolve, deadline)
    try:
        with transport.pool(addresses, target, allow, deadline) as pool:
            return _exchange(pool, method, target, line, headers, body)
    except httpcore.ConnectTimeout:
        deadline.left()
        raise Failed(
            "HttpTimeout", f"{target.shown} cannot be connected to within {transport.CONNECT_LIMIT:g} s"
        ) from None
    except httpcore.TimeoutException:
        raise deadline.passed() from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise Failed("HttpFailed", f"{method} {target.shown} got no answer: {_said(error)}") from None


def _exchange(
    pool: httpcore.ConnectionPool,
    method: str,
    target: Target,
    line: str,
    headers: dict[str, str],
    body: bytes | None,
) -> Answer:
    url = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=line.encode("ascii"),
    )
    if body is not None or method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = str(len(body or b""))
    with pool.stream(method, url, headers=list(headers.items()), content=body) as response:
        found = answers.headers(response.headers)
        return Answer(response.status, found, answers.read(found, response.iter_stream()))


def _judge(spec: Mapping[str, Any], answer: Answer) -> None:
    """Raises Failed where the answer is not what was expected."""
    expect = spec.get("expect") or DEFAULT_EXPECT
    if expect == DEFAULT_EXPECT:
        holds = answer.status < 400
    elif answer.problem:
        raise Failed("OutputInvalid", f"{answer.problem}; the status is {answer.status}")
    else:
        values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        holds = Condition(expect, tuple(values), "expect").holds(values)
    if not holds:
        raise Failed("HttpStatus", f"answered {answer.status}; expected {expect:.200}{_excerpt(answer)}")
    if answer.problem:
        raise Failed("OutputInvalid", f"{answer.problem}; the status is {answer.status}")


def _excerpt(answer: Answer) -> str:
    """The beginning of what an answer says, in one line."""
    if answer.encoding or not answer.body:
        return ""
    from fairlead_runner import lean_json

    text = answer.body if isinstance(answer.body, str) else lean_json.encode(answer.body)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 4 * _SHOWN]).split())
    return f": {line if len(line) <= _SHOWN else line[: _SHOWN - 3] + '...'}"


def _seconds(spec: Mapping[str, Any]) -> float:
    micros = spec.get("timeout")
    return micros / 1_000_000 if isinstance(micros, int) and micros > 0 else DEFAULT_SECONDS


def _said(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
