"""What every kind has: the API version and the Kubernetes metadata of an object."""

from __future__ import annotations

from pydantic import Field, model_validator

from fairlead.model.manifests.base import refusal, shape
from fairlead.model.manifests.scalars import Int, JsonObject, ObjectName, Text

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


@shape
class Metadata:
    """Kubernetes object metadata; people write name, labels and annotations, the API server the rest."""

    name: ObjectName | None = Field(default=None, description="Name of the object, unique in its namespace.")
    generate_name: Text | None = Field(
        default=None, description="Prefix of a name that the API server completes."
    )
    namespace: ObjectName | None = Field(default=None, description="Namespace of the object.")
    labels: dict[Text, Text] = Field(default={}, description="Labels.")
    annotations: dict[Text, Text] = Field(default={}, description="Annotations.")
    finalizers: tuple[Text, ...] = Field(default=(), description="Finalizers.")
    owner_references: tuple[JsonObject, ...] = Field(default=(), description="Owners.")
    uid: Text | None = Field(default=None, description="Unique identity, given by the API server.")
    resource_version: Text | None = Field(default=None, description="Version of the stored object.")
    generation: Int | None = Field(default=None, description="Counts changes of the spec.")
    creation_timestamp: Text | None = Field(default=None, description="When the object was created.")
    deletion_timestamp: Text | None = Field(default=None, description="When the object was deleted.")
    deletion_grace_period_seconds: Int | None = Field(default=None, description="Grace of the deletion.")
    managed_fields: tuple[JsonObject, ...] = Field(default=(), description="Who wrote which field.")
    self_link: Text | None = Field(default=None, description="Old form of the address.")

    @model_validator(mode="after")
    def _named(self) -> Metadata:
        if self.name is None and self.generate_name is None:
            raise refusal("MissingField", "the object has no name; expected metadata.name")
        return self
