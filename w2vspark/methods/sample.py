"""Tables of a sample corpus, as if steps had made them, to measure the rates of later steps."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED, VOCABULARY
from w2vspark.flow.measuring import THREADS, zipf_ids
from w2vspark.flow.run import Run
from w2vspark.stages.input import InputConfig
from w2vspark.stages.vocabulary import VocabularyConfig
from w2vspark.storage.listed import write_small
from w2vspark.text.settings import PhrasesConfig

WORDS = 20_000  # with 100 dimensions two matrices have 16 MB, more than most caches
TOKENS = 100_000  # for each thread
PIECE_TOKENS = 1_000


def sample(run: Run, words: int = WORDS, tokens: int = TOKENS * THREADS) -> None:
    """Give the run the tables of a corpus whose words are as frequent as in a language, by Zipf's law.

    Each document is a piece of PIECE_TOKENS tokens, in a bucket of its own.
    """
    drawn = zipf_ids(words, tokens)
    counts = np.bincount(drawn, minlength=words)
    order = np.argsort(-counts, kind="stable")
    ids = np.empty(words, np.int32)
    ids[order] = np.arange(words)
    pieces = tokens // PIECE_TOKENS
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(pieces + 1, dtype=np.int32) * PIECE_TOKENS), pa.array(ids[drawn[: pieces * PIECE_TOKENS]])
    )
    encoded = {
        "bucket": range(pieces), "doc_id": [f"d{number:06d}" for number in range(pieces)], "piece": [0] * pieces,
        "ids": lists,
    }  # fmt: skip
    vocabulary = {
        "id": range(words), "word": [f"w{number}" for number in range(words)], "count": np.maximum(counts[order], 1),
    }  # fmt: skip
    sizes = {"bucket": range(pieces), "pieces": [1] * pieces, "tokens": [PIECE_TOKENS] * pieces}
    tables = {
        "vocabulary": pa.table(vocabulary, VOCABULARY),
        "encoded": pa.table(encoded, ENCODED),
        "bucket_counts": pa.table(sizes, BUCKET_COUNTS),
    }
    odd = dict.fromkeys(("malformed_rows", "null_documents", "empty_documents"), 0)
    run.records["word_counts"] = odd | {"documents": pieces, "tokens": tokens}
    fresh = replace(run.config[VocabularyConfig], keep="none")
    run.config = run.config.replaced(PhrasesConfig(), InputConfig(table="sample"), fresh)
    for name, table in tables.items():
        run.uris[name] = storage.join(run.output, f"sample-{name}")
        write_small(table, run.uris[name])
        run.records[name] = {"words": words, "tokens": pieces * PIECE_TOKENS, "buckets": pieces}
