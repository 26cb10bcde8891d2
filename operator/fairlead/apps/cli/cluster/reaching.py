"""The client of a command: an event loop that runs while a request does, and errors as sentences a person can act on."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp
import structlog

from fairlead.apps.cli.options import Where
from fairlead.kube.client import Client, credentials_of
from fairlead.kube.fence import NotLeader
from fairlead.model.errors import NotFound, Unavailable

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds for which what failed is tried again; a person waits."""


class OnlyReads:
    """The fence of whoever never writes."""

    writer = ""

    def epoch(self) -> int:
        """Raises NotLeader."""
        raise NotLeader("a command reads the log of an execution; only the operator writes it")


class Reach:
    """A cluster that is asked from code that knows no event loop. Raises Unavailable and InvalidInput when it is made."""

    def __init__(self, where: Where) -> None:
        credentials = credentials_of(where.kubeconfig, where.context)
        self.server = credentials.server
        self.namespace = where.namespace or credentials.namespace
        self.client = Client(credentials, patience=PATIENCE)
        structlog.configure(  # stdout is for what was asked for
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
        self._runner = asyncio.Runner()
        self._entered = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some requests. Raises what they raise."""
        try:
            if not self._entered:
                self._entered = True
                self._runner.run(self.client.__aenter__())
            return self._runner.run(work)
        except Unavailable as error:
            work.close()
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise Unavailable(
                    f"the cluster at {self.server} cannot be reached ({_why(error.__cause__)}); expected the API server of the"
                    " kube context to answer, see --context, or --local for the local store"
                ) from error
            raise

    def close(self) -> None:
        """Close the connections and the loop."""
        if self._entered:
            self._runner.run(self.client.__aexit__())
        self._runner.close()


def in_cluster(where: Where, work: Callable[[Client, str], Coroutine[Any, Any, T]]) -> T:
    """What some work with a client and a namespace gives, that which is meant. Raises what it raises."""
    reach = Reach(where)
    try:
        return reach.run(work(reach.client, reach.namespace))
    finally:
        reach.close()


def _why(cause: aiohttp.ClientConnectorError) -> str:
    """Why a connection failed, without its address, which stands before it."""
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return str(cause.certificate_error)
    return cause.os_error.strerror or str(cause.os_error)


def without_crds(error: NotFound) -> Unavailable:
    """The error of a cluster that knows no WorkflowExecutions."""
    wanted = "expected the CRDs of Fairlead, `fairlead crds | kubectl apply --server-side -f -`"
    failed = Unavailable(f"the cluster knows no WorkflowExecutions; {wanted}")
    failed.__cause__ = error
    return failed
