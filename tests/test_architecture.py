"""The laws of the house that import-linter cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import trido

PACKAGE = Path(trido.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

DECISION = ("trido.supervision.decision", "trido.supervision.deciding")
OWN_TASKS = ("trido.supervision", "trido.runtime", "trido.testing")

NOT_PURE = set(
    """
    asyncio concurrent datetime io logging multiprocessing os pathlib random secrets select
    selectors shutil signal socket sqlite3 subprocess sys tempfile threading time trio uuid
    uuid_utils
    """.split()
)


def in_room(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def names(tree: ast.AST) -> Iterator[str]:
    """Every name a piece of code uses, however it got hold of it."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name
            case _:
                pass


class RunTimeImports(ast.NodeVisitor):
    """The modules that a module imports when it runs: not those for the type checker only."""

    def __init__(self, module: str) -> None:
        is_package = MODULES[module].name == "__init__.py"
        self.package = module if is_package else module.rpartition(".")[0]
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = node.module or ""
        if node.level:
            parents = self.package.split(".")[: 1 - node.level or None]
            origin = ".".join([*parents, *filter(None, [origin])])
        imported = {f"{origin}.{alias.name}" for alias in node.names}
        modules = imported & MODULES.keys()
        self.found |= modules if modules == imported else modules | {origin}


def run_time_imports(module: str) -> set[str]:
    visitor = RunTimeImports(module)
    visitor.visit(ast.parse(MODULES[module].read_text()))
    return visitor.found


def reached(module: str) -> dict[str, str]:
    """Every module that ``module`` needs to run, through trido's own, and who imports it.

    Packages on the way (``trido``, ``trido.supervision``) are facades, which Python runs whichever
    of their modules is imported; they count only where a name is imported from them.
    """
    importers: dict[str, str] = {}
    todo = [module]
    while todo:
        here = todo.pop()
        for found in run_time_imports(here) - importers.keys():
            importers[found] = here
            if found in MODULES:
                todo.append(found)
    return importers


@pytest.mark.parametrize("module", [m for m in MODULES if not in_room(m, OWN_TASKS)])
def test_only_supervision_and_the_runtime_own_tasks(module: str) -> None:
    assert "open_nursery" not in names(ast.parse(MODULES[module].read_text()))


@pytest.mark.parametrize("module", MODULES)
def test_nobody_starts_a_task_outside_a_nursery(module: str) -> None:
    assert "spawn_system_task" not in names(ast.parse(MODULES[module].read_text()))


@pytest.mark.parametrize("module", [one for one in MODULES if in_room(one, DECISION)])
def test_decisions_are_pure(module: str) -> None:
    impure = {
        f"{found} (imported by {importer})"
        for found, importer in reached(module).items()
        if found.partition(".")[0] in NOT_PURE
    }
    assert not impure
    assert not {"open", "print", "input", "__import__"} & set(
        names(ast.parse(MODULES[module].read_text()))
    )
