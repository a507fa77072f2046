"""What a run says about settings that leave too little to learn from."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from commands import options, run_here

from w2vspark.base.cpu_target import pin
from w2vspark.base.schemas import VOCABULARY
from w2vspark.methods import advice, load_config
from w2vspark.storage.listed import write_small


def fake_run(folder: Path, counts: list[int], words: int, documents: int, **settings: object) -> Any:
    """As much of a run as the advice reads. words: of the corpus, in documents that all have some."""
    _, config = load_config(None, ["input.path=/in", "output.path=/out", *options(**settings)[1::2]])
    rows = {"id": range(len(counts)), "word": [f"w{number}" for number in range(len(counts))], "count": counts}
    write_small(pa.table(rows, schema=VOCABULARY), str(folder / "vocabulary"))
    odd = dict.fromkeys(("malformed_rows", "null_documents", "empty_documents"), 0)
    records = {
        "word_counts": {"documents": documents, "tokens": words, **odd},
        "vocabulary": {"words": len(counts), "tokens": sum(counts)},
    }
    return SimpleNamespace(config=config, records=records, uri=lambda table: str(folder / table))


@pytest.mark.parametrize("subsample", [1e-5, 1e-3, 0.1, 0])
def test_the_share_that_subsampling_keeps_is_that_of_the_kernels(subsample, tmp_path):
    pin("avx2")  # before any kernel is imported
    from w2vspark.kernels.noise import keep_thresholds

    counts = sorted(np.random.default_rng(1).zipf(1.3, 5000).tolist(), reverse=True)
    fake_run(tmp_path, counts, sum(counts), 10)
    kept = keep_thresholds(np.array(counts), subsample) / 2**32
    found = advice.kept_share(str(tmp_path / "vocabulary"), subsample)
    assert found == pytest.approx(float((kept * counts).sum()) / sum(counts), rel=1e-6)


def test_a_vocabulary_that_leaves_out_most_of_the_corpus_is_told(tmp_path):
    (text,) = advice.few_words(fake_run(tmp_path, [30, 10], 100, 5, vocabulary__min_count=10))
    assert "vocabulary.min_count = 10: only 2 words and 40% of the corpus are left" in text
    assert advice.few_words(fake_run(tmp_path, [30, 20], 100, 5)) == []


def test_documents_too_short_for_a_window_are_told(tmp_path):
    (text,) = advice.short_documents(fake_run(tmp_path, [30, 10], 40, 20))
    assert "2.0 words" in text and "input.format" in text
    assert advice.short_documents(fake_run(tmp_path, [30, 30], 60, 20)) == []


def test_subsampling_that_leaves_out_most_of_the_text_and_a_small_corpus_are_told(tmp_path):
    run = fake_run(tmp_path, [4, 2, 1, 1], 8, 2)
    texts = advice.little_text(run, 1e-4, 5)
    assert (
        "training.subsample = 0.0001 leaves 2% of the text" in texts[0]
        and "8 words of text are little: vectors need" in texts[1]
    )
    assert [text for text in advice.little_text(run, 0, 5) if "subsample" in text] == []
    for words, epochs, advised in ((400, 5, 20), (400, 10, 20), (400, 11, 0), (20_000, 5, 0), (12_000, 5, 13)):
        of_size = fake_run(tmp_path, [1_000] * words, 1_000 * words, 2_000)
        expected = [f"training.epochs={advised} makes"] if advised else []
        assert (
            re.findall(r"training\.epochs=\d+ makes", " ".join(advice.little_text(of_size, 1e-4, epochs))) == expected
        )


def test_a_run_that_learns_nothing_says_so_in_its_log_and_at_its_end(spark, tmp_path):
    (tmp_path / "fish.txt").write_text("one fish two fish\nred fish blue fish\n")
    words = options(input__path=tmp_path / "fish.txt", output__path=tmp_path / "out", vocabulary__min_count=1)
    done = run_here("run", *words).assert_done()
    assert 'event=advice note="training.subsample = 0.0001 leaves' in done.err
    assert "\nnote        training.subsample = 0.0001 leaves" in done.out
