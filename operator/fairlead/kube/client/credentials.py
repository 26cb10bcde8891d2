"""Where the API server is and who we are there, loaded by the official `kubernetes` package, which knows every form of
kubeconfig.

Only this module imports it. Tokens are asked for again at most once in `FRESH` seconds: the official loader then reads the
file of a service account, or runs the program of an `exec` entry, when what it has has expired.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yaml import YAMLError

from fairlead.model.errors import InvalidInput, Unavailable
from fairlead.model.wording import nearest_name

FRESH = 60.0
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"


class Credentials:
    """A server and an identity; `namespace` is the one that a person or pod works in when none is named.

    `of_pod` if it is the service account of the pod that we run in.
    """

    def __init__(self, configuration: Any, namespace: str, *, of_pod: bool = False) -> None:
        self.server: str = str(configuration.host).rstrip("/")
        self.namespace = namespace
        self.of_pod = of_pod
        self.proxy: str | None = configuration.proxy or None
        self.server_hostname: str | None = configuration.tls_server_name or None
        self.tls = _tls(configuration) if self.server.startswith("https") else None
        self._configuration = configuration
        self._header: dict[str, str] = {}
        self._at: float | None = None
        self._asking = asyncio.Lock()

    async def headers(self, *, anew: bool = False) -> dict[str, str]:
        """What proves who we are; `anew` after the server refused what we had."""
        if anew or self._old():
            async with self._asking:
                if anew or self._old():
                    self._header = await asyncio.to_thread(self._ask)  # may read a file or run a program
                    self._at = time.monotonic()
        return self._header

    def _old(self) -> bool:
        return self._at is None or time.monotonic() - self._at > FRESH

    def _ask(self) -> dict[str, str]:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            return {"Authorization": token if " " in token else f"Bearer {token}"}
        if self._configuration.username:
            pair = f"{self._configuration.username}:{self._configuration.password}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {}


def from_kubeconfig(path: str | Path | None = None, context: str | None = None) -> Credentials:
    """Those of a kubeconfig (None: KUBECONFIG, else the usual file).

    Raises Unavailable naming what is wrong with it, InvalidInput for a context that it does not have.
    """
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config

    configuration = Configuration()
    try:
        file = str(path) if path else None
        contexts, current = list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        chosen = current if context is None else _context(context, contexts)
        load_kube_config(file, context=context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        return Credentials(configuration, chosen["context"].get("namespace") or "default")
    except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, YAMLError) as error:
        # the official loader takes a file of the wrong shape apart without looking, and raises whatever comes of it
        said = " ".join(str(error).split()) or type(error).__name__
        raise Unavailable(
            f"the kubeconfig {path or 'of this user'} cannot be used: {said}; expected one with a current context"
        ) from error


def _context(name: str, contexts: list[dict[str, Any]]) -> dict[str, Any]:
    known = [str(one["name"]) for one in contexts]
    if name not in known:
        near = nearest_name(name, known)
        hint = f"did you mean {near}?" if near else f"expected one of {', '.join(known[:12])}"
        raise InvalidInput(f"the kubeconfig has no context {name}; {hint}")
    return contexts[known.index(name)]


def from_cluster() -> Credentials:
    """Those of the service account of the pod that we run in. Raises Unavailable outside a cluster."""
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import ConfigException, load_incluster_config
    from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME

    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise Unavailable(f"this process has no service account of a cluster: {error}") from error
    beside = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")
    return Credentials(configuration, beside.read_text(encoding="utf-8").strip(), of_pod=True)


def in_pod(path: str | Path | None, context: str | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the service account of the pod that we run in is meant, as with kubectl: no kubeconfig is named or there."""
    usual = Path(environment.get("HOME") or "/") / ".kube" / "config"
    named = path or context or environment.get("KUBECONFIG")
    return _IN_CLUSTER in environment and not named and not usual.exists()


def credentials_of(
    path: str | Path | None, context: str | None, environment: Mapping[str, str] = os.environ
) -> Credentials:
    """Those that are meant: of the pod, or of a kubeconfig. Raises Unavailable and InvalidInput."""
    return from_cluster() if in_pod(path, context, environment) else from_kubeconfig(path, context)


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Python 3.13 asks for extensions that the authorities of many clusters do not have (kopf.md, trap 17).
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
