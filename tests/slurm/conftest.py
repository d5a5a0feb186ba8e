"""A Slurm for all tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm_cluster import Cluster, find_obstacle, run_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes, one with a graphics card."""
    if (obstacle := find_obstacle()) is not None:
        pytest.skip(obstacle)
    with run_cluster() as running:
        yield running
