"""The study behind the advice on small corpora: which epochs, subsample, min_count and window suit how many tokens.

Every size first tries the numbers of epochs with the defaults. Then one setting at a time differs from the fewest
epochs that are as good as the best. The settings of conf/quickstart.toml come last. Each sample is the next so many
tokens of wiki100, in whole documents: samples share no text. A gain is measured from the defaults, as a mean over
samples with its standard error. Skip-gram with negative sampling, D = 100, one shard with two lanes, simulated on this
machine without Spark by the functions that Spark's workers call. A study has no target and no peer.

min_count decides which pairs and questions are covered. So there are two tables. One scores each vocabulary with the
pairs that it covers. The other scores all settings with the same words: those that every vocabulary has.
"""

import argparse
import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from common import Report, Row, run_script, shared_data, tell, wiki_files
from inprocess import Text, read_text, simulate
from quality import SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.vectors import WordVectors, read_pairs, score_pairs

EPOCHS = (5, 10, 20, 40, 80)
SUBSAMPLES, MIN_COUNTS, WINDOWS = (1e-5, 1e-4, 1e-3, 0.0), (1, 2, 5, 8), (5, 8)
# Fewer epochs count as good as the best when the mean of their three scores is at most this much lower.
CLOSE = 0.01


@dataclass(frozen=True, slots=True)
class Choice:
    """What a row of the tables tries; the values here are the defaults."""

    epochs: int = 5
    subsample: float = 1e-4
    min_count: int = 5
    window: int = 5
    rate: float | None = None  # None: learning_rate = "auto"

    def shown(self) -> Row:
        """The first columns of a row."""
        rate = "auto" if self.rate is None else f"{self.rate:g}"
        values = {"subsample": f"{self.subsample:g}", "min_count": self.min_count, "window": self.window, "rate": rate}
        return {"epochs": self.epochs, **values}


QUICKSTART = Choice(epochs=20, subsample=1e-3, min_count=8, window=8)
RATE = 0.05  # a higher one than auto chooses


@dataclass(slots=True)
class Tried:
    """The scores of a choice, one row a sample."""

    own: list[Row] = field(default_factory=list)  # with all its words
    common: list[Row] = field(default_factory=list)  # with the words that every vocabulary has
    cpu: float = 0.0

    @property
    def means(self) -> list[float]:
        """The mean of the three scores with common words, one a sample."""
        return [statistics.mean(row[score] for score in SCORES) for row in self.common]


class Study:
    """All choices that were tried with one size of corpus."""

    def __init__(self, samples: Sequence[Path], arguments: argparse.Namespace) -> None:
        self._samples = samples
        self._scorer = Scorer(shared_data() / "eval")
        self._pairs = read_pairs(str(shared_data() / "eval" / "wordsim353.tsv"))
        self._dimensions = arguments.dimensions
        self.tried: dict[Choice, Tried] = {}
        self._texts: dict[int, list[Text]] = {}

    def texts(self, min_count: int) -> list[Text]:
        """The samples with the words of one vocabulary."""
        if min_count not in self._texts:
            self._texts[min_count] = [read_text([file], min_count) for file in self._samples]
        return self._texts[min_count]

    def try_out(self, choice: Choice) -> Tried:
        """Train and score every sample, unless that was done before."""
        if choice not in self.tried:
            self.tried[choice] = found = Tried()
            for number, text in enumerate(self.texts(choice.min_count)):
                tell(f"{choice.shown()}, sample {number + 1}")
                began = time.process_time()
                matrix = simulate(text, self._training(choice, text, seed=number + 1))
                found.cpu += (time.process_time() - began) / len(self._samples)
                every = int((text.counts >= max(MIN_COUNTS)).sum())
                found.own.append(self._scored(WordVectors(text.words, text.counts, matrix)))
                found.common.append(self._scored(WordVectors(text.words[:every], text.counts[:every], matrix[:every])))
        return self.tried[choice]

    def enough(self, choices: Sequence[Choice]) -> Choice:
        """The first choice whose mean score is close to the best."""
        means = [statistics.mean(self.try_out(choice).means) for choice in choices]
        return next(choice for choice, mean in zip(choices, means, strict=True) if mean >= max(means) - CLOSE)

    def rows(self, choices: Sequence[Choice], with_own_words: bool) -> list[Row]:
        """The lines of a table, as means over the samples."""
        return [self._row(choice, with_own_words) for choice in choices]

    def _row(self, choice: Choice, with_own_words: bool) -> Row:
        tried, first = self.try_out(choice), self.try_out(Choice())
        found = tried.own if with_own_words else tried.common
        row = choice.shown()
        row["words"] = round(statistics.mean(sample["words"] for sample in found))
        row["WordSim pairs"] = round(statistics.mean(sample["pairs"] for sample in found))
        row |= {score: statistics.mean(sample[score] for sample in found) for score in SCORES}
        if with_own_words:
            return row | {"CPU s": tried.cpu}
        gains = [mean - start for mean, start in zip(tried.means, first.means, strict=True)]
        error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else None
        return row | {"mean": statistics.mean(tried.means), "gain": statistics.mean(gains), "±": error}

    def _training(self, choice: Choice, text: Text, seed: int) -> Word2VecTraining:
        chosen = Word2VecTraining(
            shards=1, lanes=2, dimensions=self._dimensions, seed=seed, epochs=choice.epochs,
            subsample=choice.subsample, window=choice.window, learning_rate=choice.rate or "auto",
        )  # fmt: skip
        return resolve(chosen, text.tokens, len(text.words))

    def _scored(self, vectors: WordVectors) -> Row:
        covered = score_pairs(vectors, self._pairs).covered
        return {"words": len(vectors.words), "pairs": covered, **self._scorer.scores(vectors)}


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """The tables of every size, then the epochs that each needs."""
    sizes = [200_000] if arguments.quick else arguments.sizes
    files = wiki_files(arguments.quick)
    found: list[Row] = []
    for size in sizes:
        number = 1 if arguments.quick else max(1, min(arguments.samples, arguments.sample_tokens // size))
        with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
            study = Study(write_samples(files, size, number, Path(folder)), arguments)
            found.append(study_size(report, study, size, arguments))
    report.table("epochs: the fewest whose mean of three scores is close to the best", found)


def study_size(report: Report, study: Study, size: int, arguments: argparse.Namespace) -> Row:
    """Print the tables of one size; returns the epochs that it needs."""
    tokens = round(statistics.mean(text.tokens for text in study.texts(Choice().min_count)))
    affordable = [number for number in arguments.epochs if number * size <= arguments.most_trained]
    epochs = [5, 10] if arguments.quick else sorted({Choice().epochs, *affordable})
    sweep = [Choice(epochs=number) for number in epochs]
    enough = study.enough(sweep)
    last = [*one_at_a_time(enough), QUICKSTART]
    choices = list(dict.fromkeys([Choice(), *sweep, *(last[:2] if arguments.quick else last)]))
    many = len(study.texts(Choice().min_count))
    title = f"{tokens:,} tokens, mean of {many} sample{'s' if many > 1 else ''}"
    report.table(f"{title}: each vocabulary with the pairs that it covers", study.rows(choices, True))
    report.table(f"{title}: words with a count of at least {max(MIN_COUNTS)}", study.rows(choices, False))
    means = {choice.epochs: statistics.mean(study.try_out(choice).means) for choice in sweep}
    best = max(means, key=lambda number: means[number])
    return {
        "tokens": tokens, "enough": enough.epochs, "best": best, "trained M": tokens * enough.epochs / 1e6,
        "mean with 5": means[Choice().epochs], "with enough": means[enough.epochs], "with best": means[best],
    }  # fmt: skip


def one_at_a_time(base: Choice) -> Iterator[Choice]:
    """What differs from the base in one setting; another subsample also with other epochs."""
    yield from (replace(base, subsample=value) for value in SUBSAMPLES)
    yield replace(base, subsample=1e-5, epochs=2 * base.epochs)
    yield replace(base, subsample=1e-3, epochs=max(1, base.epochs // 2))
    yield from (replace(base, min_count=value) for value in MIN_COUNTS)
    yield from (replace(base, window=value) for value in WINDOWS)
    yield replace(base, rate=RATE)


def write_samples(files: Sequence[Path], tokens: int, number: int, folder: Path) -> list[Path]:
    """Compressed texts of at least so many tokens: the first documents, then the next ones."""
    documents = _documents(files)
    samples = [folder / f"sample-{i}.txt.gz" for i in range(number)]
    for sample in samples:
        with gzip.open(sample, "wt", encoding="utf-8", compresslevel=1) as out:
            written = 0
            while written < tokens and (document := next(documents, None)):
                out.write(document)
                written += len(document.split())
    return samples


def _documents(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from lines


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[250_000, 1_000_000, 4_000_000], help="tokens")
    parser.add_argument("--epochs", type=int, nargs="+", default=list(EPOCHS), help="numbers of epochs, beside 5")
    parser.add_argument("--samples", type=int, default=4, help="samples of a size at most (4)")
    parser.add_argument(
        "--sample-tokens", type=int, default=2_000_000, help="tokens of all samples at most (2 million)"
    )
    parser.add_argument("--most-trained", type=int, default=160_000_000, help="tokens x epochs at most (160 million)")
    parser.add_argument("--dimensions", type=int, default=100)


if __name__ == "__main__":
    sys.exit(run_script("small_corpora", __doc__, measure, options))
