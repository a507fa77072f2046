"""A small corpus as the stages before the rounds leave it, and trainings of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from held import staging_of
from listed_tables import list_folder

from w2vspark.base import schemas
from w2vspark.output.staging import Staging
from w2vspark.storage.listed import read_listed
from w2vspark.training.plan import MatrixShape, Round
from w2vspark.training.rounds import run_rounds
from w2vspark.training.trainer import RoundJob
from w2vspark.training.word2vec.plan import matrix_shapes, resolve, rounds_of
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.trainer import Word2Vec

WORDS, DIMENSIONS, BUCKETS = 9000, 12, 64  # three blocks of rows, the last one shorter; rows padded from 12 to 16
Metrics = list[dict[str, object]]


@dataclass(frozen=True)
class Corpus:
    """Folders of the tables vocabulary and encoded, and the tokens of each bucket, int64 (BUCKETS,)."""

    vocabulary: str
    encoded: str
    tokens: np.ndarray


def write_corpus(folder: Path) -> Corpus:
    """A vocabulary, and 400 pieces of Zipf's words in 64 buckets and two files."""
    draw = np.random.default_rng(11)
    pieces = [np.minimum(draw.zipf(1.2, draw.integers(20, 120)), WORDS).astype(np.int32) - 1 for _ in range(400)]
    counts = np.bincount(np.concatenate(pieces), minlength=WORDS) + 1
    order = np.argsort(-counts, kind="stable")  # ids run from the most frequent word
    pieces, counts = [np.argsort(order).astype(np.int32)[piece] for piece in pieces], counts[order]
    buckets = np.sort(draw.integers(0, BUCKETS, len(pieces))).astype(np.int32)
    columns = {"bucket": buckets, "doc_id": [f"d{n:04}" for n in range(400)], "piece": np.zeros(400, np.int32)}
    encoded = pa.table(columns | {"ids": [piece.tolist() for piece in pieces]}, schema=schemas.ENCODED)
    words = {"id": np.arange(WORDS, dtype=np.int32), "word": [f"w{n}" for n in range(WORDS)], "count": counts}
    for name in ("vocabulary", "encoded"):
        (folder / name).mkdir()
    pq.write_table(pa.table(words, schema=schemas.VOCABULARY), folder / "vocabulary" / "part-0.parquet")
    pq.write_table(encoded.slice(0, 150), folder / "encoded" / "part-0.parquet")
    pq.write_table(encoded.slice(150), folder / "encoded" / "part-1.parquet")
    tokens = np.bincount(buckets, weights=[piece.size for piece in pieces], minlength=BUCKETS).astype(np.int64)
    return Corpus(list_folder(folder / "vocabulary"), list_folder(folder / "encoded"), tokens)


def training(shards: int, **more: object) -> Word2VecTraining:
    """Settings of a training of two rounds an epoch, without `auto`."""
    chosen: dict[str, object] = {
        "dimensions": DIMENSIONS, "epochs": 1, "shards": shards, "lanes": 2, "rounds_per_epoch": 2, "subsample": 0.0,
        "learning_rate": 0.05, "lane_merge_tokens": 2000,
    }  # fmt: skip
    return resolve(Word2VecTraining(**(chosen | more)), 20_000, WORDS)


def job_of(corpus: Corpus, config: Word2VecTraining, **more: object) -> RoundJob:
    """The job of the first round. What the engine fills itself is empty, but for what `more` says."""
    filled: dict[str, object] = {"table_uri": "", "changes_uri": "", "reducers": ()}
    trainer = Word2Vec(
        training=config, total_tokens=int(corpus.tokens.sum()) * config.epochs, shapes=matrix_shapes(config, WORDS),
        vocabulary_uri=corpus.vocabulary, subwords=None, encoded_uri=corpus.encoded,
    )  # fmt: skip
    first = rounds_of(corpus.tokens, config)[0]
    return RoundJob(trainer=trainer, round=first, parameters_uri=None, threads=1, **(filled | more))


@dataclass
class Trained:
    """A training that has ended: the last round's table, all metrics, the rounds, the job, and the rounds trained."""

    uri: str
    metrics: Metrics
    rounds: list[Round]
    job: RoundJob
    seen: list[int]

    @property
    def bytes(self) -> dict[str, bytes]:
        """Of the last round's matrices."""
        return {name: matrix.tobytes() for name, matrix in matrices(self.uri, self.job.trainer.shapes).items()}


def train(
    session: object,
    corpus: Corpus,
    output: Path,
    config: Word2VecTraining,
    after: Callable[[int], None] = lambda number: None,
    staging: Staging | None = None,
) -> Trained:
    """Train all rounds that are not there yet. after: called with a round's number when it is done."""
    job, rounds, seen = job_of(corpus, config), rounds_of(corpus.tokens, config), []

    def progress(number: int, of: int, record: dict[str, object]) -> None:
        rows = record["metrics"]
        assert of == len(rounds) and {row["round"] for row in rows} == {number} and record["seconds"] > 0
        seen.append(number)
        after(number)

    uri, metrics = run_rounds(session, staging or staging_of(output), "f", rounds, job, progress)
    return Trained(uri, metrics, rounds, job, seen)


def matrices(uri: str, shapes: tuple[MatrixShape, ...]) -> dict[str, np.ndarray]:
    """All matrices of a round's table, float32 (rows, width); every row is there once."""
    found = {}
    for shape in shapes:
        matrix, seen = np.full((shape.rows, shape.width), np.nan, np.float32), np.zeros(shape.rows, np.int64)
        for row in read_listed(uri, matrix=shape.name).to_pylist():
            assert row["matrix"] == shape.name
            own = slice(row["first_id"], row["first_id"] + row["rows"])
            matrix[own] = np.frombuffer(row["values"], np.float32).reshape(row["rows"], -1)
            seen[own] += 1
        assert (seen == 1).all()
        found[shape.name] = matrix
    return found


def without_seconds(metrics: Metrics) -> Metrics:
    """What the same training has again."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in metrics]


def attempt(output: Path, number: int) -> Path:
    """The folder of the only attempt at a round."""
    (record,) = (output / "staging" / "rounds" / "f" / f"{number:06}").glob("*.json")
    return record.with_suffix("")


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Flip a bit of a file. at: which byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
