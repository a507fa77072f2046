"""Versions: candidates, promotion, retention; and that nothing of anybody else's is touched."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from version_cases import Held, candidate, current, names, published, staged

from w2vspark import storage
from w2vspark.base.errors import DamagedTable, OutputError
from w2vspark.output import versions
from w2vspark.output.candidates import StagedTable, write_candidate
from w2vspark.output.versions import CHECKED, HELD, WRITING
from w2vspark.storage import deletion
from w2vspark.storage.listed import read_list


def test_a_candidate_has_its_files_and_nothing_else_and_is_not_current(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 3)
    folder = tmp_path / "versions" / "000003"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["manifest.json", "vectors/part-00000.parquet", "vocabulary/part-00000.parquet"]
    assert pq.read_table(folder / "vectors")["n"].to_pylist() == [0, 1, 2]
    assert read_list(str(tmp_path / "staging" / "vocabulary-3"))  # copied; the other was moved
    assert not list((tmp_path / "staging" / "vectors-3").glob("*.parquet"))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["tables"] == {"vectors": 3, "vocabulary": 3} and manifest["candidate"] == CHECKED
    assert not (tmp_path / "current.json").exists()

    versions.promote(str(tmp_path), claim, "000003")
    assert current(tmp_path) | {"published": ""} == {
        "version": "000003", "path": "versions/000003", "published": "", "run_id": "run3",
        "tables": {"vectors": 3, "vocabulary": 3}, "request": "r",
    }  # fmt: skip
    assert "candidate" not in json.loads((folder / "manifest.json").read_text())


def test_a_candidate_whose_files_are_not_what_was_written_leaves_nothing(tmp_path: Path) -> None:
    claim, uri = Held(tmp_path, 3), staged(tmp_path, "vectors")
    file = tmp_path / "staging" / "vectors" / read_list(uri)[0]["file"]
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    with pytest.raises(OutputError, match=r"vectors/part-00000\.parquet is not what was written"):
        write_candidate(str(tmp_path), claim, [StagedTable("vectors", uri)], {"run_id": "r"}, CHECKED)
    assert names(tmp_path) == []


def test_a_staged_file_that_is_missing_is_a_damaged_table(tmp_path: Path) -> None:
    for copy in (False, True):
        uri = staged(tmp_path, f"vectors-{copy}")
        (tmp_path / "staging" / f"vectors-{copy}" / read_list(uri)[0]["file"]).unlink()
        with pytest.raises(DamagedTable, match=rf"{uri}/part-\w+\.parquet: is missing"):
            write_candidate(
                str(tmp_path), Held(tmp_path, 3), [StagedTable("vectors", uri, copy=copy)], {"run_id": "r"}, CHECKED
            )
    assert names(tmp_path) == []


def test_a_folder_of_somebody_elses_with_the_next_number_is_not_written_to(tmp_path: Path) -> None:
    mine = tmp_path / "versions" / "000003" / "vectors" / "part-00000.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    uri = staged(tmp_path, "vectors")
    with pytest.raises(OutputError, match="000003: holds vectors, which is not ours"):
        write_candidate(str(tmp_path), Held(tmp_path, 3), [StagedTable("vectors", uri)], {"run_id": "r"}, CHECKED)
    assert mine.read_text() == "mine" and len(list(mine.parent.parent.iterdir())) == 1


def test_what_a_killed_run_was_writing_goes_with_the_version(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2)
    (tmp_path / "versions" / "000001" / f".manifest.json.{'0' * 32}").write_text("{")
    assert versions.prune(str(tmp_path), claim, 1) == ["000001"] and names(tmp_path) == ["000002"]


def test_a_run_that_loses_its_claim_neither_writes_nor_promotes_nor_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path, 1, 2)
    claim = candidate(tmp_path, 3)
    before = current(tmp_path)
    claim.lost = True
    for act in (
        lambda: versions.promote(str(tmp_path), claim, "000003"),
        lambda: versions.rollback(str(tmp_path), claim),
        lambda: versions.prune(str(tmp_path), claim, 1),
        lambda: versions.delete_version(str(tmp_path), claim, versions.list_versions(str(tmp_path))[0]),
    ):
        with pytest.raises(OutputError, match="taken over"):
            act()
    assert current(tmp_path) == before and names(tmp_path) == ["000001", "000002", "000003"]
    late = Held(tmp_path, 4)
    real = storage.move_file

    def lost_meanwhile(source: str, target: str) -> None:
        real(source, target)
        late.lost = True

    monkeypatch.setattr(storage, "move_file", lost_meanwhile)
    with pytest.raises(OutputError, match="taken over"):
        write_candidate(str(tmp_path), late, [StagedTable("vectors", staged(tmp_path, "x"))], {"run_id": "r"}, CHECKED)
    assert current(tmp_path) == before
    assert [v.candidate for v in versions.list_versions(str(tmp_path))] == ["", "", CHECKED, WRITING]
    assert versions.delete_unfinished(str(tmp_path), Held(tmp_path, 5)) == ["000004"]
    assert names(tmp_path) == ["000001", "000002", "000003"]


def test_the_newest_versions_stay_and_candidates_that_were_held(tmp_path: Path) -> None:
    published(tmp_path, 1, 2, 3)
    candidate(tmp_path, 4, HELD)
    claim = published(tmp_path, 5, 6)
    assert versions.prune(str(tmp_path), claim, 3) == ["000001", "000002"]
    assert names(tmp_path) == ["000003", "000004", "000005", "000006"]
    assert versions.prune(str(tmp_path), claim, 1) == ["000003", "000005"]
    assert versions.prune(str(tmp_path), claim, 1) == []


def test_of_candidates_that_are_held_every_night_the_newest_stay(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 1, HELD)
    assert versions.prune(str(tmp_path), claim, 1) == [] and names(tmp_path) == ["000001"]
    published(tmp_path, 2)
    for night in (3, 4, 5, 6):
        claim = candidate(tmp_path, night, HELD)
        versions.prune(str(tmp_path), claim, 2)
    candidate(tmp_path, 7, WRITING)
    assert versions.prune(str(tmp_path), claim, 2) == [] and names(tmp_path) == ["000002", "000005", "000006", "000007"]


def test_a_current_version_that_has_no_manifest_is_told_and_so_is_a_manifest_that_is_damaged(tmp_path: Path) -> None:
    output = str(tmp_path)
    assert versions.unlisted_versions(output) == {}
    published(tmp_path, 1, 2, 3)
    (tmp_path / "versions" / "20240131").mkdir()  # somebody else's
    assert versions.unlisted_versions(output) == {}
    (tmp_path / "versions" / "000001" / "manifest.json").write_text("[")
    shutil.rmtree(tmp_path / "versions" / "000003")
    found = versions.unlisted_versions(output)
    assert sorted(found) == ["000001", "000003"]
    assert found["000001"].startswith(f"left alone: {output}/versions/000001/manifest.json: is not JSON")
    assert found["000003"] == "current; damaged: manifest.json is missing"
    (tmp_path / "current.json").write_text("{")
    assert list(versions.unlisted_versions(output)) == ["000001"]


def test_the_version_that_was_current_until_now_stays_though_it_is_old(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2, 3, 4, 5)
    versions.rollback(str(tmp_path), claim, "000001")
    claim = published(tmp_path, 6)
    assert versions.prune(str(tmp_path), claim, 3, before="000001") == ["000002", "000003", "000004"]
    assert names(tmp_path) == ["000001", "000005", "000006"]
    assert versions.prune(str(tmp_path), claim, 1, before="000001") == ["000001", "000005"]


def test_a_footer_that_changed_is_found_before_promotion(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 1)
    file = tmp_path / "versions" / "000001" / "vectors" / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    with pytest.raises(OutputError, match=r"vectors/part-00000\.parquet is not what was written"):
        versions.promote(str(tmp_path), claim, "000001")


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    published(tmp_path, 1)
    foreign = [
        tmp_path / "versions" / "20240131" / "day.parquet",
        tmp_path / "versions" / "000000" / "manifest.json",
        tmp_path / "versions" / "000001" / "notes.txt",
        tmp_path / "versions" / "000001" / "vectors" / "notes.txt",
        tmp_path / "versions" / "000001" / "notebook" / "manifest.json",
        tmp_path / "versions" / "000001" / "vectors" / "copy" / "part-00000.parquet",
        tmp_path / "versions" / "20240201",
    ]
    for file in foreign:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"mine": 1}')
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(tmp_path / "versions" / "000001", tmp_path / "elsewhere" / "copy")
    claim = published(tmp_path, 2)
    assert versions.prune(str(tmp_path), claim, 1) == ["000001"]
    assert all(file.read_text() == '{"mine": 1}' for file in foreign)
    assert not (tmp_path / "versions" / "000001" / "manifest.json").exists()
    assert not list((tmp_path / "versions" / "000001" / "vectors").glob("*.parquet"))


def test_in_a_store_a_version_goes_and_what_is_not_ours_stays(bucket: str) -> None:
    output, folder = f"{bucket}/out", f"{bucket}/out/versions/000001"
    manifest = {
        "run_id": "r",
        "tables": {"vectors": 1},
        "files": {"vectors": [dict(file="a.parquet", size=1, rows=1, crc32=1)]},
    }
    for name in ("vectors/a.parquet", "vectors/b.parquet", "vectors/copy/a.parquet", "mine/manifest.json"):
        storage.write_text(storage.join(folder, name), "x")
    versions.write_manifest(folder, manifest)
    versions.delete_files(output, folder, manifest)
    assert storage.list_names(folder) == ["mine", "vectors"]
    assert storage.list_names(f"{folder}/vectors") == ["b.parquet", "copy"]
    for name in ("vectors/b.parquet", "vectors/copy/a.parquet", "mine/manifest.json"):
        storage.delete_file(storage.join(folder, name))
    versions.write_manifest(folder, manifest)
    versions.delete_files(output, folder, manifest | {"files": {"vectors/copy": [], "vectors": [], "mine": []}})
    assert not storage.exists(folder), storage.list_names(folder)


@pytest.mark.parametrize("link", ["versions", "versions/000001", "versions/000001/vectors"])
def test_no_version_is_deleted_through_a_link(link: str, tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    output.mkdir()
    claim = published(output, 1, 2)
    (output / link).rename(elsewhere)
    (output / link).symlink_to(elsewhere)
    files = sorted(path for path in elsewhere.rglob("*.parquet"))
    versions.prune(str(output), claim, 1)
    assert (output / link).is_symlink() and sorted(path for path in elsewhere.rglob("*.parquet")) == files != []


def test_a_copy_of_a_version_is_not_ours(tmp_path: Path) -> None:
    claim, output = published(tmp_path, 1, 2), str(tmp_path)
    copies = ["20261128", "0000000001"]
    for copy in copies:
        shutil.copytree(tmp_path / "versions" / "000001", tmp_path / "versions" / copy)
    assert [version.name for version in versions.list_versions(output)] == ["000001", "000002"]
    assert "is a copy of that of version 000001" in versions.unlisted_versions(output)["20261128"]
    with pytest.raises(OutputError, match="is a copy of that of version 000001; promote 000001"):
        versions.promote(output, claim, "20261128")
    assert versions.prune(output, claim, 1) == ["000001"]
    assert names(tmp_path) == sorted([*copies, "000002"])


def test_damaged_versions_do_not_push_out_whole_ones(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2, 3, 4)
    for damaged in ("000002", "000003"):
        shutil.rmtree(tmp_path / "versions" / damaged / "vectors")
    assert versions.prune(str(tmp_path), claim, 2, before="000003") == []
    assert names(tmp_path) == ["000001", "000002", "000003", "000004"]
    claim = published(tmp_path, 5)
    assert versions.prune(str(tmp_path), claim, 2, before="000004") == ["000001", "000002", "000003"]


def test_a_version_that_the_current_one_replaces_takes_no_place_and_is_not_gone_back_to(tmp_path: Path) -> None:
    published(tmp_path, 1, 2, 3)
    claim = Held(tmp_path, 4)  # made from the same as 3, of which a page has flipped
    manifest = json.loads((tmp_path / "versions" / "000003" / "manifest.json").read_text())
    parts = [StagedTable("vectors", staged(tmp_path, "vectors-4"))]
    write_candidate(str(tmp_path), claim, parts, {"run_id": "r", "fingerprints": manifest["fingerprints"]}, CHECKED)
    versions.promote(str(tmp_path), claim, "000004")
    assert versions.prune(str(tmp_path), claim, 2, before="000003") == ["000001"]
    assert versions.rollback(str(tmp_path), claim) == "000002"


def test_a_footer_that_changed_is_damage_for_pruning_and_rollback(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2, 3)
    file = tmp_path / "versions" / "000002" / "vectors" / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    assert versions.prune(str(tmp_path), claim, 2) == []
    assert versions.rollback(str(tmp_path), claim) == "000001"


def test_a_tombstone_on_the_current_version_goes(tmp_path: Path) -> None:
    published(tmp_path, 1)
    tombstone = tmp_path / "versions" / "000001" / "deleted.json"
    tombstone.write_text("{}")
    assert versions.delete_unfinished(str(tmp_path), Held(tmp_path, 2)) == [] and not tombstone.exists()
    tombstone.write_text("{}")
    (tmp_path / "versions").rename(tmp_path / "elsewhere")
    (tmp_path / "versions").symlink_to(tmp_path / "elsewhere")
    versions.delete_unfinished(str(tmp_path), Held(tmp_path, 3))
    assert tombstone.exists(), "it was deleted through a link"


def test_a_copied_table_is_checked_to_its_last_page(tmp_path: Path) -> None:
    uri = staged(tmp_path, "vocabulary", rows=5000)
    file = tmp_path / "staging" / "vocabulary" / read_list(uri)[0]["file"]
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedTable, match=f"{uri}: a file of it is damaged"):
        write_candidate(
            str(tmp_path), Held(tmp_path, 3), [StagedTable("vocabulary", uri, copy=True)], {"run_id": "r"}, CHECKED
        )
    assert names(tmp_path) == []


def test_what_cannot_be_promoted_is_told(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2)
    output = str(tmp_path)
    (tmp_path / "versions" / "000001" / "deleted.json").write_text("{}")
    with pytest.raises(OutputError, match="000001: is being deleted"):
        versions.promote(output, claim, "000001")
    manifest = tmp_path / "versions" / "000002" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"candidate": WRITING}))
    with pytest.raises(OutputError, match="000002: was never finished"):
        versions.promote(output, claim, "000002")
    (tmp_path / "versions" / "000002" / "vectors" / "part-00000.parquet").write_text("")
    with pytest.raises(OutputError, match=r"vectors/part-00000\.parquet is missing or cut"):
        versions.promote(output, claim, "000002")
    with pytest.raises(OutputError, match="has no version 7; its versions are 000001, 000002"):
        versions.named(output, "7")
    assert {versions.named(output, text) for text in ("2", "02", "000002", "0000002")} == {"000002"}
    for text in ("", "-1", "two", "9" * 5000):
        with pytest.raises(OutputError, match=rf"has no version {text}; its versions are 000001, 000002"):
            versions.named(output, text)


def test_the_current_version_is_never_deleted(tmp_path: Path) -> None:
    claim = published(tmp_path, 1)
    (version,) = versions.list_versions(str(tmp_path))
    with pytest.raises(OutputError, match="is the current version"):
        versions.delete_version(str(tmp_path), claim, version)
    versions.promote(str(tmp_path), claim, "000001")  # no tombstone stays
    assert pq.read_table(tmp_path / "versions" / "000001" / "vectors").num_rows == 3


def test_a_deletion_that_was_cut_short_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = published(tmp_path, 1, 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "delete_named", killed)
        with pytest.raises(KeyboardInterrupt):
            versions.prune(str(tmp_path), claim, 1)
    assert versions.list_versions(str(tmp_path))[0].problem == "its deletion has begun"
    assert versions.delete_unfinished(str(tmp_path), Held(tmp_path, 3)) == ["000001"]
    assert names(tmp_path) == ["000002"]
