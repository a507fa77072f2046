"""Versions at work: candidates, promotion, rollback, clean, and what mends a damaged output."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import planted
import pytest
from commands import current, digests, manifest, options, run_here, version_folder

QUICK: dict[str, object] = {"training__dimensions": 8, "training__epochs": 1, "vocabulary__min_count": 2}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("versions") / "corpus", planted.documents(20, seed=5))


@pytest.fixture(scope="module")
def whole(spark: object, corpus: Path) -> Path:
    """An output with two versions, of seeds 1 and 2."""
    output = corpus.parent / "output"
    for seed in (1, 2):
        run_here(*command(corpus, output, training__seed=seed)).assert_done()
    return output


@pytest.fixture
def output(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(whole, tmp_path / "output")
    return tmp_path / "output"


def command(corpus: Path, output: Path, *words: str, **settings: object) -> list[str]:
    return ["run", *options(**({"input__path": corpus, "output__path": output} | QUICK | settings)), *words]


def states(output: Path) -> dict[str, str]:
    found = json.loads(run_here("versions", str(output), "--json").assert_done().out)
    return {row["version"]: row["state"] for row in found["versions"]}


def test_versions_are_listed_the_newest_first(output):
    shown = run_here("versions", str(output)).assert_done().out.splitlines()
    words = manifest(output)["tables"]["vectors"]
    assert shown[0].split() == ["version", "made", "method", "words", "scores", "state"]
    assert [line.split()[0] for line in shown[1:]] == ["000002", "000001"]
    assert shown[1].split()[2:4] == ["skipgram-ns", str(words)]
    assert states(output) == {"000002": "current", "000001": "was current"}


def test_a_manifest_without_most_of_its_keys_is_listed_all_the_same(output):
    file = version_folder(output) / "manifest.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps({key: found[key] for key in ("run_id", "tables", "files")}))
    assert states(output) == {"000002": "current", "000001": "was current"}
    run_here("rollback", str(output)).assert_done()


def test_a_held_candidate_is_promoted_by_hand_or_by_the_same_run_without_training(output, corpus):
    words = command(corpus, output, training__seed=3)
    before = digests(output)
    done = run_here(*words, "--hold").assert_done()
    assert f"make it current with: w2vspark promote {output} 000003" in done.out
    assert digests(output) == before and states(output)["000003"] == "candidate: is held back by --hold"
    again = run_here(*words, "--hold").assert_done().out
    assert again.startswith("nothing to do") and "000003 is a candidate" in again
    plan = run_here(*words, "--dry-run").assert_done().out
    assert (
        "versions/000003 was made from this input, configuration and code, and will be promoted" in plan
        and "will be made" not in plan
    )
    assert "000003 is a candidate" in run_here(*words, "--hold", "--dry-run").assert_done().out
    done = run_here(*words).assert_done()
    assert done.out.startswith("promoted: ") and "stage=rounds" not in done.err
    assert current(output)["version"] == "000003" and digests(output) != before
    run_here("promote", str(output), "2").assert_done()
    assert digests(output) == before and states(output)["000003"] == "was current"
    assert run_here("promote", str(output), "9").code == 4


def test_a_rollback_stays_in_force_until_the_corpus_or_the_settings_change(output, corpus, tmp_path):
    words = command(corpus, output, training__seed=2)
    out = run_here("rollback", str(output)).assert_done().out
    assert "version 000001 is current, and stays so until the input or the configuration changes" in out
    done = run_here(*words).assert_done().out
    assert done.startswith("nothing to do: version 000001 is current after a rollback")
    assert f"w2vspark promote {output} 000002" in done and current(output)["version"] == "000001"
    run_here(*command(corpus, output, training__seed=3)).assert_done()
    assert int(current(output)["version"]) > 2
    run_here("rollback", str(output), "1").assert_done()
    assert run_here(*words).assert_done().out.startswith("nothing to do")
    (tmp_path / "corpus").mkdir()
    for file in corpus.iterdir():
        shutil.copy(file, tmp_path / "corpus")  # the same text, another file
    run_here(*command(tmp_path / "corpus", output, training__seed=2)).assert_done()
    assert current(output)["version"] != "000001"


def test_a_rollback_whose_version_is_damaged_is_not_undone_by_the_next_run(output, corpus):
    words = command(corpus, output, training__seed=2)
    run_here("rollback", str(output), "").assert_one_error(4, "has no version ")
    assert states(output)["000002"] == "current"
    run_here("rollback", str(output)).assert_done()
    vectors_gone(output / "versions" / "000001")
    for more in ([], ["--dry-run"], ["--hold"]):
        told = run_here(*words, *more)
        told.assert_one_error(4, "000001: vectors/part-00000.parquet is missing", "after a rollback")
        assert f"undo it with: w2vspark promote {output} 000002" in told.err
        assert "go further back" not in told.err, "there is nothing older"
    shutil.rmtree(output / "versions" / "000001")
    run_here(*words).assert_one_error(4, "000001: has no manifest that can be read; it is current after a rollback")
    assert states(output)["000001"].startswith("current; damaged: ")
    shutil.copytree(output, output.with_name("other"))
    run_here("promote", str(output), "000002").assert_done()
    assert run_here(*words).assert_done().out.startswith("nothing to do")
    run_here(*command(corpus, output.with_name("other"), "--from", "version", training__seed=2)).assert_done()
    assert digests(output.with_name("other")) == digests(output)


def test_promoting_the_current_version_changes_nothing_and_an_older_one_is_undone_as_told(output, corpus):
    words = command(corpus, output, training__seed=2)
    run_here("rollback", str(output)).assert_done()
    assert "version 000001 is current already" in run_here("promote", str(output), "1").assert_done().out
    assert run_here(*words).assert_done().out.startswith("nothing to do: version 000001 is current after a rollback")
    shutil.copytree(output, output.with_name("damaged"))
    vectors_gone(output.with_name("damaged") / "versions" / "000001")
    run_here("promote", str(output.with_name("damaged")), "1").assert_one_error(
        4, "000001: vectors/", "is missing or cut"
    )
    (output / "current.json").write_text("{")
    told = run_here("promote", str(output), "1").assert_done().out
    assert f"the run that made 000002 will undo this, unless you use: w2vspark rollback {output} 000001" in told
    run_here("rollback", str(output), "000001").assert_done()
    assert run_here(*words).assert_done().out.startswith("nothing to do: version 000001 is current after a rollback")


def vectors_gone(folder: Path) -> None:
    shutil.rmtree(folder / "vectors")


def bit_flipped(folder: Path) -> None:
    (file,) = (folder / "vectors").iterdir()
    content = bytearray(file.read_bytes())
    content[-9] ^= 1  # in the footer's length
    file.write_bytes(content)


DAMAGES: list[Callable[[Path], None]] = [shutil.rmtree, vectors_gone, bit_flipped]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_commands_that_an_error_names_mend_a_damaged_version(damage, output, corpus):
    before = digests(output)
    damage(version_folder(output))
    word = planted.country(0)
    advice = "run the command again that made it", "back to an earlier version with w2vspark rollback"
    run_here("similar", str(output), word).assert_one_error(4, "000002", *advice)
    shutil.copytree(output, output.with_name("other"))
    run_here(*command(corpus, output, training__seed=2)).assert_done()
    assert digests(output) == before and run_here("similar", str(output), word).code == 0
    run_here("rollback", str(output.with_name("other"))).assert_done()
    assert run_here("similar", str(output.with_name("other")), word).code == 0


def test_a_page_that_flipped_is_mended_by_making_the_vectors_again(output, corpus):
    before, words = digests(output), command(corpus, output, training__seed=2)
    (file,) = (version_folder(output) / "vectors").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    run_here("similar", str(output), planted.country(0)).assert_one_error(4, "000002/vectors", "--from version")
    assert run_here(*words).assert_done().out.startswith("nothing to do")  # it looks at footers
    later = command(corpus, output.with_name("later"), warm_start__path=output)
    run_here(*later).assert_one_error(4, "000002/vectors: a file of it is damaged", f"w2vspark rollback {output}")
    made = run_here(*words, "--from", "version").assert_done()
    assert "stage=rounds event=start" not in made.err and digests(output) == before
    assert run_here("similar", str(output), planted.country(0)).code == 0


def test_a_version_whose_run_died_while_it_promoted_is_not_made_twice(output, corpus):
    words, before = command(corpus, output, training__seed=2), digests(output)
    pointer = (output / "current.json").read_text()
    run_here("promote", str(output), "1").assert_done()
    done = run_here(*words).assert_done()  # 000002 is called no candidate, and is not current
    assert done.out.startswith("promoted: ") and "stage=vectors" not in done.err
    assert digests(output) == before and current(output)["version"] == json.loads(pointer)["version"] == "000002"


def test_the_version_to_which_one_rolled_back_outlives_the_next_publication(output, corpus):
    for seed in (3, 4, 5):
        run_here(*command(corpus, output, training__seed=seed, output__keep_versions=9)).assert_done()
    run_here("rollback", str(output), "1").assert_done()
    run_here(*command(corpus, output, training__seed=6, output__keep_versions=3)).assert_done()
    assert sorted(states(output)) == ["000001", "000005", current(output)["version"]]


def test_a_damaged_current_json_is_mended_by_promote(output):
    before = digests(output)
    (output / "current.json").write_text('{"version": "000002", "pa')
    run_here("similar", str(output), planted.country(0)).assert_one_error(4, "current.json", "w2vspark promote")
    run_here("promote", str(output), "2").assert_done()
    assert digests(output) == before


def test_clean_deletes_what_dead_runs_left_and_nothing_else(output, corpus):
    words = command(corpus, output, training__seed=2)
    kept = sorted(path for path in output.rglob("*") if path.is_file() and "claims" not in path.parts)
    dead = output / "staging" / "encoded" / "0123456789abcdef" / "000001-01234567"
    dead.mkdir(parents=True)
    (dead / f"part-0000000000-{'0' * 32}.parquet").write_text("x")
    unfinished = output / "versions" / "000003"
    shutil.copytree(version_folder(output), unfinished)
    found = json.loads((unfinished / "manifest.json").read_text())
    found |= {"version": "000003", "candidate": "is being written"}
    (unfinished / "manifest.json").write_text(json.dumps(found))
    mine = [output / "versions" / "20240131" / "day.txt", output / "staging" / "encoded" / "mine" / "notes.txt"]
    for file in mine:
        file.parent.mkdir(parents=True)
        file.write_text("mine")
    out = run_here("clean", str(output), "--dry-run").assert_done().out
    assert str(dead) in out and str(unfinished) in out and dead.exists() and "mine" not in out
    assert str(dead) in run_here("clean", str(output)).assert_done().out
    assert not dead.exists() and not unfinished.exists() and all(file.read_text() == "mine" for file in mine)
    left = sorted(path for path in output.rglob("*") if path.is_file() and "claims" not in path.parts)
    assert left == sorted([*kept, *mine])
    assert run_here("clean", str(output)).assert_done().out == "nothing to delete\n"
    assert run_here(*words).assert_done().out.startswith("nothing to do")


def test_somebody_elses_folders_in_an_output_survive_runs_that_publish(output, corpus):
    mine = [
        output / "versions" / "20240131" / "day.parquet",
        output / "staging" / "vectors" / "x",
        output / "staging" / "encoded" / "mine",
    ]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    for seed in (4, 5):
        settings = {"training__seed": seed, "output__keep_versions": 1, "vocabulary__min_count": seed}
        run_here(*command(corpus, output, **settings)).assert_done()
    assert all(file.read_text() == "mine" for file in mine)
    assert current(output)["version"] == "000004"
    assert sorted(states(output)) == ["000004"]


def test_a_folder_with_a_child_called_versions_is_not_ours(corpus, tmp_path):
    (tmp_path / "lake" / "versions" / "20240131").mkdir(parents=True)
    (tmp_path / "lake" / "staging").mkdir()
    (tmp_path / "lake" / "readme.txt").write_text("mine")
    run_here(*command(corpus, tmp_path / "lake")).assert_one_error(4, "holds something else", "name a new or an empty")
    for words in (["versions"], ["promote", "1"], ["rollback"], ["clean"]):
        done = run_here(words[0], str(tmp_path / "lake"), *words[1:])
        done.assert_one_error(4, "is not an output of w2vspark")


def test_a_linked_versions_folder_loses_nothing(output, corpus, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (output / "versions").rename(elsewhere)
    (output / "versions").symlink_to(elsewhere)
    run_here(*command(corpus, output, training__seed=6, output__keep_versions=1)).assert_done()
    assert {folder.name for folder in elsewhere.iterdir()} == {"000001", "000002", "000003"}
    assert all((elsewhere / name / "vectors").is_dir() for name in ("000001", "000002", "000003"))


def test_a_flipped_bit_in_staging_is_found_and_the_table_made_again(output, corpus, tmp_path):
    fresh = tmp_path / "fresh"
    words = {"training__seed": 9, "training__rounds_per_epoch": 4}
    run_here(*command(corpus, fresh, **words)).assert_done()
    for table in ("word_counts", "vocabulary", "encoded", "bucket_counts"):
        (file,) = (output / "staging" / table).rglob("*.parquet")
        content = bytearray(file.read_bytes())
        content[40] ^= 4
        file.write_bytes(content)
    done = run_here(*command(corpus, output, **words)).assert_done()
    assert "event=damaged" in done.err and "made_again=True" in done.err
    assert digests(output) == digests(fresh)
