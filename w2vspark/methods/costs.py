"""What the steps cost that methods share: to count and encode the text, to decompose a matrix, and to publish."""

from w2vspark import storage
from w2vspark.base.errors import ConfigError
from w2vspark.config.config import Config
from w2vspark.flow.costs import MODEL, QUERY, Cost
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION
from w2vspark.methods.corpus import BYTES_PER_TOKEN, COMPRESSION, counted_record, has_phrases
from w2vspark.stages.cooccurrences import (
    ENTRY_WORK,
    LEAST_TASKS,
    MOST_REDUCERS,
    REDUCER_EVENTS,
    SLICE_TOKENS,
    CooccurrencesConfig,
)
from w2vspark.stages.encoded import COUNTING_TASKS, TOKENS_PER_FILE
from w2vspark.stages.input import InputConfig
from w2vspark.text.settings import PhrasesConfig
from w2vspark.training.svd.plan import MOST_SLICES, SLICE_ENTRIES, SvdConfig

TEXT = "MB of text"
# Spark cuts a file into parts of at least 4 MB (spark.sql.files.openCostInBytes). Compressed text is not cut.
PART_BYTES = 4 << 20
GUESSED_ENTRIES = 0.14  # different pairs of neighbours, for each pair in the text


def corpus_costs(run: Run, tokens: int) -> list[Cost]:
    """The costs of the steps from the text to table bucket_counts. tokens: of the vocabulary's words."""
    config = run.config
    megabytes, tasks, largest = _text(run, tokens)
    reading = {"amount": megabytes, "unit": TEXT, "tasks": tasks, "largest": largest}
    passes = len(config[PhrasesConfig].thresholds)
    costs = []
    if has_phrases(config):  # a pass counts pairs, writes the phrases, and chooses two lists of examples
        reading_twice = reading | {"amount": passes * megabytes}
        costs.append(Cost("phrases", "phrases", queries=5 * passes, **reading_twice))  # type: ignore[arg-type]
    return [
        *costs,
        Cost("word_counts", "word_counts", queries=1, **reading),  # type: ignore[arg-type]
        Cost("vocabulary", QUERY, 0, "", queries=2),
        Cost("encoded", "encoded", queries=1, **reading),  # type: ignore[arg-type]
        Cost("bucket_counts", QUERY, 0, "", min(COUNTING_TASKS, -(-tokens // TOKENS_PER_FILE)), queries=1),
    ]


def _text(run: Run, tokens: int) -> tuple[float, int, float]:
    """The text's megabytes without compression, the tasks that read it, and the share of the largest task."""
    size, tasks, largest = 0.0, 0, 0.0
    for path in run.config[InputConfig].path:
        for file in storage.list_files(path):
            factor = COMPRESSION.get("." + file.uri.rpartition(".")[2], 1.0)
            parts = 1 if factor > 1 else max(1, -(-file.size // PART_BYTES))
            size, tasks, largest = size + file.size * factor, tasks + parts, max(largest, file.size * factor / parts)
    if size:
        return size / 1e6, tasks, largest / size
    if counted_record(run, "vocabulary") is None:  # the text is a table or a frame
        raise ConfigError(
            "--cluster: the size of a table is unknown before its words are counted; run with --until vocabulary first"
        )
    return tokens * BYTES_PER_TOKEN / 1e6, max(1, round(tokens * BYTES_PER_TOKEN / PART_BYTES)), 0.0


def guessed_entries(run: Run, tokens: int) -> int:
    """Entries of table cooccurrences, counted or guessed."""
    record = counted_record(run, "cooccurrences")
    return record["entries"] if record else round(GUESSED_ENTRIES * tokens * _reach(run.config))


def _reach(config: Config) -> int:
    """The largest number of neighbours of a word."""
    counts = config[CooccurrencesConfig]
    return counts.window * (2 if counts.direction == "symmetric" else 1)


def count_files(run: Run, tokens: int) -> int:
    """Files of table cooccurrences, and tasks that read it."""
    return min(MOST_REDUCERS, max(1, round(tokens * _reach(run.config) / REDUCER_EVENTS)))


def cooccurrences_cost(run: Run, tokens: int) -> Cost:
    """The cost of counting neighbours: pairs in the text, and entries, each of which costs as much as several pairs."""
    slices = max(1, -(-tokens // SLICE_TOKENS))
    tasks = slices * min(count_files(run, tokens), -(-LEAST_TASKS // slices))
    events = tokens * _reach(run.config) + ENTRY_WORK * guessed_entries(run, tokens)
    return Cost("cooccurrences", "cooccurrences", events / 1e6, "M pairs", tasks, queries=1)


def svd_cost(rows: int, columns: int, entries: int, width: int, svd: SvdConfig) -> Cost:
    """The cost of a decomposition. svd: without `auto`. width: of the projection.

    A pass multiplies each entry twice by `width` numbers. It also multiplies the dense matrix by a small one, and by
    itself, which are `width` products for each of its values. At the end each entry is multiplied once more.
    """
    passes = int(svd.power_iterations) + 1
    products = width * (entries * (2 * passes + 1) + columns * width * 2 * passes)
    tasks = max(1, min(MOST_SLICES, rows, -(-entries // SLICE_ENTRIES)))
    return Cost("svd", "svd", products / 1e9, "G products", tasks, queries=passes + 3)


def version_cost(megabytes: float, tables: int) -> Cost:
    """The cost of publishing. megabytes: of all vectors."""
    return Cost(VERSION, MODEL, megabytes, "MB of vectors", max(1, round(megabytes / 64)), queries=tables)
