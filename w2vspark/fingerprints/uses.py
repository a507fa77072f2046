"""Find the names that a piece of code takes from outside, by its syntax tree and Python's rules of scopes.

A name that may be local or not counts as one from outside: a use too many is harmless, a use too few is not.
"""

import ast
from collections.abc import Iterable, Iterator

Chain = tuple[str, ...]  # a name, and the attributes that follow it: ("storage", "read_table")
_IMPORTS = (ast.Import, ast.ImportFrom)
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_UNNAMED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, *_UNNAMED)  # they have scopes of their own
_NAMING = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping)  # they define names without an ast.Name
Scope = dict[str, set[str]]  # local names, with the full names of the imported ones


def used_names(statement: ast.stmt, package: str) -> tuple[set[Chain], set[str]]:
    """The names of its module or of Python that a statement uses, and the full names of what it imports itself.

    package: the module's package, for relative imports.
    """
    found = _Uses(package)
    found.visit(statement)
    return found.chains, found.targets


def imports_of(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, str]]:
    """The names that an import defines, each with its full name.

    Raises ValueError for `import *`, which does not say which names it defines.
    """
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0], alias.name.split(".")[0])
        return
    parents = package.split(".")
    above = parents[: len(parents) - statement.level + 1] if statement.level else []
    source = ".".join([*above, *([statement.module] if statement.module else [])])
    for alias in statement.names:
        if alias.name == "*":
            raise ValueError(f"from {source} import *: does not say what is used; name what is imported")
        yield alias.asname or alias.name, f"{source}.{alias.name}"


class _Uses(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.chains: set[Chain] = set()
        self.targets: set[str] = set()
        self._package = package
        self._scopes: list[Scope] = []

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        attributes: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            self._use((base.id, *attributes))
        else:
            self.visit(base)

    def visit_Global(self, node: ast.Global) -> None:  # the function's own assignments would hide it
        self.chains.update((name,) for name in node.names)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._within(self._arguments(node.args), [node.body])

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, [node.key, node.value])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        # A name that a class defines is local only in the class's body, after its definition. It never counts as local.
        for statement in ast.walk(node):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.targets.update(target for _, target in imports_of(statement, self._package))
        self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, node.args, node.returns):
            if outside is not None:
                self.visit(outside)
        scope = self._arguments(node.args)
        self._bind(node.body, scope)
        self._within(scope, node.body)

    def _comprehension(self, node: _Comprehension, values: list[ast.expr]) -> None:
        self.visit(node.generators[0].iter)
        scope: Scope = {}
        for generator in node.generators:
            self._bind([generator.target], scope)
        inner = [part for generator in node.generators for part in (generator.target, *generator.ifs)]
        self._within(scope, [*inner, *(generator.iter for generator in node.generators[1:]), *values])

    def _within(self, scope: Scope, nodes: Iterable[ast.AST]) -> None:
        self._scopes.append(scope)
        for node in nodes:
            self.visit(node)
        self._scopes.pop()

    def _use(self, chain: Chain) -> None:
        for scope in reversed(self._scopes):
            if chain[0] in scope:
                self.targets.update(".".join([target, *chain[1:]]) for target in scope[chain[0]])
                return
        self.chains.add(chain)

    def _arguments(self, arguments: ast.arguments) -> Scope:
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        return {one.arg: set() for one in named if one is not None}

    def _bind(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        """Add the names that the nodes define to their scope."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            kind = type(node)
            if kind is ast.Name:
                if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                    scope.setdefault(node.id, set())  # type: ignore[attr-defined]
            elif kind in _NESTED:
                if kind not in _UNNAMED:
                    scope.setdefault(node.name, set())  # type: ignore[attr-defined]
            elif isinstance(node, _IMPORTS):
                for name, target in imports_of(node, self._package):
                    scope.setdefault(name, set()).add(target)
            else:
                if kind in _NAMING:
                    for defined in (getattr(node, "name", None), getattr(node, "rest", None)):
                        if defined is not None:
                            scope.setdefault(defined, set())
                for field in node._fields:
                    value = getattr(node, field, None)
                    if type(value) is list:
                        waiting += [part for part in value if isinstance(part, ast.AST)]
                    elif isinstance(value, ast.AST):
                        waiting.append(value)
