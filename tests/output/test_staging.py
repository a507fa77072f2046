"""Intermediate tables: attempts, and the records that say which of them are whole."""

from pathlib import Path

import pyarrow as pa
import pytest
from held import Held

from w2vspark import storage
from w2vspark.base.errors import DamagedTable, OutputError
from w2vspark.output.staging import Staging
from w2vspark.storage import deletion
from w2vspark.storage.listed import LIST, read_list, write_small


def made(staging: Staging, table: str, fingerprint: str, rows: int = 3) -> str:
    """A whole table of one file; its folder."""
    uri = staging.begin(table, fingerprint)
    write_small(pa.table({"n": range(rows)}), uri)
    staging.complete(uri, {"rows": rows})
    return uri


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(str(tmp_path / "output"), Held())


def test_a_table_is_found_only_once_its_record_is_written(staging: Staging, tmp_path: Path) -> None:
    uri = staging.begin("encoded", "f1")
    write_small(pa.table({"n": [1]}), uri)
    assert staging.find("encoded", "f1") is None
    staging.complete(uri, {"rows": 1, "seconds": 0.5})
    found = staging.find("encoded", "f1")
    assert found is not None and (found.uri, found.record) == (uri, {"rows": 1, "seconds": 0.5})
    assert staging.find("encoded", "f2") is None and staging.find("vocabulary", "f1") is None
    reader = Staging(str(tmp_path / "output")).find("encoded", "f1")  # without a claim
    assert reader == found
    moved = (tmp_path / "output").rename(tmp_path / "elsewhere")  # a record holds no absolute path
    again = Staging(str(moved)).find("encoded", "f1")
    assert again is not None and again.record == found.record


def test_two_attempts_never_share_a_folder_and_either_ones_record_is_good(staging: Staging, tmp_path: Path) -> None:
    late = Staging(str(tmp_path / "output"), Held(8))
    uris = [staging.begin("encoded", "f1"), staging.begin("encoded", "f1"), late.begin("encoded", "f1")]
    assert len(set(uris)) == 3
    assert [uri.rpartition("/")[2][:7] for uri in uris] == ["000007-", "000007-", "000008-"]
    for uri in uris[1:]:
        write_small(pa.table({"n": [1]}), uri)
        late.complete(uri, {"at": uri})
    found = staging.find("encoded", "f1")
    assert found is not None and found.uri == uris[2]
    Path(f"{uris[2]}.json").unlink()
    found = staging.find("encoded", "f1")
    assert found is not None and found.uri == uris[1]


def test_a_run_that_lost_its_claim_declares_begins_and_deletes_nothing(tmp_path: Path) -> None:
    claim = Held()
    staging = Staging(str(tmp_path), claim)
    whole, begun = made(staging, "encoded", "f1"), staging.begin("encoded", "f2")
    claim.lost = True
    for act in (
        lambda: staging.begin("encoded", "f1"),
        lambda: staging.complete(begun, {}),
        lambda: staging.discard("encoded", "f1"),
        lambda: staging.discard_others("encoded", "f2"),
        lambda: staging.discard_attempt(whole),
        lambda: staging.delete_files(whole),
    ):
        with pytest.raises(OutputError, match="taken over"):
            act()
    assert staging.find("encoded", "f1") is not None and not Path(f"{begun}.json").exists()
    with pytest.raises(ValueError, match="holds no claim"):
        Staging(str(tmp_path)).begin("encoded", "f1")


@pytest.mark.parametrize("damage", ["list gone", "file gone", "file cut", "record", "attempt gone"])
def test_a_table_with_missing_files_is_none(damage: str, staging: Staging) -> None:
    folder = Path(made(staging, "encoded", "f1"))
    file = folder / read_list(str(folder))[0]["file"]
    if damage == "list gone":
        (folder / LIST).unlink()
    elif damage == "file gone":
        file.unlink()
    elif damage == "file cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "record":
        record = folder.with_name(f"{folder.name}.json")
        record.write_text(record.read_text().replace("3", "4"))
    else:
        storage.filesystem(str(folder))[0].delete_dir(str(folder))
    assert staging.find("encoded", "f1") is None


def test_a_record_may_name_files_elsewhere_and_outlive_its_files(staging: Staging) -> None:
    round_1, round_2 = made(staging, "rounds/f1", "000001"), made(staging, "rounds/f1", "000002")
    last = staging.begin("rounds", "f1")
    staging.complete(last, {"parameters": staging.relative(round_2)}, [round_2])
    found = staging.find("rounds", "f1")
    assert found is not None and staging.absolute(found.record["parameters"]) == round_2
    staging.discard("rounds/f1", "000001", keep_records=True)
    assert not Path(round_1).exists()
    assert staging.find("rounds/f1", "000001") is None and staging.record("rounds/f1", "000001") == {"rows": 3}
    staging.discard("rounds/f1", "000002")
    assert staging.record("rounds/f1", "000002") is None and staging.find("rounds", "f1") is None
    staging.discard("rounds", "f1")
    assert list(Path(round_1).parents[2].iterdir()) == []


def test_the_last_round_stays_alone(staging: Staging) -> None:
    rounds = [made(staging, "rounds/f1", f"{number:06}") for number in (1, 2, 3)]
    last = staging.begin("rounds", "f1")
    staging.complete(last, {}, [rounds[1]])
    staging.discard_rest("rounds", "f1", rounds[1])
    assert [Path(uri).exists() for uri in rounds] == [False, True, False]
    assert staging.find("rounds", "f1") is not None and staging.record("rounds/f1", "000003") is None


def test_other_makings_and_unfinished_attempts_go_and_all_else_stays(staging: Staging, tmp_path: Path) -> None:
    kept, other = made(staging, "rounds/f2", "000001"), made(staging, "rounds/f1", "000001")
    unfinished = staging.begin("rounds/f2", "000002")
    write_small(pa.table({"n": [1]}), unfinished)
    table = made(staging, "vocabulary", "f1")
    parent = tmp_path / "output" / "staging" / "rounds"
    foreign = [
        parent / "mine" / "notes.txt",
        parent / "f1" / "notes.txt",
        Path(other) / "notes.txt",
        parent / "20240131",
    ]
    for file in foreign:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    staging.discard_others("rounds", "f2")
    assert all(file.read_text() == "mine" for file in foreign)
    assert not Path(unfinished).exists() and staging.find("rounds/f1", "000001") is None
    assert [path.name for path in Path(other).iterdir()] == ["notes.txt"]
    assert Path(kept).exists() and staging.find("rounds/f2", "000001") is not None and Path(table).exists()


@pytest.mark.parametrize("link", ["staging", "staging/encoded", "staging/encoded/f1", "attempt", "within"])
def test_nothing_is_deleted_through_a_link(link: str, tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    staging = Staging(str(output), Held())
    uri = Path(made(staging, "encoded", "f1"))
    (uri / "part").mkdir()
    write_small(pa.table({"n": [1]}), str(uri / "part"))
    place = {"attempt": uri, "within": uri / "part"}.get(link, output / link)
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = sorted(str(path) for path in elsewhere.rglob("*") if path.is_file())
    staging.discard("encoded", "f1")
    after = sorted(str(path) for path in elsewhere.rglob("*") if path.is_file())
    assert place.is_symlink()
    assert after == before
    assert staging.find("encoded", "f1") is None  # this run makes it again, all the same


def test_a_table_loses_its_record_before_its_files(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = made(staging, "encoded", "f1")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deletion, "delete_own", killed)
    with pytest.raises(KeyboardInterrupt):
        staging.discard("encoded", "f1")
    assert staging.find("encoded", "f1") is None and (Path(uri) / LIST).exists()


def test_the_attempt_that_an_error_is_about(staging: Staging, tmp_path: Path) -> None:
    uri = made(staging, "rounds/f1", "000001")
    for text in (f"{uri}: is missing", f"{uri}/changes/00001-{'0' * 32}.arrow: a batch is missing"):
        assert staging.damaged(DamagedTable(text)) == uri
    for text in (f"{tmp_path}/other/staging/encoded/f1/000001-01234567: x", "vectors/000001: x", f"about {uri}: x"):
        assert staging.damaged(DamagedTable(text)) is None


@pytest.mark.parametrize("place", ["staging/out", "my out", "000001-01234567/out", "out"])
def test_the_attempt_that_an_error_is_about_is_found_wherever_the_output_stands(place: str, tmp_path: Path) -> None:
    staging = Staging(str(tmp_path / place), Held())
    for table, fingerprint in (("encoded", "f1"), ("rounds/f1", "000001")):
        uri = made(staging, table, fingerprint)
        assert staging.damaged(DamagedTable(f"{uri}/part-1.parquet: is missing")) == uri
