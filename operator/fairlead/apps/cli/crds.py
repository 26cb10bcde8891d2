"""`fairlead crds`."""

from __future__ import annotations

from fairlead.apps.cli.terminal import write


def crds() -> None:
    """Print the CustomResourceDefinitions of all kinds, as YAML for kubectl.

    Example:
      fairlead crds | kubectl apply --server-side -f -
    """
    import sys

    from fairlead.model.crds import crd_text
    from fairlead.model.crds import crds as generated

    write(sys.stdout, "---\n".join(crd_text(crd) for crd in generated().values()))
