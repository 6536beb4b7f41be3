"""Fixtures of this room."""

from collections.abc import Iterator

import pytest

from tests.lifecycle.museum import Museum, serving


@pytest.fixture
def museum() -> Iterator[Museum]:
    """A Helm repository that is served."""
    with serving() as content:
        yield content
