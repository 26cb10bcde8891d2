"""What an install says to the operator."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.kube.client import Credentials, credentials_of
from fairlead.model.errors import InvalidInput

RUNNER_IMAGE = "FAIRLEAD_RUNNER_IMAGE"
"""Environment variable that names the runner image; the chart sets it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One operator. `namespace`: the one that it serves, None for all.

    `identity` is the name under which it holds the Lease. `exclusive`: no other process runs under that identity, as a container
    of a pod that is started anew: what an earlier one held is taken over at once.
    """

    credentials: Credentials
    namespace: str | None
    lease_namespace: str
    runner_image: str
    lease: str = "fairlead"
    identity: str = field(default_factory=socket.gethostname)
    exclusive: bool = False
    probes: int | None = None


def settings_of(  # noqa: PLR0913 - one argument per option of the command
    *,
    namespace: str | None = None,
    all_namespaces: bool = False,
    lease: str = "fairlead",
    lease_namespace: str | None = None,
    identity: str | None = None,
    runner_image: str | None = None,
    probes: int | None = None,
    kubeconfig: str | Path | None = None,
    context: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings with everything that was not said filled in. Raises InvalidInput, and Unavailable without a cluster."""
    if namespace is not None and all_namespaces:
        raise InvalidInput(
            f"--namespace {namespace} and --all-namespaces contradict each other; expected one"
        )
    credentials = credentials_of(kubeconfig, context, environment)
    image = runner_image or environment.get(RUNNER_IMAGE, "")
    if not image:
        raise InvalidInput(
            f"no runner image is named; expected --runner-image or {RUNNER_IMAGE}: "
            "the image of nodes that have none of their own"
        )
    served = None if all_namespaces else namespace or credentials.namespace
    return Settings(
        credentials=credentials,
        namespace=served,
        lease_namespace=lease_namespace or credentials.namespace,
        runner_image=image,
        lease=lease,
        identity=identity or environment.get("HOSTNAME") or socket.gethostname(),
        exclusive=identity is not None or credentials.of_pod,
        probes=probes,
    )
