"""From ``module:name``, as it is written on the command line, to what is there.

Whatever is wrong with it is told in a sentence, with what was probably meant.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

DEFAULT: Final = "app"
"""What is meant where only a module is named."""


_LIBRARIES: Final = (
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    os.fspath(Path(__file__).parents[1]),
)
_GUARD: Final = (
    '; it runs as it is imported: put that under `if __name__ == "__main__":`,'
    " and name its function"
)


class UserError(Exception):
    """What was asked for cannot be done; the message says why, and what could be."""


def load(where: str, kind: type = object) -> tuple[ModuleType, object]:
    """The module, and what is called so in it.

    ``shop.service:desk`` is the name ``desk`` in the module ``shop.service``; ``shop/service.py``
    in place of the module is the file. Without ``:desk`` it is the name ``app``. If there is none,
    names of this kind are told of; whether what is found is of it is for the caller to see.

    Raises:
      UserError: there is no such thing, or the module cannot be imported.
    """
    module_name, colon, name = where.partition(":")
    is_file = module_name.endswith(".py")
    is_path = not is_file and (module_name.startswith(".") or "/" in module_name)
    if not module_name or (colon and not name) or is_path:
        raise UserError(f'"{where}" names no app: say module:name, such as shop:app')
    module = _file(Path(module_name)) if is_file else _module(module_name)
    return module, _attribute(module, name or DEFAULT, kind)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or nothing if nothing is like it."""
    likely = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {likely[0]!r}?" if likely else ""


def _module(name: str) -> ModuleType:
    _look_in(Path.cwd())  # as `python -m` would
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise _broken(name, error) from error  # it imports what is not there
        raise UserError(f"there is no module {missing!r}{_other_modules(missing)}") from None
    except (Exception, SystemExit) as error:
        raise _broken(name, error) from error


def _look_in(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


def _other_modules(missing: str) -> str:
    package, dot, last = missing.rpartition(".")
    above = sys.modules.get(package) if dot else None
    paths = list(getattr(above, "__path__", ())) if dot else [str(Path.cwd())]
    return did_you_mean(last, [one.name for one in pkgutil.iter_modules(paths)])


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no file {os.fspath(path)!r}")
    _look_in(path.resolve().parent)  # as `python path` would
    # It may be called like a module that everybody needs.
    is_taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"file {path.stem}" if is_taken else path.stem
    spec: Any = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    sys.modules[name] = module  # annotations in it are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _broken(os.fspath(path), error) from error
    return module


def _broken(name: str, error: BaseException) -> UserError:
    frames = traceback.extract_tb(error.__traceback__)
    frame = next(filter(_is_users, reversed(frames)), frames[-1])
    at = f"{frame.filename}:{frame.lineno}"
    if isinstance(error, SyntaxError):
        at = f"{error.filename}:{error.lineno}"
    runs = isinstance(error, RuntimeError) and "from inside a run()" in str(error)
    return UserError(f"{name!r} cannot be imported: {said(error)} ({at}){_GUARD if runs else ''}")


def _is_users(frame: traceback.FrameSummary) -> bool:
    """Whether it is in code of the app's own, not of a library's."""
    file = frame.filename
    return not file.startswith("<") and not any(
        Path(file).is_relative_to(one) for one in _LIBRARIES
    )


def said(error: BaseException) -> str:
    """An exception in a line."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _attribute(module: ModuleType, name: str, kind: type) -> object:
    found: object = module
    way = f"module {module.__name__!r}"
    for part in name.split("."):
        if not hasattr(found, part):
            raise UserError(f"{way} has no {part!r}{_meant(part, found, kind)}")
        found = getattr(found, part)
        way = f"{part!r} in {way}"
    return found


def _meant(word: str, found: object, kind: type) -> str:
    known = [one for one in dir(found) if not one.startswith("_")]
    if kind is object:
        return did_you_mean(word, known)
    names = [one for one in known if isinstance(getattr(found, one), kind)]
    every = f"; did you mean {' or '.join(map(repr, names))}?" if names else ""
    return did_you_mean(word, names) or every
