"""Files, listings and Parquet tables; remote stores are played by a folder behind a bucket's name."""

import glob
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from outputs import flip_bit

from w2vspark import storage
from w2vspark.base.errors import EnvironmentFailure, InputError, OutputError
from w2vspark.storage import deletion, uris


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """s3a://lake/… is tmp_path/lake/…"""
    (tmp_path / "lake").mkdir()
    remote = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    monkeypatch.setattr(uris, "_remote", lambda base: (remote, base.removeprefix("s3a://")))
    yield tmp_path / "lake"


ANY = re.compile(".*")


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def listed(pattern: str, root: Path) -> list[str]:
    return [os.path.relpath(file.uri, root) for file in storage.list_files(pattern)]


def test_local_paths_become_absolute_and_remote_ones_stay_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    assert storage.absolute_uri("a/../b") == str(tmp_path / "b")
    assert storage.absolute_uri("~/x") == "/home/ann/x"
    assert storage.absolute_uri("file:///x/y") == storage.absolute_uri("file:/x/y") == "/x/y"
    assert storage.absolute_uri("file://localhost/x") == "/x"
    assert storage.absolute_uri("s3a://bucket/k/") == "s3a://bucket/k/"
    assert storage.absolute_uri("a:b") == str(tmp_path / "a:b"), "a colon in a name is no scheme"
    with pytest.raises(EnvironmentFailure, match="cannot name the host 'nas'; write file:///x"):
        storage.absolute_uri("file://nas/x")


def test_a_cloud_uri_is_served_by_its_own_file_system_with_the_bucket_in_the_path() -> None:
    found, path = storage.filesystem("gs://bucket/a key/[1].txt")
    assert (found.type_name, path) == ("gcs", "bucket/a key/[1].txt")
    found, path = storage.filesystem("abfss://box@account.dfs.core.windows.net/a/b")
    assert (found.type_name, path) == ("abfs", "box/a/b")


def test_s3a_and_s3n_mean_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    uris._remote.cache_clear()
    monkeypatch.setattr(uris, "pafs", FakeModule(asked))
    for scheme in ("s3", "s3a", "s3n"):
        assert storage.filesystem(f"{scheme}://b/k/")[1] == "b/k"
    uris._remote.cache_clear()
    assert asked == ["s3://b/"] * 3


class FakeModule:
    """pyarrow.fs with a from_uri that needs no network."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked
        self.FileSystem = self

    def from_uri(self, uri: str) -> tuple[pafs.FileSystem, str]:
        self.asked.append(uri)
        return pafs.LocalFileSystem(), "b"


@pytest.mark.parametrize("uri", ["wasbs://box@account/x", "dbfs:/mnt/x", "ftp://host/x"])
def test_an_unknown_scheme_is_an_error_that_lists_the_supported_ones(uri: str) -> None:
    with pytest.raises(EnvironmentFailure, match=r"not supported.*local paths.*abfss://.*gs://.*hdfs://.*s3a://"):
        storage.filesystem(uri)


def test_the_parent_of_a_place_is_the_folder_that_it_is_in() -> None:
    for uri, parent in (("/a/b", "/a"), ("file:///a/b/", "/a"), ("s3a://bucket/a/b/", "s3a://bucket/a")):
        assert storage.parent(uri) == parent
    assert storage.parent("s3a://bucket/a") == storage.parent("s3a://bucket") == "s3a://bucket"


def test_a_flipped_bit_is_found_by_the_checksum_of_its_page(tmp_path: Path) -> None:
    file = tmp_path / "part-0.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), file, write_page_checksum=True)
    flip_bit(file, 0)
    assert storage.count_rows(str(tmp_path)) == 1000, "the footer is whole"
    for read in (storage.read_table, lambda uri: list(storage.scan_table(uri))):
        for place in (file, tmp_path):
            with pytest.raises(OutputError, match="CRC checksum verification failed"):
                read(str(place))


def test_join_puts_one_slash_between_names() -> None:
    assert storage.join("s3a://b/k/", "x", "y/") == "s3a://b/k/x/y"
    assert storage.join("/", "x") == "/x"
    assert storage.join("/a") == "/a"


def test_text_is_written_whole_into_new_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    uri = str(tmp_path / "a" / "b" / "file.json")
    storage.write_text(uri, "old")
    storage.write_text(uri, "neu: ü")
    assert storage.read_text(uri) == "neu: ü"
    assert storage.read_bytes(uri) == "neu: ü".encode()
    assert os.listdir(tmp_path / "a" / "b") == ["file.json"]


def test_a_write_that_fails_leaves_the_old_text_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = str(tmp_path / "file.json")
    storage.write_text(uri, "old")

    def full_disk(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(EnvironmentFailure, match=r"file.json: cannot be used .*No space left"):
        storage.write_text(uri, "new")
    assert storage.read_text(uri) == "old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_missing_file_is_not_found_and_a_missing_folder_is_empty(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        storage.read_text(missing)
    assert not storage.exists(missing)
    assert storage.list_names(missing) == []
    deletion.delete_own(missing, ANY, str(tmp_path))
    deletion.delete_own_file(missing, str(tmp_path))
    deletion.delete_empty_folder(missing)
    storage.delete_file(missing)
    assert storage.file_sizes(missing) == {} and storage.list_folders(missing) == []


def test_names_and_deletion_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, "t/b", "t/a", "t/sub/ccc", "other")
    uri = str(tmp_path / "t")
    assert storage.list_names(uri) == ["a", "b", "sub"]
    assert storage.list_folders(uri) == ["sub"] and storage.file_sizes(uri) == {"a": 3, "b": 3}
    deletion.delete_own(uri, re.compile("b|c+"), str(tmp_path))
    assert storage.list_names(uri) == ["a"], "what has another name stays"
    deletion.delete_own(uri, ANY, str(tmp_path))
    assert os.listdir(tmp_path) == ["other"]


def test_a_file_moves_whole(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    storage.move_file(str(tmp_path / "a"), str(tmp_path / "sub" / "b"))
    assert os.listdir(tmp_path) == ["sub"] and os.listdir(tmp_path / "sub") == ["b"]


def test_a_remote_store_reads_writes_and_lists_under_the_uri_that_was_given(bucket: Path) -> None:
    storage.write_text("s3a://lake/k/one.txt", "1")
    fill(bucket, "k/two.txt", "k/_hidden.txt", "k/sub/three.txt")
    assert (bucket / "k/one.txt").read_text() == storage.read_text("s3a://lake/k/one.txt") == "1"
    below = ["s3a://lake/k/one.txt", "s3a://lake/k/sub/three.txt", "s3a://lake/k/two.txt"]
    for pattern in ("s3a://lake/k", "s3a://lake", "s3a://lake/", "s3a://lake/*"):
        assert [file.uri for file in storage.list_files(pattern)] == below, pattern
    assert [file.uri for file in storage.list_files("s3a://lake/{k,q}/t*.txt")] == ["s3a://lake/k/two.txt"]
    assert storage.list_names("s3a://lake/k") == ["_hidden.txt", "one.txt", "sub", "two.txt"]
    deletion.delete_own("s3a://lake/k", re.compile(r"one\.txt|three\.txt"), "s3a://lake")
    assert sorted(file.name for file in (bucket / "k").rglob("*.txt")) == ["_hidden.txt", "two.txt"]
    deletion.delete_own("s3a://lake/k", ANY, "s3a://lake")
    assert not (bucket / "k").exists()


def test_a_listing_carries_size_and_modification_time(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    os.utime(tmp_path / "a.txt", ns=(0, 1_234_567_890_123_456_789))
    found = storage.list_files(str(tmp_path / "a.txt"))
    assert found == [storage.InputFile(str(tmp_path / "a.txt"), 5, 1_234_567_890_123_456_789)]


def test_a_folder_is_listed_with_all_below_it_but_without_what_spark_skips(tmp_path: Path) -> None:
    fill(
        tmp_path, "b.txt", "a.txt", "sub/c.txt", "_SUCCESS", ".a.txt.crc", "_logs/x", ".git/y", "_k=1/z", "n._COPYING_"
    )
    assert listed(str(tmp_path), tmp_path) == ["_k=1/z", "a.txt", "b.txt", "sub/c.txt"]


def test_globs_find_what_pythons_glob_finds(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    for _ in range(60):
        fill(tmp_path, "/".join(draw.choice(["a", "b", "ab", "a.b", "b+", "(a)"]) + "x" for _ in range(3)) + ".txt")
    tried = 0
    for _ in range(300):
        parts = ["".join(draw.choices(["a", "b", ".", "*", "?", "[ab]", "[!a]", "x", "+", "("], k=3)) for _ in range(3)]
        if any(part.startswith(".") for part in parts):
            continue  # hidden names are tested elsewhere
        pattern = str(tmp_path / "/".join([*parts[: draw.randint(0, 2)], draw.choice(["*", "*.txt", parts[2] + "*"])]))
        expected = set()
        for match in glob.glob(pattern):
            if os.path.isdir(match):
                expected |= {str(path) for path in Path(match).rglob("*") if path.is_file()}
            else:
                expected.add(match)
        tried += bool(expected)
        found = [file.uri for file in storage.list_files(pattern)] if expected else nothing(pattern)
        assert found == sorted(expected), f"seed {seed}, pattern {pattern}"
    assert tried > 20, f"seed {seed}"


def nothing(pattern: str) -> list[str]:
    with pytest.raises(InputError):
        storage.list_files(pattern)
    return []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{a,b}.txt", ["a.txt", "b.txt"]),
        ("{a,s/{c,d*}}.txt", ["a.txt", "s/c.txt", "s/dd.txt"]),
        ("{a,missing}.txt", ["a.txt"]),
        ("{a,a*}.txt", ["a.txt", "a1.txt"]),
        ("{a,o\\,o,\\}}.txt", ["a.txt", "o,o.txt", "}.txt"]),
        ("[^a].txt", ["b.txt"]),
        ("[!a].txt", ["b.txt"]),
        ("a[0-9].txt", ["a1.txt"]),
        ("?/c.txt", ["s/c.txt"]),
        ("_*", ["_s/c.txt"]),
        ("*/*", ["_s/c.txt", "s/c.txt", "s/dd.txt"]),
        ("\\[x\\].txt", ["[x].txt"]),
        ("\\{x\\}*", ["{x}.txt"]),
        ("**", ["[x].txt", "_s/c.txt", "a.txt", "a1.txt", "b.txt", "s/c.txt", "s/dd.txt", "{x}.txt"]),
    ],
)
def test_globs_follow_hadoop(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    fill(tmp_path, "a.txt", "a1.txt", "b.txt", "s/c.txt", "s/dd.txt", "[x].txt", "{x}.txt", "_a.txt", "_s/c.txt")
    if "o" in pattern:
        fill(tmp_path, "o,o.txt", "}.txt", "o.txt")
    assert listed(f"{tmp_path}/{pattern}", tmp_path) == expected


@pytest.mark.parametrize("pattern", ["a{b", "a{b,{c}", "a[b", "a[]", "a[z-b]"])
def test_a_malformed_glob_is_an_input_error(tmp_path: Path, pattern: str) -> None:
    fill(tmp_path, "a")
    with pytest.raises(InputError, match=r"not closed|not a valid"):
        storage.list_files(f"{tmp_path}/{pattern}")


@pytest.mark.parametrize(
    ("name", "why"), [("missing.txt", "it is not there"), ("*.gz", "nothing matches it"), ("empty", "it holds no file")]
)
def test_a_missing_path_is_one_clear_error(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        storage.list_files(str(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert why in str(caught.value)


def write_parts(folder: Path) -> None:
    """Three files of two rows, written out of order, among what Spark leaves beside them."""
    folder.mkdir()
    for part in (2, 0, 1):
        table = pa.table({"id": [2 * part, 2 * part + 1], "word": [f"w{part}", f"v{part}"]})
        pq.write_table(table, folder / f"part-{part:05}.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-00000.parquet.crc").write_text("x")


def test_a_table_is_read_in_the_order_of_file_names(tmp_path: Path) -> None:
    write_parts(tmp_path / "t")
    uri = str(tmp_path / "t")
    assert storage.read_table(uri).column("id").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert storage.read_table(uri, columns=["word"], filters=[("id", ">", 3)]).to_pydict() == {"word": ["w2", "v2"]}
    assert pa.Table.from_batches(storage.scan_table(uri, ["id"])).column("id").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert storage.read_table(storage.join(uri, "part-00001.parquet")).column("id").to_pylist() == [2, 3]
    assert storage.count_rows(uri) == 6


def test_partition_folders_become_columns_whatever_stands_above_the_table(tmp_path: Path) -> None:
    for bucket in (0, 1):
        folder = tmp_path / "day=3" / "t" / f"bucket={bucket}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"n": [10 + bucket]}), folder / "part-0.parquet")
    table = storage.read_table(str(tmp_path / "day=3" / "t"))
    assert table.to_pydict() == {"n": [10, 11], "bucket": [0, 1]}
    assert storage.read_table(str(tmp_path / "day=3" / "t"), filters=[("bucket", "=", 1)]).num_rows == 1


def test_a_table_that_is_missing_empty_or_damaged_is_an_output_error_with_its_path(tmp_path: Path) -> None:
    write_parts(tmp_path / "t")
    (tmp_path / "none").mkdir()
    (tmp_path / "t" / "part-00001.parquet").write_bytes(b"PAR1 torn")
    for name, why in (("absent", "no such table"), ("none", "holds no Parquet"), ("t", "cannot be read as Parquet")):
        for read in (storage.read_table, storage.count_rows, lambda uri: list(storage.scan_table(uri))):
            with pytest.raises(OutputError, match=why) as caught:
                read(str(tmp_path / name))
            assert str(tmp_path / name) in str(caught.value)
    write_parts(tmp_path / "u")
    with pytest.raises(OutputError, match="vectr"):
        storage.read_table(str(tmp_path / "u"), columns=["vectr"])
