"""Find the code that a function uses, from the source alone: its definition, and all definitions that this one uses.

A definition is a function, a class or an assigned name of a module. It uses the names in its syntax tree: names of its
own module, and names that the module or the definition itself imports.
"""

import ast
import functools
import hashlib
import importlib.resources
import pathlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import NamedTuple, TypeGuard

from w2vspark.fingerprints.uses import imports_of, used_names

PACKAGE = "w2vspark"
BODY, WHOLE = "", "*"  # parts of a module: the statements that define nothing; everything


class Node(NamedTuple):
    """A definition of a module; or its BODY, or the WHOLE module."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Definition:
    """The hash of a definition, and what it uses."""

    digest: str  # of its syntax tree without docstrings, comments and positions, and of the origin of its names
    uses: frozenset[Node]
    libraries: frozenset[str]  # other packages that it uses: numpy


def reached(roots: Iterable[Node], plumbing: Iterable[str] = (), holders: Iterable[str] = ()) -> dict[Node, Definition]:
    """The definitions that the roots use, directly or indirectly, with the bodies of their modules and packages.

    plumbing: modules ("w2vspark.base.log") and definitions ("w2vspark.flow.run.Run") to leave out, together with what
    only they use. holders: definitions that count, but not what only they use. Raises KeyError for a root that does not
    exist.
    """
    left_out, ends = set(plumbing), set(holders)
    found: dict[Node, Definition] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node in found or node.module in left_out or f"{node.module}.{node.name}" in left_out:
            continue
        module = definitions(node.module)
        if node.name not in module:  # WHOLE, or an attribute that the source does not show
            waiting += [Node(node.module, name) for name in module]
            continue
        found[node] = module[node.name]
        if f"{node.module}.{node.name}" not in ends:
            waiting += found[node].uses
        waiting += [Node(package, BODY) for package in _with_packages(node.module)]
    return found


@functools.cache
def definitions(module: str) -> dict[str, Definition]:
    """All definitions of a module by name, and its BODY. Raises KeyError for a module that does not exist."""
    statements, imports = _named_statements(ast.parse(read_source(module)), module)
    found = {name: _imported(name, targets) for name, targets in imports.items()}
    return found | {name: _definition(module, of_name, statements, imports) for name, of_name in statements.items()}


def read_source(module: str) -> str:
    """A module's source, from a folder or a packed archive. Raises KeyError for a module that does not exist."""
    return files_of(module.partition(".")[0])[module].read_text(encoding="utf-8")


def module_files() -> dict[str, Traversable]:
    """The files of all modules of our package, by the modules' full names."""
    return files_of(PACKAGE)


def admit(module: str) -> None:
    """Count the code of another package or single module too: the code of a method or job from outside w2vspark.

    module: the full name of a module in it, such as the module of a function that makes a table.
    """
    top = module.partition(".")[0]
    if top not in _ADMITTED:
        _ADMITTED.add(top)
        definitions.cache_clear()  # from now on names of this package count too


def admitted() -> frozenset[str]:
    """The packages and modules whose code counts."""
    return frozenset(_ADMITTED)


_ADMITTED = {PACKAGE}


@functools.cache
def files_of(top: str) -> dict[str, Traversable]:
    """The files of all modules of a package, or of a single module, by the modules' full names.

    Raises ValueError when there is no source.
    """
    module = sys.modules.get(top)
    if hasattr(module, "__path__"):
        return dict(_files(importlib.resources.files(top), top))
    file = getattr(module, "__file__", None)
    if file is None:
        raise ValueError(f"{top}: has no source file, so changes in it would not be noticed; put it into a module")
    return {top: pathlib.Path(file)}


def _files(folder: Traversable, package: str) -> Iterator[tuple[str, Traversable]]:
    if not (folder / "__init__.py").is_file():
        return
    yield package, folder / "__init__.py"
    for entry in folder.iterdir():
        name = f"{package}.{entry.name.removesuffix('.py')}"
        if entry.is_dir():
            yield from _files(entry, name)
        elif entry.name.endswith(".py") and entry.name != "__init__.py":
            yield name, entry


def _with_packages(module: str) -> list[str]:
    """A module and the packages that Python imports before it."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _named_statements(tree: ast.Module, module: str) -> tuple[dict[str, list[ast.stmt]], dict[str, set[str]]]:
    """A module's statements by the name that they define, and for each imported name its full names."""
    statements: dict[str, list[ast.stmt]] = {BODY: []}
    imports: dict[str, set[str]] = {}
    package = _package_of(module)
    _drop_docstrings(tree.body, True)
    _drop_checks(tree)
    for statement in _that_run(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for name, target in imports_of(statement, package):
                imports.setdefault(name, set()).add(target)
            continue
        names = _defined_by(statement)
        for name in names or [BODY]:
            statements.setdefault(name, []).append(statement)
        if not names:  # an `if` or `try` around definitions: the whole statement belongs to each of them
            for inner in ast.walk(statement):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    for name, target in imports_of(inner, package):
                        imports.setdefault(name, set()).add(target)
                elif isinstance(inner, ast.stmt):
                    for name in _defined_by(inner):
                        statements.setdefault(name, []).append(statement)
    return statements, imports


def _that_run(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without `if TYPE_CHECKING:` blocks, which only type checkers read."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from statement.orelse
        else:
            yield statement


def _defined_by(statement: ast.stmt) -> list[str]:
    """The names of a module that a statement defines; none if the statement does anything else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return []
    parts = [part for target in targets for part in _parts(target)]
    return [part.id for part in parts if isinstance(part, ast.Name)] if all(map(_is_name, parts)) else []


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _parts(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        return [inner for part in target.elts for inner in _parts(part)]
    return _parts(target.value) if isinstance(target, ast.Starred) else [target]


def _drop_docstrings(body: list[ast.stmt], documented: bool) -> None:
    """Remove the docstrings in some statements. documented: whether the first statement may be a docstring."""
    first = body[0] if documented and body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        del body[0]
    for statement in body:
        own = isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for field in ("body", "orelse", "finalbody"):
            _drop_docstrings(getattr(statement, field, []), own)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            _drop_docstrings(part.body, False)


def _drop_checks(tree: ast.Module) -> None:
    """Remove explanations and checks of values from classes of settings: no table depends on them.

    A class of settings has fields that are made by `key` (config.keys).
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        keys = [part.value for part in node.body if isinstance(part, ast.AnnAssign) and _is_key(part.value)]
        for call in keys:
            call.keywords = [keyword for keyword in call.keywords if keyword.arg not in ("why", "rule")]
        if keys:
            node.body = [
                part for part in node.body if not (isinstance(part, ast.FunctionDef) and part.name == "problems")
            ]


def _is_key(node: ast.expr | None) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "key"


def _definition(
    module: str, own: list[ast.stmt], statements: dict[str, list[ast.stmt]], imports: dict[str, set[str]]
) -> Definition:
    digest = hashlib.sha256()
    uses: set[Node] = set()
    full_names: set[str] = set()
    for statement in own:
        digest.update(ast.dump(statement, annotate_fields=False).encode())
        chains, targets = used_names(statement, _package_of(module))
        full_names |= targets
        for name, *attributes in sorted(chains):
            if name in statements:
                uses.add(Node(module, name))
            for target in sorted(imports.get(name, ())):
                digest.update(f"\0{name}={target}".encode())
                full_names.add(".".join([target, *attributes]))
    return _with_uses(digest.hexdigest(), uses, full_names)


def _imported(name: str, targets: set[str]) -> Definition:
    """The definition of an imported name."""
    text = f"{name}={','.join(sorted(targets))}"
    return _with_uses(hashlib.sha256(text.encode()).hexdigest(), set(), targets)


def _with_uses(digest: str, uses: set[Node], full_names: set[str]) -> Definition:
    ours = {name for name in full_names if name.partition(".")[0] in _ADMITTED}
    libraries = frozenset(name.partition(".")[0] for name in full_names - ours)
    return Definition(digest, frozenset(uses | set(map(node_of, ours))), libraries)


def node_of(full_name: str) -> Node:
    """The definition that a full name stands for. Its module is the longest one in the name; WHOLE if nothing follows.

    Raises ValueError when the name has no module with source.
    """
    parts = full_name.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if module in files_of(parts[0]):
            return Node(module, parts[count] if count < len(parts) else WHOLE)
    raise ValueError(f"{full_name}: is not in the source of {parts[0]}; install the package with its .py files")


def _package_of(module: str) -> str:
    inside = any(name.startswith(f"{module}.") for name in files_of(module.partition(".")[0]))
    return module if inside else module.rpartition(".")[0]
