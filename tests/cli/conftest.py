import logging
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True, scope="module")
def no_log_of_crashes() -> Generator[None]:
    """They are many here, each has a traceback, and nobody reads them."""
    logger = logging.getLogger("trido")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
