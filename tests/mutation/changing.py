"""The copy, with every change in it at once: the environment says which one acts."""

# pyright: reportMissingImports=false

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

import libcst as cst
from mutmut.mutation.diff_apply import read_mutant_function, read_original_function
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name, orig_function_and_class_names_from_key

from tests.mutation.judging import Mutant, lines_of, numbered, runs_the_same

ROOT: Final = Path(__file__).parents[2]

CONFIG = '\n[tool.mutmut]\nsource_paths = ["trido"]\n'


def take_copy(to: Path, commit: str | None) -> str:
    """Copy what git knows of, as it is in the working tree or in a commit; return its digest."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    if commit is None:
        for name in _git("ls-files").decode().splitlines():
            if (ROOT / name).is_file():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to / name)
    else:
        subprocess.run(["tar", "-x"], cwd=to, input=_git("archive", commit), check=True)
    digest = sha256()
    for path in sorted(path for top in ("trido", "tests") for path in (to / top).rglob("*.py")):
        digest.update(path.read_bytes())
    with (to / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(CONFIG)
    return digest.hexdigest()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def plant(copy: Path, sources: Iterable[str]) -> list[Mutant]:
    """Put all changes of these files into the copy."""
    os.chdir(copy)  # mutmut reads its settings from there
    return [mutant for source in sources for mutant in _plant(copy / source, Path(source))]


def _plant(path: Path, name: Path) -> list[Mutant]:
    changed = mutate_file_contents(str(name), path.read_text(encoding="utf-8"))
    path.write_text(changed.code, encoding="utf-8")
    module = cst.parse_module(changed.code)
    found, names, digests = [], [], []
    for key in changed.mutant_names:
        mutant = get_mutant_name(name, key)
        before = cst.Module([read_original_function(module, mutant)]).code
        after = cst.Module([read_mutant_function(module, mutant)]).code
        found.append((_where(name, mutant), *lines_of(before, after)))
        names.append(mutant)
        digests.append(sha256(before.encode()).hexdigest())
    mutants = map(Mutant, numbered(found), names, digests)
    return [one for one in mutants if not runs_the_same(one.change)]


def _where(name: Path, mutant: str) -> str:
    function, cls = orig_function_and_class_names_from_key(mutant)
    return ".".join(filter(None, (*name.with_suffix("").parts, cls, function)))
