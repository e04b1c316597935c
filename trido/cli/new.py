"""``trido new NAME``: a project that works, to begin from."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trido.cli.job import printable
from trido.cli.load import UserError, said

_TEMPLATES: Final = Path(__file__).parent / "data" / "starter"
_FILES: Final[Mapping[str, str]] = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/@package@/__init__.py": "init.txt",
    "src/@package@/service.py": "service.txt",
    "tests/test_service.py": "test_service.txt",
}
"""What is written, and what of."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_TAKEN: Final = frozenset(
    {
        *("attr", "attrs", "cattr", "cattrs", "cronsim", "cyclopts", "hypothesis", "outcome"),
        *("pytest", "pytest_trio", "rich", "service", "sniffio", "test", "test_service"),
        *("tests", "trido", "trio", "uuid_utils"),
    }
)
"""What the starter or what it needs imports: a package called so would hide it."""


def new(target: Path) -> int:
    """Write a project into a new directory; returns the exit code.

    0: it is there. 2: it cannot be called so, or something is there already: then nothing is
    written.
    """
    try:
        _write(target, files(target.name))
    except UserError as error:
        print(printable(f"trido new: {error}"), file=sys.stderr)
        return 2
    print(printable(_next(target)))
    return 0


def files(name: str) -> dict[str, str]:
    """The files of a project of this name, and what is in them.

    Raises:
      UserError: no project and no package can be called so.
    """
    if not _NAME.fullmatch(name) or _is_taken(_package(name)):
        allowed = "small letters, digits and dashes, such as shop-service, and no other's name"
        raise UserError(f"{name!r} cannot be the name of a project: {allowed}")
    return {
        _filled(path, name): _filled((_TEMPLATES / template).read_text("utf-8"), name)
        for path, template in _FILES.items()
    }


def _is_taken(package: str) -> bool:
    hides = package in _TAKEN or package in sys.stdlib_module_names
    return hides or keyword.iskeyword(package)


def _filled(text: str, name: str) -> str:
    return text.replace("@name@", name).replace("@package@", _package(name))


def _package(name: str) -> str:
    return name.replace("-", "_")


def _write(target: Path, texts: Mapping[str, str]) -> None:
    try:
        target.mkdir()
        for path, text in texts.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    except FileExistsError:
        raise UserError(f"{target} is there already; nothing was written") from None
    except OSError as error:
        raise UserError(f"cannot write {target}: {said(error)}") from error


def _next(target: Path) -> str:
    return (
        f"{target} is a project that passes its tests:\n"
        f"  cd {target}\n"
        "  pip install -e '.[test]'\n"
        "  pytest\n"
        f"  trido run {_package(target.name)}.service --watch"
    )
