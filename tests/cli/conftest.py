import logging
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli import apps


@pytest.fixture(autouse=True, scope="module")
def no_log_of_crashes() -> Generator[None]:
    """They are many here, each has a traceback, and nobody reads them."""
    logger = logging.getLogger("trido")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture
def trido(capsys: pytest.CaptureFixture[str]) -> apps.Command:
    return apps.command(capsys)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> apps.Write:
    return apps.writer(tmp_path, monkeypatch)
