"""LSA against gensim's LsiModel and scikit-learn's TruncatedSVD: time from text to vectors, and what the vectors know.

Time: the articles ten times over (ids changed), 100 dimensions, log-entropy; from the compressed lines of JSON to the
vectors of all documents and words. Ours at local[2] without the session's start, the sum of all stages, with tables
written; gensim's in memory: tokenizing, dictionary, weights, LsiModel and the documents' vectors, without writing them.

Lee: 300 documents of background are trained on, 50 others folded in; the correlation (Pearson) of their cosines with
how alike people find them. bbc: how often a document's nearest neighbour has its label. All programs get the words of
the same tokenizer, and the same vocabulary.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import PROJECT, Report, need, run_script, shared_data, tell
from ours import manifest, run_w2vspark, stage_seconds

from w2vspark import storage
from w2vspark.output import publish
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenizer import tokenizer
from w2vspark.vectors import fold_texts, load_lsa

CONFIG = PROJECT / "conf" / "lsa.toml"
COPIES, MIN_COUNT = 10, 5
DIMENSIONS = 100
WEIGHTINGS = ("log-entropy", "tf-idf")
EXPONENTS = (0.0, 0.5, 0.75, 1.0)
words_of = tokenizer(TokensConfig())


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Time, then Lee, then bbc; or some of them."""
    need("gensim")
    need("scikit-learn")
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        for part in arguments.parts:
            {"time": measure_time, "lee": measure_lee, "bbc": measure_bbc}[part](report, Path(folder), arguments.quick)


def measure_time(report: Report, folder: Path, quick: bool) -> None:
    """From text to vectors."""
    copies = 1 if quick else COPIES
    files = write_copies(folder / "articles", copies)
    run = train(files, folder / "time", f"vocabulary.min_count={MIN_COUNT * copies}")
    stages = {name: seconds for name, seconds in stage_seconds(run).items() if name != "spark"}
    ours = sum(stages.values())
    made = manifest(folder / "time")
    report.table("seconds of our stages, Spark's start left out", [stages])
    tell("gensim: reading")
    began = time.perf_counter()
    texts = Texts(files, MIN_COUNT * copies)
    read = time.perf_counter() - began
    tell("gensim: LsiModel")
    _, vectors = gensims(texts, "log-entropy")
    theirs = time.perf_counter() - began
    if len(vectors) != made["tables"]["documents"] or len(texts.dictionary) != made["tables"]["vectors"]:
        raise RuntimeError(f"gensim has {len(texts.dictionary)} words and {len(vectors)} documents: {made['tables']}")
    size = {"documents": len(vectors), "words": len(texts.dictionary), "tokens": made["corpus"]["tokens"]}
    report.table(
        f"text to vectors, {DIMENSIONS} dimensions, {copies} times the articles",
        [
            {"": "w2vspark", **size, "seconds": ours, "of these to words by documents": ours - stages["svd"]
             - stages["version"], "peak MB of a worker": run.peak("worker") / 1e6, "CPU s": run.cpu},
            {"": "gensim", **size, "seconds": theirs, "of these to words by documents": read},
        ],
    )  # fmt: skip
    report.at_most("seconds, of gensim's", ours / theirs, 1.0)


def measure_lee(report: Report, folder: Path, quick: bool) -> None:
    """Documents that were not trained on, against people's judgement."""
    lee = shared_data() / "eval" / "lee"
    background, asked = (
        (lee / name).read_text(encoding="latin-1").splitlines() for name in ("lee_background.cor", "lee.cor")
    )
    people = np.array([line.split() for line in (lee / "similarities0-1.txt").read_text().splitlines()], float)
    pairs = np.triu_indices(len(asked), 1)
    file = write_lines(folder / "lee.jsonl", background)
    texts = Texts([file], 2)
    rows, gains = [], {}
    for weighting in WEIGHTINGS[: 1 if quick else None]:
        output = folder / f"lee-{weighting}"
        train([file], output, "vocabulary.min_count=2", f"lsa.weighting={weighting}")
        model = load_lsa(str(output))
        vectors = fold_texts(model, asked)
        lsi, _ = gensims(texts, weighting)
        found = {
            "w2vspark": correlation(vectors, people, pairs),
            "gensim": correlation(lsi(texts.bow(words) for words in map(words_in, asked)), people, pairs),
            **{f"exponent {p}": correlation(rescaled(model, vectors, p), people, pairs) for p in EXPONENTS},
        }
        rows.append({"": weighting, **found})
        gains[weighting] = found["w2vspark"] - found["gensim"]
    report.table(f"Lee: correlation with people, {DIMENSIONS} dimensions", rows)
    for weighting, gain in gains.items():
        report.at_least(f"Lee, {weighting}: correlation, less gensim's", gain, 0.0)


def measure_bbc(report: Report, folder: Path, quick: bool) -> None:
    """Labels of nearest neighbours."""
    from sklearn.decomposition import TruncatedSVD

    with gzip.open(shared_data() / "eval" / "bbc.jsonl.gz", "rt") as lines:
        news = [json.loads(line) for line in lines]
    file = write_lines(folder / "bbc.jsonl", [document["text"] for document in news])
    labels = np.array([document["label"] for document in news])
    texts = Texts([file], MIN_COUNT)
    rows = []
    for weighting in WEIGHTINGS[: 1 if quick else None]:
        output = folder / f"bbc-{weighting}"
        train([file], output, f"vocabulary.min_count={MIN_COUNT}", f"lsa.weighting={weighting}")
        table = storage.read_table(publish.resolve(str(output)).table("documents"))
        order = [int(doc_id) for doc_id in table["doc_id"].to_pylist()]
        vectors = np.array(table["vector"].to_pylist())
        model = load_lsa(str(output))
        weighted = texts.matrix(weighting)
        svd = TruncatedSVD(DIMENSIONS, random_state=1).fit_transform(weighted)
        found = {
            "w2vspark": accuracy(vectors, labels[order]),
            "scikit-learn": accuracy(svd, labels),
            "gensim": accuracy(gensims(texts, weighting)[1], labels),
            **{f"exponent {p}": accuracy(rescaled(model, vectors, p), labels[order]) for p in EXPONENTS},
        }
        rows.append({"": weighting, **found})
    report.table(f"bbc: neighbours with the same label, {DIMENSIONS} dimensions", rows)


class Texts:
    """Documents as gensim has them: bags of words, in little memory."""

    def __init__(self, files: Iterable[Path], min_count: int) -> None:
        from gensim.corpora import Dictionary

        self.dictionary = Dictionary()
        self._bags = []
        for words in map(words_in, texts_of(files)):
            bag = self.dictionary.doc2bow(words, allow_update=True)
            self._bags.append((np.array([word for word, _ in bag], np.int32), [count for _, count in bag]))
        rare = [word for word, count in self.dictionary.cfs.items() if count < min_count]
        before = dict(self.dictionary.items())
        self.dictionary.filter_tokens(bad_ids=rare)
        self._ids = np.full(len(before), -1, np.int64)
        for old, word in before.items():
            self._ids[old] = self.dictionary.token2id.get(word, -1)

    def bow(self, words: list[str]) -> list[tuple[int, int]]:
        """A document's known words and their counts."""
        found: list[tuple[int, int]] = self.dictionary.doc2bow(words)
        return found

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for words, counts in self._bags:
            ids = self._ids[words].tolist()
            bag = [(word, count) for word, count in zip(ids, counts, strict=True) if word >= 0]
            if bag:
                yield bag

    def __len__(self) -> int:
        return len(self._bags)

    def weights(self, weighting: str) -> Any:
        """gensim's model of the weights: rows of length 1 in both."""
        from gensim.models import LogEntropyModel, TfidfModel

        return TfidfModel(self) if weighting == "tf-idf" else LogEntropyModel(self)

    def matrix(self, weighting: str) -> Any:
        """Documents by words, as scikit-learn takes them."""
        from gensim.matutils import corpus2csc

        return corpus2csc(self.weights(weighting)[self], num_terms=len(self.dictionary)).T.tocsr()


def gensims(texts: Texts, weighting: str) -> tuple[Any, np.ndarray]:
    """A function that folds in bags of words, and the vectors of all documents."""
    from gensim.matutils import corpus2dense
    from gensim.models import LsiModel

    weights = texts.weights(weighting)
    lsi = LsiModel(weights[texts], num_topics=DIMENSIONS, id2word=texts.dictionary, random_seed=1)

    def fold(bags: Iterable[list[tuple[int, int]]]) -> np.ndarray:
        found: np.ndarray = corpus2dense((lsi[weights[bag]] for bag in bags), DIMENSIONS).T
        return found

    return fold, corpus2dense(lsi[weights[texts]], DIMENSIONS).T


def train(files: list[Path], output: Path, *settings: str) -> Any:
    """A run of lsa over lines of JSON."""
    chosen = ["input.format=json", "input.id_column=id", "training.method=lsa", f"training.dimensions={DIMENSIONS}"]
    return run_w2vspark(files, output, *chosen, *settings, config=CONFIG)


def words_in(text: str) -> list[str]:
    """A document's words."""
    return [word for sentence in words_of(text) for word in sentence]


def texts_of(files: Iterable[Path]) -> Iterator[str]:
    """The documents of files of JSON."""
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]


def write_lines(file: Path, texts: list[str]) -> Path:
    """Documents that are named by their number."""
    lines = (json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def write_copies(folder: Path, copies: int) -> list[Path]:
    """The articles so many times over, in a file for each of theirs; a copy's ids are others."""
    folder.mkdir()
    files = sorted((shared_data() / "articles").glob("*.gz"))
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            documents = [json.loads(line) for line in lines]
        with (folder / file.stem).open("w", encoding="utf-8") as target:
            for copy in range(copies):
                for document in documents:
                    target.write(json.dumps({"id": f"{document['id']}-{copy}", "text": document["text"]}) + "\n")
    return [folder / file.stem for file in files]


def rescaled(model: Any, vectors: np.ndarray, exponent: float) -> np.ndarray:
    """Vectors as another svd.exponent had made them."""
    scaled: np.ndarray = vectors * (1 / model.inverse) ** (exponent - model.exponent)
    return scaled


def correlation(vectors: np.ndarray, people: np.ndarray, pairs: tuple[np.ndarray, ...]) -> float:
    """Pearson's, of the documents' cosines with people's judgement."""
    return float(np.corrcoef(cosines(vectors)[pairs], people[pairs])[0, 1])


def accuracy(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Documents whose nearest neighbour has their label, of all."""
    near = cosines(vectors)
    np.fill_diagonal(near, -2)
    return float((labels[near.argmax(axis=1)] == labels).mean())


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Of every pair of rows."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    found: np.ndarray = unit @ unit.T
    return found


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parts = ("time", "lee", "bbc")
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))


if __name__ == "__main__":
    sys.exit(run_script("lsa", __doc__, measure, options))
