"""`w2vspark fold`: documents of a lake to a published table, the same as folded one by one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import lsa_models
import numpy as np
import pyarrow.parquet as pq
import pytest
from commands import Outcome, manifest, options, run_here, version_folder

from w2vspark.base import schemas
from w2vspark.stages import folded
from w2vspark.vectors import fold_text, load_lsa, nearest_documents

DOCUMENTS = lsa_models.texts(30)
NEW = lsa_models.texts(40, seed=8) | {"ü": "Sea, sea; BANK", "odd": "Xylophones"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("fold") / "run"
    lsa_models.publish_model(output, DOCUMENTS)
    return output


@pytest.fixture(scope="module")
def corpus(run: Path) -> Path:
    """New documents in three files: one without a known word, one without text, a malformed row, a document twice."""
    folder = run.parent / "corpus"
    folder.mkdir()
    lines = [json.dumps({"id": doc_id, "text": text}) for doc_id, text in NEW.items()]
    lines += ['{"id": "null", "text": null}', '{"id": "broken", "text', '{"id": "same", "text": "the sea"}']
    lines += ['{"id": "same", "text": "the sea"}', '{"id": "doc001", "text": "another text on waves"}']
    for number in range(3):
        (folder / f"part-{number}.json").write_text("\n".join(lines[number::3]) + "\n")
    return folder


def fold(run: Path, corpus: Path, output: Path, *more: str, **settings: object) -> Outcome:
    chosen = {"input__path": corpus, "input__format": "json", "input__id_column": "id", "output__path": output}
    chosen["input__max_malformed"] = 0.1
    return run_here("fold", str(run), *options(**chosen | settings), *more)


def documents(output: Path) -> dict[str, list[float]]:
    table = pq.read_table(version_folder(output) / "documents")
    assert table.schema.names == schemas.DOCUMENTS.names
    return dict(zip(table["doc_id"].to_pylist(), table["vector"].to_pylist(), strict=True))


def test_documents_have_the_vectors_of_the_local_call_and_the_others_their_reason(spark, run, corpus, tmp_path):
    done = fold(run, corpus, tmp_path / "out", "--set", "spark.options.spark.x.password=geheim").assert_done()
    assert "geheim" not in (version_folder(tmp_path / "out") / "manifest.json").read_text()
    model, found = load_lsa(str(run)), documents(tmp_path / "out")
    names = {name: name.split("#")[0] for name in found}
    assert sorted(names.values()) == sorted([*(NEW.keys() - {"odd"}), "same", "doc001"])
    for name in NEW.keys() - {"odd", "doc001"}:
        assert np.array(found[name], np.float32).tobytes() == fold_text(model, NEW[name]).tobytes()
    rows = pq.read_table(version_folder(tmp_path / "out") / "documents")["doc_id"].to_pylist()
    assert rows == sorted(rows) and len(rows) == 44  # "same" stands there twice
    left = pq.read_table(version_folder(tmp_path / "out") / "not_folded").to_pylist()
    assert left == [
        {"doc_id": None, "reason": folded.MALFORMED},
        {"doc_id": "null", "reason": folded.NO_TEXT},
        {"doc_id": "odd", "reason": folded.NO_KNOWN_WORD},
    ]
    says = manifest(tmp_path / "out")
    assert says["tables"] == {"documents": 44, "not_folded": 3}
    assert says["corpus"]["documents"] == 47 and says["model"]["version"] == "000001"
    assert "documents   47, 44 folded into" in done.out
    assert "not folded  3: 1 malformed row, 1 no known word, 1 no text" in done.out
    assert "duplicates  2 ids occur more than once" in done.out


def test_files_of_the_input_and_slots_change_no_byte(spark, run, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(folded, "TASK_BYTES", 200)
    fold(run, corpus, tmp_path / "one").assert_done()
    whole = tmp_path / "corpus"
    whole.mkdir()
    text = "".join(sorted("".join(file.read_text() for file in corpus.iterdir()).splitlines(keepends=True)))
    (whole / "all.json").write_text(text)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "5")
        fold(run, whole, tmp_path / "two").assert_done()
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    one, two = (
        [pq.read_table(file).to_pydict() for file in sorted((version_folder(tmp_path / name) / "documents").iterdir())
         if file.suffix == ".parquet"]
        for name in ("one", "two")
    )  # fmt: skip
    assert one == two and len(one) > 1


def test_a_second_time_there_is_nothing_to_do_and_a_change_makes_a_version(spark, run, corpus, tmp_path):
    fold(run, corpus, tmp_path / "out").assert_done()
    again = fold(run, corpus, tmp_path / "out").assert_done()
    assert again.out.startswith("nothing to do") and version_folder(tmp_path / "out").name == "000001"
    less = tmp_path / "less"
    less.mkdir()
    (less / "one.json").write_text('{"id": "only", "text": "the violin"}\n')
    fold(run, less, tmp_path / "out").assert_done()
    assert version_folder(tmp_path / "out").name == "000002" and list(documents(tmp_path / "out")) == ["only"]
    assert (tmp_path / "out" / "versions" / "000001" / "documents").exists()
    assert len(list((tmp_path / "out" / "staging" / "folded").iterdir())) == 1


def test_a_rollback_of_folded_documents_stays_and_a_flipped_page_is_made_again(spark, run, corpus, tmp_path):
    output, less = tmp_path / "out", tmp_path / "less"
    less.mkdir()
    (less / "one.json").write_text('{"id": "only", "text": "the violin"}\n')
    fold(run, less, output).assert_done()
    fold(run, corpus, output).assert_done()
    run_here("rollback", str(output)).assert_done()
    again = fold(run, corpus, output).assert_done().out
    assert again.startswith("nothing to do: version 000001 is current after a rollback"), again
    run_here("promote", str(output), "2").assert_done()
    before = documents(output)
    file = version_folder(output) / "documents" / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    run_here("search", str(run), "sea", "--documents", str(output)).assert_one_error(4, "--from version")
    fold(run, corpus, output, "--from", "nothing").assert_one_error(
        2, "--from nothing: is not a stage", "folded, version"
    )
    made = fold(run, corpus, output, "--from", "version").assert_done()
    assert "stage=folded event=start" not in made.err and documents(output) == before
    assert version_folder(output).name not in ("000001", "000002")


def test_workers_read_a_model_anew_that_was_made_anew_under_the_same_path(spark, corpus, tmp_path):
    model = tmp_path / "model"
    for number, documents_of_model in enumerate((DOCUMENTS, lsa_models.texts(30, seed=5))):
        shutil.rmtree(model, ignore_errors=True)
        lsa_models.publish_model(model, documents_of_model)
        shutil.copytree(model, tmp_path / f"copy-{number}")  # nothing was read at this path before
        fold(model, corpus, tmp_path / "out").assert_done()
        found, read = documents(tmp_path / "out"), load_lsa(str(tmp_path / f"copy-{number}"))
        name = next(name for name in found if name.startswith("doc002"))
        assert np.array(found[name], np.float32).tobytes() == fold_text(read, NEW["doc002"]).tobytes()


def test_folded_documents_are_searched_with_the_model(spark, run, corpus, tmp_path):
    fold(run, corpus, tmp_path / "out").assert_done()
    done = run_here("search", str(run), "violin music", "--documents", str(tmp_path / "out"), "--json").assert_done()
    hits = nearest_documents(str(tmp_path / "out"), fold_text(load_lsa(str(run)), "violin music"))
    assert json.loads(done.out)["documents"] == [hit._asdict() for hit in hits]


def test_a_tables_settings_come_from_a_file_too(spark, run, corpus, tmp_path):
    file = tmp_path / "fold.toml"
    file.write_text(
        f'[input]\npath = "{corpus}"\nformat = "json"\nid_column = "id"\nmax_malformed = 0.1\n'
        f'[output]\npath = "{tmp_path / "out"}"\n'
    )
    run_here("fold", str(run), "--config", str(file)).assert_done()
    assert len(documents(tmp_path / "out")) == 43  # distinct names


def test_mistakes_are_one_line_and_leave_what_is_published(spark, run, corpus, tmp_path):
    fold(run, corpus, run).assert_one_error(4, "holds the tables of a run")
    fold(run, corpus, tmp_path / "a", tokens__lowercase=False).assert_one_error(
        2, "tokens.lowercase", "fold, which reads [input], [output]"
    )
    fold(tmp_path / "none", corpus, tmp_path / "a").assert_one_error(4, "is not there")
    fold(run, tmp_path / "nothing", tmp_path / "a").assert_one_error(3, "nothing")
    (tmp_path / "odd.json").write_text('{"id": "x", "text": "Xylophones"}\n')
    fold(run, corpus, tmp_path / "out").assert_done()
    error = fold(run, tmp_path / "odd.json", tmp_path / "out")
    error.assert_one_error(3, "none of 1 documents could be folded (1 no known word)")
    assert len(documents(tmp_path / "out")) == 43
    another = run_here("run", *options(input__path=corpus, input__format="json", output__path=tmp_path / "out"))
    another.assert_one_error(4, "holds the tables of a job")
    fold(run, corpus, tmp_path / "a", input__id_column="nr").assert_one_error(3, "has no column 'nr'")


def test_the_script_for_spark_submit_has_the_same_options(tmp_path):
    script = Path(__file__).parents[2] / "jobs" / "job.py"
    done = subprocess.run([sys.executable, str(script), "fold", "--help"], capture_output=True, text=True, check=True)
    assert "MODEL" in done.stdout and "--set" in done.stdout and len(script.read_text().splitlines()) <= 40
