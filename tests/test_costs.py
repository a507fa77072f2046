"""What methods say that they cost."""

from pathlib import Path

import numpy as np
import pytest

from w2vspark.base.errors import ConfigError
from w2vspark.flow.compiling import TINY
from w2vspark.flow.costs import MODEL, QUERY, Cost
from w2vspark.flow.identity import steps_of
from w2vspark.flow.measuring import kernel_rates, zipf_ids
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.methods import METHODS, load_config
from w2vspark.output.staging import Staging
from w2vspark.training.word2vec.costs import kept_share, rows_per_token
from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining


def run_of(method: str, folder: Path, *settings: str) -> Run:
    words = [f"training.method={method}", f"output.path={folder / 'output'}", *settings]
    found, config = load_config(None, [f"input.path={folder / '*.txt'}", *words])
    run = Run(found, config, str(folder / "output"), Progress(), Staging(str(folder / "output")))
    run.steps = steps_of(found, config)
    run.fingerprints = dict.fromkeys((step.table for step in run.steps), TINY)
    return run


def costs_of(run: Run) -> dict[str, Cost]:
    assert run.work.costs is not None
    return {cost.rate: cost for cost in run.work.costs(run) if cost.rate not in (QUERY, MODEL)}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """18 MB in a large and two small files, 3 million tokens by the rule of thumb."""
    (tmp_path / "large.txt").write_bytes(b"a" * 16_000_000)
    for name in "bc":
        (tmp_path / f"{name}.txt").write_bytes(b"a" * 1_000_000)
    return tmp_path


@pytest.mark.parametrize("method", METHODS)
def test_every_step_of_every_method_has_a_cost_in_order_and_a_rate_that_is_measured(method, corpus):
    run = run_of(method, corpus, "phrases.thresholds=[100]")
    costs = run.work.costs(run)
    tables = list(dict.fromkeys(cost.table for cost in costs))
    assert tables == [step.table for step in run.steps]
    assert all(cost.amount >= 0 and cost.tasks >= 1 and cost.threads >= 1 for cost in costs)
    assert run.work.sample is not None


def test_the_text_costs_its_bytes_and_large_files_are_read_by_several_tasks(corpus):
    found = costs_of(run_of("skipgram-ns", corpus))["word_counts"]
    assert (found.amount, found.unit, found.tasks) == (18.0, "MB of text", 6)
    assert found.largest == pytest.approx(4 / 18)
    (corpus / "d.txt.gz").write_bytes(b"a" * 6_000_000)
    run = run_of("skipgram-ns", corpus, f"input.path={corpus / '*'}")
    packed = costs_of(run)["word_counts"]
    assert packed.amount == 36.0 and packed.tasks == 7, "compressed text is read by one task, and is larger"
    assert packed.largest == pytest.approx(0.5)


def test_training_costs_what_its_settings_say(corpus):
    usual = costs_of(run_of("skipgram-ns", corpus))["skipgram-ns"]
    for settings, factor in (
        (["training.epochs=10"], 2.0),
        (["training.dimensions=300"], 3.0),
        (["training.negatives=12"], 2.0),  # of 5 + 2 rows, 12 + 2
        (["training.window=11"], 2.0),
    ):
        assert costs_of(run_of("skipgram-ns", corpus, *settings))["skipgram-ns"].amount / usual.amount == pytest.approx(
            factor
        ), settings
    assert (usual.tasks, usual.threads) == (1, 2)
    shards = costs_of(run_of("skipgram-ns", corpus, "training.shards=4"))["skipgram-ns"]
    assert (shards.tasks, shards.threads, shards.queries) == (4, 1, 50)


def test_a_table_that_was_not_counted_has_no_cost(corpus):
    run = run_of("skipgram-ns", corpus, "input.table=lake.articles", "input.path=[]")
    with pytest.raises(ConfigError, match="run with --until vocabulary first"):
        costs_of(run)
    run.records["vocabulary"] = {"tokens": 1_000_000, "words": 1000}
    assert costs_of(run)["word_counts"].amount == 6.0


def test_the_rows_of_a_token_are_those_that_a_count_finds():
    """Pairs of centre and context, drawn as the kernel draws them, on a text with Zipf's frequencies."""
    words, window, text = 500, 4, zipf_ids(500, 20_000)
    generator = np.random.default_rng(7)
    shares = np.bincount(text, minlength=words) / text.size
    keep = np.minimum(1, np.sqrt(0.01 / np.maximum(shares, 1e-9)) + 0.01 / np.maximum(shares, 1e-9))
    kept = text[generator.random(text.size) < keep[text]]
    reach = generator.integers(1, window + 1, kept.size)
    pairs = sum(min(r, at) + min(r, kept.size - 1 - at) for at, r in enumerate(reach.tolist()))
    settings = Word2VecTraining(window=window, subsample=0.01, negatives=3, method="skipgram-ns")
    found = rows_per_token(resolve(settings, text.size, words), words, subwords=False)
    assert found == pytest.approx(pairs * (3 + 1 + 1) / text.size, rel=0.03)
    assert kept_share(np.full(10, 0.1), 0) == 1.0


def test_rates_are_measured_by_the_steps_themselves(tmp_path):
    found, config = load_config(None, ["training.method=cbow-softmax", f"output.path={tmp_path}", "input.path=sample"])
    rates = kernel_rates(found, config, tmp_path / "sample", {MODEL: 100.0})
    assert list(rates) == ["cbow-softmax"] and rates["cbow-softmax"] > 0
