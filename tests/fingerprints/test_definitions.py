"""Which definitions a piece of code uses: Python's scopes and imports, and the whole package against its bytecode."""

import ast
import dis
from pathlib import Path
from types import CodeType

import pytest

from w2vspark.fingerprints import definitions as graph
from w2vspark.fingerprints.definitions import BODY, WHOLE, Node, definitions, module_files, reached, read_source

MODULES = {
    "w2vspark": "",
    "w2vspark.base": "started = prepare()\nprint('loaded')",
    "w2vspark.base.other": "def f(): return g()\ndef g(): return CONSTANT\nCONSTANT = 1\ndef unused(): pass",
    "w2vspark.base.again": "from w2vspark.base.other import f",
    "w2vspark.deep": "",
    "w2vspark.deep.inner": "class Inner: pass",
}
OTHER = {"w2vspark.base.other.f", "w2vspark.base.other.g", "w2vspark.base.other.CONSTANT"}


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The definitions that `root` of the module w2vspark.own reaches, without bodies, in a package of MODULES."""

    def find(source: str, plumbing: tuple[str, ...] = (), holders: tuple[str, ...] = ()) -> set[str]:
        for name, text in (MODULES | {"w2vspark.own": source}).items():
            file = tmp_path / f"{name}.py"
            file.write_text(text)
        files = {path.name.removesuffix(".py"): path for path in tmp_path.iterdir()}
        monkeypatch.setattr(graph, "files_of", lambda top: files)
        definitions.cache_clear()
        found = reached([Node("w2vspark.own", "root")], plumbing, holders)
        return {f"{node.module}.{node.name}" for node in found if node.name != BODY} - {"w2vspark.own.root"}

    yield find
    monkeypatch.undo()
    definitions.cache_clear()


IMPORTS = [
    "from w2vspark.base import other\ndef root(): other.f()",
    "from w2vspark.base.other import f\ndef root(): f()",
    "from w2vspark.base.other import f as h\ndef root(): h()",
    "import w2vspark.base.other\ndef root(): w2vspark.base.other.f()",
    "import w2vspark.base.other as o\ndef root(): o.f()",
    "from .base import other\ndef root(): other.f()",
    "from .base.other import f\ndef root(): f()",
    "def root():\n    from w2vspark.base import other as o\n    return lambda: o.f()",
    "def root():\n    def inner():\n        from w2vspark.base.other import f\n        f()\n    inner()",
    "class root:\n    from w2vspark.base.other import f",
    "try:\n    from w2vspark.base.other import f\nexcept ImportError:\n    f = None\ndef root(): f()",
]


@pytest.mark.parametrize("source", IMPORTS)
def test_a_name_of_another_module_is_followed_and_nothing_else_of_that_module(source, used):
    assert used(source) - {"w2vspark.own.f"} == OTHER


def test_a_name_that_a_module_passes_on_is_followed_to_where_it_is_defined(used):
    found = used("from w2vspark.base import again\ndef root(): again.f()")
    assert found == OTHER | {"w2vspark.base.again.f"}


WHOLE_MODULE = [
    "from w2vspark.base import other\ndef root(): getattr(other, 'f')()",
    "from w2vspark.base import other\ndef root(): return other",
    "from w2vspark.base import other\ndef root(): other.unknown()",
]


@pytest.mark.parametrize("source", WHOLE_MODULE)
def test_of_a_module_that_is_handed_on_everything_counts(source, used):
    assert used(source) == OTHER | {"w2vspark.base.other.unused"}


USES = [
    "def root(): a()",
    "def root(x=a): pass",
    "def root(x: a): pass",
    "def root() -> a: pass",
    "@a\ndef root(): pass",
    "class root(a): pass",
    "class root:\n    a = 1\n    def method(self): return a",
    "class root:\n    a = a",
    "root = [a for _ in range(3)]",
    "def root(): return [a for a in range(3)] + [a]",
    "def root(): return [x for x in a]",
    "def root():\n    def inner(): a = 1\n    return a",
    "def root():\n    global a\n    a = 2",
    "def root(): return lambda x=a: x",
    "def root(): return f'{a}'",
    "def root(): a.b.c = 1",
    "def root(): a[0] = 1",
    "root: int = a",
    "root, other = a, 1",
    "root = 1\nroot += a",
    "if a:\n    root = 1",
    "def root(x):\n    match x:\n        case a.b: pass",
]


@pytest.mark.parametrize("source", USES)
def test_a_name_of_the_module_is_a_use(source, used):
    assert "w2vspark.own.a" in used(f"a = 1\n{source}")


NO_USES = [
    "def root(): pass",
    "def root(a): return a",
    "def root(*a): return a",
    "def root(**a): return a",
    "def root():\n    a = 1\n    return a",
    "def root():\n    a = 1\n    return lambda: a",
    "def root(): return [a for a in range(3)]",
    "def root(): return {a: b for a, b in {}}",
    "def root(): return lambda a: a",
    "def root():\n    for a in range(3): print(a)",
    "def root():\n    with open('x') as a: print(a)",
    "def root():\n    try: pass\n    except Exception as a: print(a)",
    "def root():\n    if (a := 1): print(a)",
    "def root():\n    def a(): pass\n    a()",
    "def root(x):\n    match x:\n        case [a, *b]: print(a)",
    "def root(x): return x.a",
    "def root(): print('a')",
    "def root():\n    '''a'''",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    print(a)\ndef root(): pass",
]


@pytest.mark.parametrize("source", NO_USES)
def test_a_local_name_or_an_attribute_is_none(source, used):
    assert "w2vspark.own.a" not in used(f"a = 1\n{source}")


def test_statements_that_define_nothing_belong_to_all_of_their_module_and_so_do_its_packages(used):
    used("from w2vspark.base.other import g\ndef root(): g()\nprint(root)")
    found = reached([Node("w2vspark.own", "root")])
    assert Node("w2vspark.own", BODY) in found and Node("w2vspark.base", BODY) in found
    assert Node("w2vspark.base", "started") not in found and Node("w2vspark.deep", BODY) not in found


def test_plumbing_is_left_out_with_what_only_it_uses(used):
    source = "from w2vspark.base.other import f\nfrom w2vspark.deep import inner\ndef root(): f(inner.Inner)"
    assert used(source, ("w2vspark.base.other",)) == {"w2vspark.deep.inner.Inner"}
    assert used(source, ("w2vspark.base.other.g",)) == {"w2vspark.base.other.f", "w2vspark.deep.inner.Inner"}


def test_a_holder_counts_without_what_only_it_uses(used):
    source = "from w2vspark.base.other import f\ndef root(): f()"
    assert used(source, (), ("w2vspark.base.other.g",)) == {"w2vspark.base.other.f", "w2vspark.base.other.g"}


def test_the_libraries_are_those_that_a_definition_names(used):
    imports = "import numpy as np, numba\nfrom pyarrow import compute as pc"
    used(f"{imports}\ndef root():\n    import jieba\n    np.a(pc.b, jieba)")
    assert definitions("w2vspark.own")["root"].libraries == {"numpy", "pyarrow", "jieba"}


def digest(used, source: str) -> str:
    used(source)
    return definitions("w2vspark.own")["root"].digest


def test_a_definition_is_its_tree_without_comments_and_docstrings(used):
    plain = digest(used, "def root():\n    def f(): return 1\n    return f")
    documented = "def  root( ) :  # y\n    'Root.'\n    def f():\n        'F.'\n        return 1\n    return f"
    assert digest(used, f"# x\n\n'Module.'\n{documented}") == plain
    assert digest(used, "def root():\n    def f(): return 2\n    return f") != plain
    assert digest(used, "def root(x):\n    def f(): return 1\n    return f") != plain


def test_where_an_imported_name_comes_from_is_part_of_a_definition(used):
    sources = [f"from {module} import f\ndef root(): f()" for module in ("numpy", "scipy", "w2vspark.base.other")]
    assert len({digest(used, source) for source in sources}) == 3


def test_a_star_import_is_refused(used):
    with pytest.raises(ValueError, match="name what is imported"):
        used("from w2vspark.base.other import *\ndef root(): f()")


def globals_of(code: CodeType) -> set[str]:
    """The names that a function takes from its module, by its bytecode, with those of functions inside it."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(globals_of(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def test_the_bytecode_of_the_whole_package_takes_no_name_that_is_not_a_use():
    checked = 0
    for module in module_files():
        found = definitions(module)
        tree = ast.parse(read_source(module))
        graph._drop_checks(tree)  # what only refuses settings is no use
        compiled = compile(ast.fix_missing_locations(tree), module, "exec")
        for code in (constant for constant in compiled.co_consts if isinstance(constant, CodeType)):
            if code.co_name not in found:
                continue  # a lambda or comprehension of a module's constant
            uses = {node.name for node in found[code.co_name].uses if node.module == module}
            for name in globals_of(code) & set(found):
                behind = found[name]
                imported = not behind.uses.isdisjoint(found[code.co_name].uses) or behind.libraries
                whole = {node.module for node in behind.uses if node.name == WHOLE}
                imported = imported or not whole.isdisjoint(node.module for node in found[code.co_name].uses)
                assert name in uses or imported or "." in name, f"{module}.{code.co_name} uses {name}"
                checked += 1
    assert checked > 2000


def test_nothing_of_the_package_is_imported_by_a_name_that_is_made_when_it_runs():
    found = {
        module
        for module in module_files()
        for node in ast.walk(ast.parse(read_source(module)))
        if isinstance(node, ast.Name | ast.Attribute)
        and getattr(node, "id", getattr(node, "attr", "")) in ("import_module", "__import__")
    }
    assert found == {"w2vspark.kernels.compiled"}, "it reads the kernels' text for numba's cache, and runs none of them"
