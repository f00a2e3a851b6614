"""The fixtures of the cluster tests."""

import os
import uuid

import pytest

# `compose.sh` has started what that tests, and says where.
collect_ignore = [] if "COMPOSE_NODE" in os.environ else ["test_compose.py"]


@pytest.fixture
def key() -> str:
    """A name that no other run has."""
    return uuid.uuid4().hex
