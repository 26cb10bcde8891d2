"""What the tests of the chart share: a Helm that is there before any of them counts its time."""

from __future__ import annotations

import pytest
from tests.cluster import binaries


@pytest.fixture(autouse=True, scope="session")
def helm_is_built() -> None:
    """Building it takes some minutes, once on a machine."""
    try:
        binaries.programs("helm")
    except binaries.NotBuilt as reason:
        pytest.skip(str(reason))
