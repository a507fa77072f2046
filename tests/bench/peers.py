"""The peers as programs of their own, so that each is measured from its start to its end.

python tests/bench/peers.py gensim|mllib|fasttext|session … ; the benchmarks call it.
"""

import argparse
import gzip
import time
from pathlib import Path


def unpack(files: list[Path], target: Path) -> None:
    """The compressed files as one plain text file, which gensim's corpus_file mode wants."""
    with target.open("wb") as out:
        for file in files:
            with gzip.open(file) as lines:
                out.writelines(lines)


def gensim(arguments: argparse.Namespace) -> None:
    """gensim's fastest way: from a plain file, two threads in C."""
    from gensim.models import Word2Vec

    text = arguments.output.with_suffix(".txt")
    unpack(arguments.files, text)
    model = Word2Vec(
        corpus_file=str(text), sg=1, vector_size=100, window=5, negative=5, sample=1e-4, min_count=5,
        workers=arguments.workers, epochs=arguments.epochs, seed=arguments.seed,
    )  # fmt: skip
    model.wv.save_word2vec_format(str(arguments.output), binary=True)


def mllib(arguments: argparse.Namespace) -> None:
    """Spark's own Word2Vec; one partition is its default. Several train in processes of their own, as on a cluster."""
    from pyspark.ml.feature import Word2Vec
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    session = (
        SparkSession.builder.master(
            "local[2]" if arguments.partitions == 1 else f"local-cluster[{arguments.partitions},1,1024]"
        )
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    lines = session.read.text([str(file) for file in arguments.files])
    documents = lines.select(F.split("value", " ").alias("words"))
    model = Word2Vec(
        inputCol="words", vectorSize=100, windowSize=5, minCount=5, maxIter=arguments.epochs,
        numPartitions=arguments.partitions, maxSentenceLength=1000, seed=arguments.seed,
    ).fit(documents)  # fmt: skip
    model.getVectors().write.mode("overwrite").parquet(str(arguments.output))
    session.stop()


def fasttext(arguments: argparse.Namespace) -> None:
    """fastText's own program in its PyPI package, from a plain file; vectors and times as NumPy's .npz.

    It takes no seed: its threads make every run another.
    """
    import fasttext as peer
    import numpy as np

    (text,) = arguments.files
    wall, cpu = time.perf_counter(), time.process_time()
    model = peer.train_unsupervised(
        str(text), model="skipgram", dim=100, ws=5, neg=5, t=1e-4, minCount=5, minn=3, maxn=6, bucket=2_000_000,
        epoch=arguments.epochs, thread=arguments.workers, verbose=0,
    )  # fmt: skip
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    words = model.get_words()
    matrix = np.array([model.get_word_vector(word) for word in words], np.float32)
    np.savez(arguments.output.with_suffix(".npz"), words=np.array(words), matrix=matrix, wall=wall, cpu=cpu)


def main() -> None:
    """Parse and run one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=("gensim", "mllib", "fasttext"))
    parser.add_argument("output", type=Path, nargs="?", help="where its vectors go")
    parser.add_argument("files", type=Path, nargs="*", help="compressed text")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=1)
    arguments = parser.parse_args()
    {"gensim": gensim, "mllib": mllib, "fasttext": fasttext}[arguments.peer](arguments)


if __name__ == "__main__":
    main()
