"""Fingerprints: the same for the same making, another for any change."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import w2vspark
from w2vspark.base.config import TokensConfig
from w2vspark.base.fingerprint import code_fingerprint, fingerprint, source_fingerprint

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


def copied(tmp_path: Path) -> Path:
    target = tmp_path / "w2vspark"
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_code_counts_where_tables_are_made_and_nowhere_else(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    before = source_fingerprint(copy)
    (copy / "vectors" / "__init__.py").write_text("x = 1")
    (copy / "__pycache__").mkdir()
    (copy / "base" / "notes.txt").write_text("x")
    assert source_fingerprint(copy) == before
    (copy / "kernels" / "deeper").mkdir()
    (copy / "kernels" / "deeper" / "new.py").write_text("")
    added = source_fingerprint(copy)
    (copy / "kernels" / "deeper" / "new.py").rename(copy / "kernels" / "deeper" / "other.py")
    renamed = source_fingerprint(copy)
    with (copy / "base" / "errors.py").open("a") as file:
        file.write("#")
    assert len({before, added, renamed, source_fingerprint(copy)}) == 4


def test_the_same_code_in_a_zip_has_the_same_fingerprint(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        for file in sorted(copy.rglob("*.py")):
            archive.write(file, file.relative_to(tmp_path))
    program = "import w2vspark.base.fingerprint as f; print(f.__file__, f.code_fingerprint())"
    environment = {"PYTHONPATH": str(tmp_path / "code.zip")}
    run = subprocess.run([sys.executable, "-c", program], env=environment, cwd="/", capture_output=True, text=True)
    file, found = run.stdout.split()
    assert "code.zip" in file, run.stderr
    assert found == source_fingerprint(copy)
    assert len(code_fingerprint()) == 16
