"""Fingerprints: the same for the same making, another for any change."""

import hashlib
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import w2vspark
from w2vspark.fingerprints.definitions import definitions, module_files
from w2vspark.fingerprints.fingerprint import (
    code_fingerprint,
    code_of,
    fingerprint,
    library_versions,
    package_fingerprint,
)
from w2vspark.storage import uris
from w2vspark.text.settings import TokensConfig

PACKAGE = Path(w2vspark.__file__).parent


def test_a_fingerprint_is_the_hash_of_the_sorted_json() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5,"\\u00fc"],"b":{"x":null}}').hexdigest()[:16]
    assert fingerprint(b={"x": None}, a=(1, 2.5, "ü")) == fingerprint(a=[1, 2.5, "ü"], b={"x": None}) == expected


def test_every_value_and_name_counts() -> None:
    made = [fingerprint(a=1), fingerprint(a=2), fingerprint(b=1), fingerprint(a="1"), fingerprint(a=1, b=None)]
    assert len(set(made)) == len(made)


def test_settings_can_be_given_as_they_are() -> None:
    assert fingerprint(tokens=TokensConfig()) == fingerprint(tokens=TokensConfig())
    assert fingerprint(tokens=TokensConfig()) != fingerprint(tokens=TokensConfig(lowercase=False))


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), (object(), TypeError), ({1}, TypeError)])
def test_what_has_no_canonical_form_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        fingerprint(value=value)


def test_code_is_named_by_modules_and_by_definitions() -> None:
    names = [
        "w2vspark.storage.globs",
        "w2vspark.storage.uris",
        "w2vspark.storage.uris.join",
        "w2vspark.storage.uris.split_uri",
    ]
    assert len({code_fingerprint(*names), *map(code_fingerprint, names)}) == 5
    assert code_fingerprint("w2vspark.storage.uris.join") == code_of(uris.join)
    assert code_fingerprint(*names) == code_fingerprint(*reversed(names))


@pytest.mark.parametrize("name", ["w2vspark.storage.uris.nothing", "w2vspark.nothing"])
def test_a_name_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        code_fingerprint(name)


def test_a_maker_must_be_a_function_of_a_module_with_source() -> None:
    with pytest.raises(ValueError, match="has no source file"):
        code_of(len)


MAKERS = """
from toys.parts import helper
def make(run): return helper(run)
def other(run): return {}
"""


def test_code_of_other_packages_counts_with_what_it_uses_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "toys").mkdir()
    program = (
        "from w2vspark.fingerprints.fingerprint import code_of; import toys.makers as m; "
        "print(code_of(m.make), code_of(m.other))"
    )

    def found(helper: str) -> list[str]:
        for name, text in (("__init__", ""), ("makers", MAKERS), ("parts", helper)):
            (tmp_path / "toys" / f"{name}.py").write_text(text)
        environment = {"PYTHONPATH": f"{PACKAGE.parent}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run([sys.executable, "-c", program], env=environment, cwd="/", capture_output=True)
        return run.stdout.decode().split() or [run.stderr.decode()]

    first, commented, changed = map(
        found, ("def helper(run): return 1", "def helper(run): return 1  # one", "helper = 2")
    )
    assert first == commented and first[0] != changed[0] and first[1] == changed[1]


def test_the_version_of_a_library_that_is_not_installed_is_empty() -> None:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = library_versions(["numpy", "no-such-package"])
    assert found == {"python": python, "no-such-package": "", "numpy": np.__version__}


PROGRAM = "import w2vspark.fingerprints.fingerprint as f; print(f.__file__, f.package_fingerprint())"


def elsewhere(path: Path) -> list[str]:
    """Where a package at a path was loaded from, and its fingerprint."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], env={"PYTHONPATH": str(path)}, cwd="/", capture_output=True)
    return run.stdout.decode().split() or [run.stderr.decode()]


def test_the_package_has_the_fingerprint_of_its_code_wherever_it_lies(tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "w2vspark"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        for file in sorted(copy.rglob("*.py")):
            archive.write(file, file.relative_to(copy.parent))
    where, packed = elsewhere(tmp_path / "code.zip")
    assert "code.zip" in where and packed == package_fingerprint()
    (copy / "base" / "notes.txt").write_text("x")
    assert elsewhere(copy.parent)[1] == packed
    with (copy / "base" / "errors.py").open("a") as file:
        file.write("# a comment")
    commented = elsewhere(copy.parent)[1]
    (copy / "vectors" / "new.py").write_text("x = 1")
    assert len({packed, commented, elsewhere(copy.parent)[1]}) == 3


PROGRAM_OF_A_MAKER = """
from w2vspark.fingerprints.fingerprint import code_fingerprint
print(code_fingerprint("w2vspark.methods.word2vec.family.make_rounds"))
"""


def test_code_has_the_same_fingerprint_in_every_process() -> None:
    def found(hash_seed: str) -> str:  # on which the order of Python's sets depends
        environment = {"PYTHONPATH": str(PACKAGE.parent), "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", PROGRAM_OF_A_MAKER], env=environment, capture_output=True)
        return run.stdout.decode().strip() or run.stderr.decode()

    assert found("1") == found("2") == code_fingerprint("w2vspark.methods.word2vec.family.make_rounds")


def test_all_code_is_read_in_well_below_a_second() -> None:
    definitions.cache_clear()
    began = time.process_time()
    for module in module_files():
        definitions(module)
    assert time.process_time() - began < 1.5, "0.5 s on an idle machine"
