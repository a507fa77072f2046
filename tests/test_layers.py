"""Imports point one way: cli -> methods, jobs -> flow, training -> stages -> spark -> ground; read from the source."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import w2vspark
from w2vspark.methods import METHODS

PACKAGE = Path(w2vspark.__file__).parent
# What a room may import of the package: rooms that stand above it here. The face is w2vspark/api.py.
GROUND = ("base", "config", "fingerprints", "storage", "text", "output")
ALLOWED = {
    "base": {"base"},
    "config": {"config", "storage", "base"},
    "fingerprints": {"fingerprints"},
    "storage": {"storage", "base"},
    "text": {"text", "config", "base"},
    "output": {"output", "config", "storage", "base"},
    "kernels": {"kernels", "base"},
    "vectors": {"vectors", "kernels", *GROUND},
    "report": {"report", "vectors", *GROUND},
    "spark": {"spark", *GROUND},
    "stages": {"stages", "spark", "vectors", "kernels", *GROUND},
    "training": {"training", "stages", "spark", "kernels", *GROUND},
    "flow": {"flow", "report", "spark", *GROUND},
    "methods": {"methods", "flow", "report", "training", "stages", "spark", "vectors", *GROUND},
    "jobs": {"jobs", "methods", "flow", "stages", "spark", "vectors", *GROUND},
    "face": {"jobs", "methods", "flow", "stages", "spark", "vectors", *GROUND},
    "cli": {"cli", "face", "jobs", "methods", "flow", "report", "training", "stages", "spark", "vectors", *GROUND},
    "scripts": {"cli"},
}
KERNELS_NEED = {"numpy", "numba", "llvmlite", "typing", "collections", "math", "dataclasses"}
KERNELS_NEED |= {"hashlib", "pkgutil", "importlib"}  # compiled.py: numba's cache must know the text of all kernels


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, Path]:
    found = [path for path in PACKAGE.rglob("*.py")] + list((PACKAGE.parent / "jobs").glob("*.py"))
    return {name_of(path): path for path in sorted(found)}


SOURCES = sources()


def room(module: str) -> str:
    """The room of a module of the package or of a script; "" for the package itself and for other packages."""
    first, _, rest = module.partition(".")
    if first == "jobs":
        return "scripts"
    if first != "w2vspark" or not rest:
        return ""
    second = rest.split(".")[0]
    return second if (PACKAGE / second).is_dir() else "face"


def imported(module: str, tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that `tree`, of `module`, imports; of "from a import b", a.b where that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in SOURCES else str(node.module)


def all_imports() -> list[tuple[str, str]]:
    return [
        (module, target)
        for module, path in SOURCES.items()
        for target in imported(module, ast.parse(path.read_text(encoding="utf-8")))
    ]


IMPORTS = all_imports()


def test_the_source_is_read_at_all():
    rooms = {room(module) for module in SOURCES}
    assert rooms == {"", *ALLOWED}, "a new room needs its line in ALLOWED"
    assert [module for module in SOURCES if room(module) == "face"] == ["w2vspark.api"]
    assert ("w2vspark.training.word2vec.slices", "w2vspark.kernels.word2vec.pieces") in IMPORTS


def test_imports_between_rooms_point_one_way():
    wrong = [
        f"{module} imports {target}"
        for module, target in IMPORTS
        if room(module) and room(target) and room(target) not in ALLOWED[room(module)]
    ]
    assert not wrong


def test_nothing_imports_scripts_and_the_package_itself_the_face_alone():
    assert not [module for module, target in IMPORTS if room(target) == "scripts"]
    assert {target for module, target in IMPORTS if module == "w2vspark" and target.startswith("w2vspark")} == {
        "w2vspark.api"
    }


def test_no_two_modules_import_each_other_when_they_are_loaded():
    graph = {}
    for module, path in SOURCES.items():
        loaded = [
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        targets = {target for node in loaded for target in imported(module, node)}
        graph[module] = {target for target in targets if target in SOURCES and target != "w2vspark"} - {module}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize("name", [*GROUND, "kernels", "vectors", "report"])
def test_pyspark_is_not_imported_under(name):
    wrong = [module for module, target in IMPORTS if room(module) == name and target.split(".")[0] == "pyspark"]
    assert not wrong


def test_numba_is_imported_under_kernels_alone():
    users = {
        module
        for module, target in IMPORTS
        if room(module) != "kernels" and target.split(".")[0] in ("numba", "llvmlite")
    }
    assert users <= {"w2vspark.base.cpu_target"}, "cpu_target may look at numba once another has loaded it"


def test_kernels_need_numpy_and_numba_and_no_files_or_logs():
    wrong = [
        f"{module} imports {target}"
        for module, target in IMPORTS
        if room(module) == "kernels" and room(target) == "" and target.split(".")[0] not in {*KERNELS_NEED, "w2vspark"}
    ]
    calls = [
        f"{module}, line {node.lineno}: {node.func.id}"
        for module, path in SOURCES.items()
        if room(module) == "kernels"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print")
    ]
    assert not wrong + calls


WITHOUT_PYSPARK = """
import importlib, sys
sys.modules["pyspark"] = None  # importing it raises from here on
late = [name for name in sys.argv[1:] if name.startswith("w2vspark.kernels")]
for name in sys.argv[1:]:
    if name not in late:
        importlib.import_module(name)
print("numba loaded early" if "numba" in sys.modules else "")
for name in late:
    importlib.import_module(name)
print(sorted(name for name in sys.modules if name.startswith(("w2vspark.stages", "w2vspark.training"))))
"""


def test_base_vectors_kernels_and_the_query_commands_load_without_pyspark():
    names = [name for name in SOURCES if room(name) in ("base", "kernels", "vectors", "report")] + [
        "w2vspark.cli.queries",
        "w2vspark.cli.documents",
        "w2vspark.cli.report",
        "w2vspark.cli.versions",
    ]
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYSPARK, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "[]"], "numba is loaded by kernels alone, and after the target is pinned"


def test_the_driver_loads_no_numba_before_a_configuration_has_named_its_target():
    names = [
        "w2vspark.cli.command_line",
        "w2vspark.cli.works",
        "w2vspark.cli.reference",
        "w2vspark.cli.demo",
        "w2vspark.api",
    ]
    code = (
        "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


# Rooms that may know one method: its own module, its trainer's and its kernels', and readers of what only it publishes.

READERS = {"w2vspark.vectors.lsa_model": "reads the tables of a model with documents, which only lsa publishes"}
NAMES = re.compile(
    rf"(?<![\w-])({'|'.join(map(re.escape, [*METHODS, 'word2vec', 'skipgram', 'cbow']))})(?![\w-]|\.toml)"
)


def of_trainer(module: str) -> bool:
    """Whether this is methods/ or a folder of one trainer or its kernels; the engine in training/ is none."""
    parts = module.split(".")
    return module.startswith("w2vspark.methods") or (parts[1] in ("training", "kernels") and len(parts) > 3)


def words_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names and texts that code works with; not what it says to people in docstrings, reasons and advice."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr


def test_no_module_but_a_methods_own_names_a_method():
    wrong = [
        f"{module}, line {line}: {word}"
        for module, path in SOURCES.items()
        if module.startswith("w2vspark.") and not of_trainer(module) and module not in READERS
        for line, word in words_of(ast.parse(path.read_text(encoding="utf-8")))
        if NAMES.search(word)
    ]
    assert not wrong


def test_no_module_but_methods_imports_a_trainer_and_none_but_its_own_its_kernels():
    trainers = {module for module in SOURCES if module.startswith("w2vspark.training.") and of_trainer(module)}
    wrong = [
        f"{module} imports {target}"
        for module, target in IMPORTS
        if target in trainers and not module.startswith(("w2vspark.methods", ".".join(target.split(".")[:3])))
    ]
    assert not wrong
    engine = {module for module in SOURCES if room(module) == "training" and not of_trainer(module)}
    assert {"w2vspark.training.rounds", "w2vspark.training.shards", "w2vspark.training.lanes"} <= engine
    assert not [(module, target) for module, target in IMPORTS if module in engine and NAMES.search(target)]
