"""Writes under a condition: exactly one of several writers, and errors that name the fix."""

import errno
import importlib.util
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pyarrow.fs as pafs
import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError, PermissionDeniedError

from w2vspark import storage
from w2vspark.base.errors import EnvironmentFailure, OutputError
from w2vspark.output import current
from w2vspark.output.claims import Claim
from w2vspark.output.current import read_current_bytes, replace_on_disk
from w2vspark.storage import conditional, files
from w2vspark.storage.conditional import Conflict, ObjectVersion, Store, create_file, is_store


@pytest.fixture
def store(bucket: str) -> Store:
    return Store(f"{bucket}/some folder/ö#1")


def outcomes(write: Callable[[int], object], writers: int = 6) -> list[int]:
    """The writers that succeeded, all of which began at once."""
    gate, won = threading.Barrier(writers), []

    def run(number: int) -> None:
        gate.wait()
        try:
            write(number)
        except Conflict:
            return
        won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_an_object_is_created_once_and_arrow_finds_it(store: Store) -> None:
    store.create("claims/000001.json", b"a")
    with pytest.raises(Conflict):
        store.create("claims/000001.json", b"b")
    assert storage.read_bytes(storage.join(store.uri, "claims", "000001.json")) == b"a"
    assert store.names("claims") == ["000001.json"]
    assert store.names("nothing") == []


def test_an_object_is_replaced_only_as_it_was_seen(store: Store) -> None:
    first = store.create("x", b"a")
    second = store.replace("x", b"b", first)
    with pytest.raises(Conflict):
        store.replace("x", b"c", first)
    assert store.read("x") == (b"b", second)
    store.delete("x")
    with pytest.raises(Conflict):
        store.replace("x", b"c", second)
    assert store.read("x") is None
    store.delete("x")


def test_of_many_writers_at_once_one_wins(store: Store) -> None:
    for number in range(20):
        assert len(outcomes(lambda writer, number=number: store.create(f"n{number}", b"%d" % writer))) == 1
        found = store.read(f"n{number}")
        assert found is not None
        seen = found[1]
        assert len(outcomes(lambda writer, n=number, seen=seen: store.replace(f"n{n}", b"new %d" % writer, seen))) == 1


def test_of_many_writers_on_a_disk_one_wins(tmp_path: Path) -> None:
    for number in range(50):
        path = tmp_path / f"n{number}"

        def write(writer: int, path: Path = path) -> None:
            if not create_file(str(path), b"%d" % writer, f"{path}.{writer}"):
                raise Conflict

        won = outcomes(write)
        assert len(won) == 1 and path.read_bytes() == b"%d" % won[0]
    assert len(os.listdir(tmp_path)) == 50


def test_a_write_of_which_the_answer_was_lost_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    really_put = obstore.put

    def put(*arguments: Any, **settings: Any) -> Any:
        really_put(*arguments, **settings)
        raise AlreadyExistsError("the second attempt of a client that heard nothing of its first")

    monkeypatch.setattr(obstore, "put", put)
    made = store.create("x", b"a")
    monkeypatch.undo()
    assert store.read("x") == (b"a", made)


def test_the_conditions_of_a_store_are_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.require_conditions("claims/.try")
    assert store.read("claims/.try") is None
    really_put = obstore.put

    def put(*arguments: Any, mode: Any, **settings: Any) -> Any:
        return really_put(*arguments, **settings)  # as a store that does not know the headers

    monkeypatch.setattr(obstore, "put", put)
    with pytest.raises(OutputError, match=r"no conditional writes.*output\.single_writer = true"):
        store.require_conditions("claims/.try")
    assert store.read("claims/.try") is None
    with pytest.raises(OutputError, match="no conditional writes"), Claim(store.uri):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        NotSupportedError("no"),
        GenericError("Generic S3 error: Server returned non-2xx status code: 501 Not Implemented"),
    ],
)
def test_a_store_without_conditions_is_refused(bucket: str, monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    def put(*_: Any, **__: Any) -> None:
        raise answer

    monkeypatch.setattr(obstore, "put", put)
    with pytest.raises(OutputError, match=r"no conditional writes.*output\.single_writer = true"), Claim(f"{bucket}/o"):
        pass


def test_without_obstore_a_store_is_refused_before_anything_is_written(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "obstore" else really_find(name))
    with pytest.raises(OutputError, match=r"pip install 'w2vspark\[stores\]', or set output\.single_writer = true"):
        Claim(f"{bucket}/out").__enter__()
    assert storage.list_names(bucket) == []
    with Claim(f"{bucket}/out", single_writer=True) as claim:
        claim.replace_current("text")
    assert read_current_bytes(f"{bucket}/out").strip() == b"text"


def test_other_troubles_of_a_store_name_the_place(store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFailure, match="no-such-bucket"):
        Store("s3://no-such-bucket/out").create("x", b"")

    def put(*_: Any, **__: Any) -> None:
        raise PermissionDeniedError("denied\n\nDebug source: …")

    monkeypatch.setattr(obstore, "put", put)
    with pytest.raises(EnvironmentFailure, match=r"ö#1/x: cannot be used \(denied\); check the path"):
        store.create("x", b"")


def test_s3a_and_s3_are_one_store(bucket: str) -> None:
    Store(f"{bucket}/out").create("x", b"a")
    other = Store(bucket.replace("s3://", "s3a://") + "/out")
    assert other.read("x") is not None
    assert is_store(other.uri) and not is_store("/lake/out")


def test_hdfs_needs_a_single_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hdfs_in(tmp_path, monkeypatch)
    with pytest.raises(OutputError, match=r"hdfs has no conditional writes.*output\.single_writer = true"):
        Claim("hdfs://lake/out").__enter__()
    assert os.listdir(tmp_path) == []
    with Claim("hdfs://lake/out", single_writer=True) as claim:
        for text in ("first", "second"):
            claim.replace_current(text)
            assert read_current_bytes("hdfs://lake/out") == text.encode()


def test_a_reader_on_hdfs_waits_for_current_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hdfs_in(tmp_path, monkeypatch)
    with pytest.raises(FileNotFoundError):  # at once: nothing was ever published there
        read_current_bytes("hdfs://lake/out")
    (tmp_path / "versions").mkdir(parents=True)
    late = threading.Timer(0.5, (tmp_path / "current.json").write_text, ["text"])
    late.start()
    assert read_current_bytes("hdfs://lake/out") == b"text"
    late.join()
    (tmp_path / "current.json").unlink()
    monkeypatch.setattr(current, "HDFS_GAP_SECONDS", 0.2)
    with pytest.raises(FileNotFoundError):
        read_current_bytes("hdfs://lake/out")


def test_a_failed_promotion_on_a_disk_leaves_no_draft(tmp_path: Path) -> None:
    def check() -> None:
        assert (tmp_path / ".current.000003").read_text() == "text"
        raise OutputError("lost")

    with pytest.raises(OutputError, match="lost"):
        replace_on_disk(str(tmp_path), 3, "text", check)
    assert os.listdir(tmp_path) == []


def test_a_promotion_of_which_the_draft_is_gone_was_taken_over(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"taken over this output; this run stops and publishes nothing"):
        replace_on_disk(str(tmp_path), 3, "text", (tmp_path / ".current.000003").unlink)
    assert os.listdir(tmp_path) == []


def test_a_disk_without_links_is_told_apart_from_other_troubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Callable[[str, str], None]:
        def link(draft: str, path: str) -> None:
            raise OSError(number, os.strerror(number))

        return link

    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    with pytest.raises(OutputError, match=r"no hard links .*output\.single_writer = true"):
        create_file(str(tmp_path / "x"), b"", str(tmp_path / "draft"))
    monkeypatch.setattr(os, "link", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        create_file(str(tmp_path / "x"), b"", str(tmp_path / "draft"))
    assert os.listdir(tmp_path) == []


def test_an_unknown_part_of_what_identifies_a_content_is_left_out() -> None:
    assert ObjectVersion('"e"', None).condition() == {"e_tag": '"e"'}
    assert ObjectVersion(None, "7").condition() == {"version": "7"}


def hdfs_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes hdfs://lake/out this folder, on a file system that cannot move onto a file."""
    local = pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem())

    class Named:
        type_name = "hdfs"

        def __getattr__(self, name: str) -> Any:
            return getattr(local, name)

        def move(self, source: str, target: str) -> None:
            assert not (folder / target.lstrip("/")).exists()
            local.move(source, target)

    really = storage.filesystem

    def filesystem(uri: str) -> Any:
        if uri.startswith("hdfs://lake/out"):
            return Named(), uri.removeprefix("hdfs://lake/out").strip("/")
        return really(uri)

    for module in (storage, files, conditional):
        monkeypatch.setattr(module, "filesystem", filesystem)
