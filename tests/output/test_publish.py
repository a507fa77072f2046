"""What readers find in an output folder: the version that current.json names, whole, for their whole life."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output import candidates, versions
from w2vspark.output.publish import find_version, read_current, resolve
from w2vspark.storage.listed import ROWS, NewFile, write_list


class Held:
    """A claim that is never lost."""

    def __init__(self, output: Path) -> None:
        self.output, self.run_id = output, "r1"
        self.term = 1 + max([0, *(int(path.name) for path in output.glob("versions/0*"))])

    def check(self) -> None:
        pass

    def replace_current(self, text: str) -> None:
        (self.output / "current.json").write_text(text)


def publish_next(output: Path, rows: int = 3) -> str:
    """Publishes a version of two tables of two files each; returns its name."""
    claim, parts = Held(output), []
    for table in ("vectors", "vocabulary"):
        uri, files = str(output / "staging" / table / str(claim.term)), []
        for first, last in ((0, 1), (1, rows)):
            with NewFile(uri, "part", pa.schema({"id": pa.int64()})) as file:
                file.write(pa.table({"id": range(first, last)}))
            files.append({"matrix": ROWS, "first_id": first, "rows": file.rows, **file.listed()})
        write_list(uri, files)
        parts.append(candidates.StagedTable(table, uri))
    name = candidates.write_candidate(str(output), claim, parts, {"run_id": claim.run_id}, "")
    versions.promote(str(output), claim, name)
    return name


def manifest_of(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "versions" / "000001" / "manifest.json").read_text())
    return found


def rows_seen(output: Path) -> int:
    return int(storage.read_table(resolve(str(output)).table("vectors")).num_rows)


def test_a_published_version_is_what_readers_find(tmp_path: Path) -> None:
    assert read_current(str(tmp_path)) is None
    assert publish_next(tmp_path) == "000001"
    current = read_current(str(tmp_path))
    assert current is not None
    assert current["published"].endswith("+00:00")
    assert {key: current[key] for key in current if key != "published"} == {
        "version": "000001",
        "path": "versions/000001",
        "run_id": "r1",
        "tables": {"vectors": 3, "vocabulary": 3},
    }
    version = resolve(str(tmp_path))
    assert (version.folder, version.name, version.run_id) == (f"{tmp_path}/versions/000001", "000001", "r1")
    assert version.manifest == manifest_of(tmp_path)
    assert publish_next(tmp_path, rows=5) == "000002"
    assert rows_seen(tmp_path) == 5


def test_a_versions_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_next(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert resolve(tmp_path.name).folder == f"{tmp_path}/versions/000001"


@pytest.mark.parametrize(
    ("make", "why"), [(True, "has no published version;"), (False, "is not there; check the path, or")]
)
def test_an_output_without_a_version_says_how_to_make_one(tmp_path: Path, make: bool, why: str) -> None:
    output = tmp_path / "out"
    if make:
        output.mkdir()
    assert find_version(str(output)) is None
    with pytest.raises(OutputError, match=f"out: {why} make one with w2vspark run"):
        resolve(str(output))


def test_the_parent_of_an_output_names_the_output(tmp_path: Path) -> None:
    publish_next(tmp_path / "vectors")
    with pytest.raises(OutputError, match=r"has no published version; did you mean .*/vectors\?"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "000001"}', "\udcff"])
def test_a_damaged_current_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputError, match=r"current\.json: (is not JSON|lacks)"):
        read_current(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("version", "abc", 'version is "abc", not a name as "000001"'),
        ("version", 1, "version is 1, not a name"),
        ("path", 5, "path is 5, not a text"),
        ("path", "", 'path is "", not a text'),
        ("tables", ["vectors"], 'tables is ["vectors"], not an object of names and numbers'),
        ("tables", {"vectors": "3"}, 'tables is {"vectors": "3"}, not an object'),
        ("run_id", None, "run_id is null, not a text"),
        ("version", "9" * 5000, 'version is "999'),
        ("rolled_back", {"from": "000001"}, 'rolled_back is {"from": "000001"}, not an object as'),
        ("rolled_back", {"requests": []}, "rolled_back is"),
        ("rolled_back", {"from": "000001", "requests": [1]}, "rolled_back is"),
    ],
)
def test_a_current_json_of_wrong_types_is_named_with_the_key_and_the_fix(
    tmp_path: Path, key: str, value: object, expected: str
) -> None:
    publish_next(tmp_path)
    file = tmp_path / "current.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    for read in (read_current, resolve):
        with pytest.raises(OutputError) as caught:
            read(str(tmp_path))
        assert str(caught.value).startswith(f"{file}: {expected}")
        assert str(caught.value).endswith(f"promote {tmp_path} VERSION (if it has no whole version, delete this file)")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tables", ["vectors"]),
        ("tables", {"vectors": None}),
        ("fingerprints", []),
        ("fingerprints", {"vectors": 1}),
        ("config", {"subwords": 5}),
        ("corpus", "none"),
        ("vocabulary", 7),
        ("run_id", 3),
        ("files", []),
        ("files", {"vectors": {}}),
        ("files", {"vectors": [{"file": "../x.parquet", "size": 9, "rows": 3, "crc32": 1}]}),
        ("files", {"..": [{"file": "x.parquet", "size": 9, "rows": 3, "crc32": 1}]}),
        ("files", {"vectors": [{"file": "part-00000.parquet", "size": "9", "rows": 3, "crc32": 1}]}),
    ],
)
def test_a_manifest_of_wrong_types_is_named_with_the_key_and_the_fix(tmp_path: Path, key: str, value: object) -> None:
    publish_next(tmp_path)
    file = tmp_path / "versions" / "000001" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(OutputError, match=rf"000001/manifest\.json: {key} is .*, not .*; run the command again"):
        resolve(str(tmp_path))


def test_a_version_without_its_manifest_is_named(tmp_path: Path) -> None:
    publish_next(tmp_path)
    (tmp_path / "versions" / "000001" / "manifest.json").unlink()
    with pytest.raises(OutputError, match=r"000001/manifest\.json: is missing"):
        resolve(str(tmp_path))


def test_a_version_is_found_by_its_own_folder_too(tmp_path: Path) -> None:
    publish_next(tmp_path)
    first = resolve(str(tmp_path))
    publish_next(tmp_path, rows=5)
    assert resolve(f"file://{first.folder}/") == first != resolve(str(tmp_path))
    assert len({first, resolve(first.folder), resolve(str(tmp_path))}) == 2, "a version is a key for caches"
    with pytest.raises(OutputError, match=r"/versions/000009: there is no published version .*w2vspark rollback "):
        resolve(f"{tmp_path}/versions/000009")


def test_a_versions_tables_have_the_rows_that_its_manifest_says(tmp_path: Path) -> None:
    publish_next(tmp_path)
    version = resolve(str(tmp_path))
    assert version.table("vectors") == f"{version.folder}/vectors"
    assert version.files("vectors", "none") == tuple(
        f"vectors/{file['file']}:{file['crc32']}" for file in version.manifest["files"]["vectors"]
    )
    with pytest.raises(OutputError, match="this version has no table 'context'; it has vectors, vocabulary"):
        version.table("context")
    Path(version.folder, "vectors", "part-00001.parquet").unlink()
    with pytest.raises(
        OutputError,
        match=r"vectors: part-00001\.parquet is missing or is not .*; run the command again.*w2vspark rollback ",
    ):
        version.table("vectors")


def test_a_manifest_of_another_shape_is_named(tmp_path: Path) -> None:
    publish_next(tmp_path)
    for text, why in (
        ('{"run_id": "r1"}', "lacks files, run_id, tables"),
        ('{"run_id": "r", "tables": [], "files": {}}', "tables is .*, not an object"),
        ('{"run_id": "r", "tables": {"vectors": 3}, "files": {}}', "files and tables name different tables"),
    ):
        (tmp_path / "versions" / "000001" / "manifest.json").write_text(text)
        with pytest.raises(OutputError, match=rf"manifest\.json: .*{why}.*w2vspark rollback {tmp_path}"):
            resolve(str(tmp_path))


def test_a_table_with_the_columns_of_a_newer_release_is_refused_and_its_neighbours_are_read(tmp_path: Path) -> None:
    publish_next(tmp_path)
    path = tmp_path / "versions" / "000001" / "manifest.json"
    manifest = manifest_of(tmp_path)
    path.write_text(json.dumps(manifest | {"schema_versions": {"vectors": 99, "vocabulary": 1}}))
    with pytest.raises(OutputError, match=r"/vectors: its columns have schema version 99, .* reads up to 1; use"):
        resolve(str(tmp_path)).table("vectors")
    assert resolve(str(tmp_path)).table("vocabulary").endswith("/vocabulary")
    path.write_text(json.dumps(manifest))  # of a release before schema versions
    assert rows_seen(tmp_path) == 3


def test_a_reader_hears_of_a_version_that_changed_while_it_read(tmp_path: Path) -> None:
    publish_next(tmp_path)
    version = resolve(str(tmp_path))
    with version.reading("read again"):
        publish_next(tmp_path, rows=5)  # another version changes nothing
    with pytest.raises(ValueError, match="the reader's own"), version.reading("read again"):
        raise ValueError("the reader's own")
    manifest = Path(version.folder, "manifest.json")
    with pytest.raises(OutputError, match="version 000001 was replaced by run r2"), version.reading("read again"):
        manifest.write_text(json.dumps(manifest_of(tmp_path) | {"run_id": "r2"}))
    manifest.unlink()
    with pytest.raises(OutputError, match=r"000001 was deleted .*; read again"), version.reading("read again"):
        raise FileNotFoundError(manifest)
