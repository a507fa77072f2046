"""Intermediate tables: whole or not there."""

from pathlib import Path

import pytest

from w2vspark.base import staging
from w2vspark.base.errors import OutputError


def test_a_table_is_found_only_once_its_record_is_written(tmp_path: Path) -> None:
    output = str(tmp_path)
    folder = Path(staging.table_path(output, "encoded", "f1"))
    assert folder == tmp_path / "staging" / "encoded" / "f1"
    assert staging.find(output, "encoded", "f1") is None
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_text("x")
    assert staging.find(output, "encoded", "f1") is None
    staging.complete(output, "encoded", "f1", {"rows": 3, "seconds": 0.5})
    assert staging.find(output, "encoded", "f1") == {"rows": 3, "seconds": 0.5}
    assert staging.find(output, "encoded", "f2") is None
    assert staging.find(output, "vocabulary", "f1") is None


def test_only_the_wanted_making_of_a_table_stays(tmp_path: Path) -> None:
    output = str(tmp_path)
    for table, name in (("encoded", "f1"), ("encoded", "f2"), ("encoded", "f3"), ("vocabulary", "f1")):
        staging.complete(output, table, name, {})
    staging.discard_others(output, "encoded", "f2")
    staging.discard_others(output, "tokens", "f2")
    assert sorted(path.name for path in (tmp_path / "staging" / "encoded").iterdir()) == ["f2"]
    assert staging.find(output, "vocabulary", "f1") == {}
    staging.discard(output, "encoded", "f2")
    staging.discard(output, "encoded", "f2")
    assert list((tmp_path / "staging" / "encoded").iterdir()) == []


def test_a_table_loses_its_record_before_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging.complete(str(tmp_path), "encoded", "f1", {})

    def killed(uri: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(staging.storage, "delete_folder", killed)
    with pytest.raises(KeyboardInterrupt):
        staging.discard(str(tmp_path), "encoded", "f1")
    assert staging.find(str(tmp_path), "encoded", "f1") is None


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_damaged_record_is_named_with_the_fix(tmp_path: Path, text: str) -> None:
    staging.complete(str(tmp_path), "encoded", "f1", {})
    (tmp_path / "staging" / "encoded" / "f1" / "_record.json").write_text(text)
    with pytest.raises(OutputError, match=r"f1/_record\.json: .*delete its folder"):
        staging.find(str(tmp_path), "encoded", "f1")
