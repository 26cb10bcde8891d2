"""The thin client: every request of the operator to the API server goes through here.

credentials   who we are and where the server is, loaded by the official `kubernetes` package
resources     kinds, and the paths of their objects
errors        what the server answers, by what the caller must do
replies       the few fields that we read of an answer
rights        what the API server denied us for want of a right
client        sessions, retries where they are safe, ambiguous answers named as such
"""

from fairlead.kube.client.client import Channel, Client
from fairlead.kube.client.credentials import Credentials, credentials_of, from_kubeconfig
from fairlead.kube.client.errors import (
    AlreadyExists,
    Ambiguous,
    Expired,
    Fenced,
    Forbidden,
    Invalid,
    NamespaceTerminating,
    TooManyRequests,
)
from fairlead.kube.client.replies import Metadata
from fairlead.kube.client.resources import (
    CONFIG_MAPS,
    EVENTS,
    EXECUTIONS,
    LEASES,
    PODS,
    WORKFLOWS,
    Resource,
)
from fairlead.kube.client.rights import Right, Rights

__all__ = [
    "CONFIG_MAPS",
    "EVENTS",
    "EXECUTIONS",
    "LEASES",
    "PODS",
    "WORKFLOWS",
    "AlreadyExists",
    "Ambiguous",
    "Channel",
    "Client",
    "Credentials",
    "Expired",
    "Fenced",
    "Forbidden",
    "Invalid",
    "Metadata",
    "NamespaceTerminating",
    "Resource",
    "Right",
    "Rights",
    "TooManyRequests",
    "credentials_of",
    "from_kubeconfig",
]
