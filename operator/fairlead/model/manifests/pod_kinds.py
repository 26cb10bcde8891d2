"""The node kinds that run in a pod: run, http, notify, resource."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from fairlead.model.manifests.base import exactly_one, refusal, shape
from fairlead.model.manifests.policies import Resources
from fairlead.model.manifests.scalars import (
    Cel,
    EnvName,
    Json,
    JsonObject,
    ObjectName,
    PositiveDuration,
    Template,
    Text,
    Word,
)


@shape
class EnvFrom:
    """Environment variables from a Secret."""

    secret: ObjectName = Field(description="Name of the Secret.")
    keys: dict[EnvName, Word] | None = Field(
        default=None,
        description="Environment variable to key of the Secret. Default: every key under its own name.",
    )


@shape
class FileFrom:
    """A Secret as files."""

    secret: ObjectName = Field(description="Name of the Secret.")
    path: Word = Field(description="Folder in which each key is a file.")


@shape
class LocalReference:
    """A name in the same namespace."""

    name: ObjectName = Field(description="Name of the object.")


@shape
class PodSection:
    """The part of a pod's spec that a node may set."""

    node_selector: dict[Text, Text] = Field(
        default={}, description="Labels that the Kubernetes node must have."
    )
    tolerations: tuple[JsonObject, ...] = Field(default=(), description="Taints that are tolerated.")
    affinity: JsonObject | None = Field(default=None, description="Affinity, as in a pod.")
    topology_spread_constraints: tuple[JsonObject, ...] = Field(
        default=(), description="Spread, as in a pod."
    )
    priority_class_name: ObjectName | None = Field(default=None, description="Priority class of the pod.")
    runtime_class_name: ObjectName | None = Field(default=None, description="Runtime class of the pod.")
    scheduler_name: Word | None = Field(default=None, description="Scheduler of the pod.")
    image_pull_secrets: tuple[LocalReference, ...] = Field(
        default=(), description="Secrets to pull the image with."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When the image is pulled. Default: that of Kubernetes."
    )
    labels: dict[Text, Text] = Field(default={}, description="More labels of the pod.")
    annotations: dict[Text, Text] = Field(default={}, description="More annotations of the pod.")

    @model_validator(mode="after")
    def _own_labels(self) -> PodSection:
        taken = next((name for name in self.labels if name.partition("/")[0] == "fairlead.dev"), None)
        if taken is not None:
            raise refusal(
                "NotAllowedHere", f"{taken!r} is Fairlead's to set; expected another domain than fairlead.dev"
            )
        return self


@shape
class Run:
    """A script or a container. Scripts and commands are never templates; they get values by `with`."""

    python: Word | None = Field(
        default=None, description="Python text; reads inputs, fills outputs. Never a template."
    )
    sh: Word | None = Field(
        default=None, description="Shell text; files FAIRLEAD_INPUTS and FAIRLEAD_OUTPUTS. Never a template."
    )
    image: Template | None = Field(
        default=None, min_length=1, description="Any image, with its command and args."
    )
    command: tuple[Text, ...] = Field(
        default=(), description="Command of the image; never a template. Default: the image's own."
    )
    args: tuple[Template, ...] = Field(
        default=(), description="Arguments, with ${ cel }. Default: the image's own."
    )
    env: dict[EnvName, Template] = Field(default={}, description="Environment variables, with ${ cel }.")
    env_from: tuple[EnvFrom, ...] = Field(default=(), description="Environment variables from Secrets.")
    files: tuple[FileFrom, ...] = Field(default=(), description="Secrets as files.")
    resources: Resources | None = Field(
        default=None, description="What the pod asks for. Default: defaults.resources."
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="Service account of the pod. Default: one without any right."
    )
    working_dir: Template | None = Field(
        default=None, description="Working folder. Default: the image's own."
    )
    pod: PodSection | None = Field(default=None, description="Other parts of the pod.")

    @model_validator(mode="after")
    def _one_program(self) -> Run:
        exactly_one("run", {"python": self.python, "sh": self.sh, "image": self.image})
        if self.image is None and (self.command or self.args):
            field = "command" if self.command else "args"
            raise refusal(
                "NotAllowedHere", f"{field} belongs to an image, and this run has none; expected image"
            )
        return self


@shape
class HttpAuth:
    """Credentials of a request."""

    secret: ObjectName = Field(
        description="Name of the Secret: key token for bearer, keys username and password for basic."
    )
    kind: Literal["bearer", "basic"] = Field(default="bearer", description="bearer or basic. Default bearer.")


@shape
class Http:
    """A request. Outputs: status, headers, body."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="Method. Default GET."
    )
    url: Word = Field(description="Address, with ${ cel }.")
    query: dict[Text, Json] = Field(default={}, description="Parameters of the query, with ${ cel }.")
    headers: dict[Text, Template] = Field(default={}, description="Headers, with ${ cel }.")
    body: Json = Field(default=None, description="Body, any JSON or text, with ${ cel }. Default: none.")
    auth: HttpAuth | None = Field(default=None, description="Credentials. Default: none.")
    expect: Cel = Field(
        default="status < 400",
        description="CEL over status, headers and body that says done. Default status < 400.",
    )


@shape
class Notify:
    """A message to a service that the apprise library knows."""

    secret: ObjectName = Field(description="Name of the Secret whose key url is the target.")
    title: Template | None = Field(default=None, description="Title, with ${ cel }.")
    body: Word = Field(description="Text, with ${ cel }.")


@shape
class Resource:
    """Creates, applies, patches, deletes or awaits a Kubernetes object. Outputs: object."""

    action: Literal["create", "apply", "patch", "delete", "get"] = Field(
        default="create", description="create, apply, patch, delete or get. Default create."
    )
    manifest: JsonObject = Field(description="The object, with ${ cel } in its texts.")
    service_account_name: ObjectName | None = Field(
        default=None, description="Service account whose rights are used. Default: one without any right."
    )
    success: Cel | None = Field(default=None, description="CEL over object that says done. Default: at once.")
    failure: Cel | None = Field(default=None, description="CEL over object that says failed. Default: never.")
    timeout: PositiveDuration | None = Field(
        default=None, description="How long success is awaited. Default: the node's timeout."
    )
