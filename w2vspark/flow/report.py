"""What `w2vspark run` prints: the plan before (--dry-run), the summary after."""

from dataclasses import replace
from typing import Any

from w2vspark import storage
from w2vspark.base.redaction import redacted
from w2vspark.config.config import Config, TrainingConfig, to_toml, used_settings
from w2vspark.flow.engine import forced_stages, matching_candidate, nothing_made, standing
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.methods.pipeline import fingerprints, steps_until
from w2vspark.output import publish
from w2vspark.output.marker import check_output
from w2vspark.output.staging import STAGING, Staging
from w2vspark.training.glove.plan import glove_worker_bytes, resolve_glove
from w2vspark.training.plan import matrix_shapes, resolve, worker_bytes
from w2vspark.training.svd.plan import resolved_svd, svd_worker_bytes
from w2vspark.training.word2vec.composed import composing_bytes

# Heaps' law with the constants of English Wikipedia at min_count 5: words = 17 * sqrt(tokens).
GUESSED_WORDS = 17.0
GUESSED_NGRAMS = 8  # a word of English, each counted once
GUESSED_ENTRIES = 0.14  # of the counts, for each pair of neighbours in the text
BYTES_PER_TOKEN = 6.0
COMPRESSION = {".gz": 3.0, ".bz2": 4.0, ".zst": 3.0}


def dry_run(config: Config, force_from: str | None, until: str | None = None, hold: bool = False) -> str:
    """The resolved configuration, which tables are there and which will be made, and the memory needed."""
    output = storage.absolute_uri(config.output.path)
    check_output(output, "method")
    run = Run(config, output, Progress(), Staging(output), last="vectors", hold=hold)
    run.fingerprints = fingerprints(run)
    steps = steps_until(config, until, hold)
    forced = forced_stages(steps, force_from)
    lines = ["plan:"]
    publishes = run.last in [step.table for step in steps] and not forced
    why = standing(run) if publishes else ""
    candidate = matching_candidate(run) if publishes and not why else None
    for step in steps:
        there = why or run.staging.find(step.table, run.fingerprints[step.table]) is not None
        lines.append(f"  {step.table:<14} {'is there' if there and step.table not in forced else 'will be made'}")
    if why:
        lines.append(f"  nothing to do: {why}")
    if candidate is not None:
        lines[1:] = [f"  {candidate.folder} was made from just this and will be promoted"]
    tokens, words, source = _size(run)
    resolved, needed = {"word2vec": _word2vec, "glove": _glove, "svd": _svd}[config.training.family](run, tokens, words)
    memory = (
        f"memory, for {words:,} words and {tokens:,} tokens ({source}):\n"
        f"  {needed}; the driver's Python less than 400 MB"
    )
    return "\n".join([to_toml(redacted(used_settings(resolved))), *lines, memory, ""])


def _word2vec(run: Run, tokens: int, words: int) -> tuple[Config, str]:
    """The resolved configuration, and the memory that its training needs, of a word2vec method."""
    config = run.config
    training = resolve(config.training, tokens, words, config.warm_start, config.subwords.enabled)
    ngrams = _ngrams(run, words)
    shapes = matrix_shapes(training, words, ngrams)
    needed = worker_bytes(training, shapes, words, tokens)
    memory = _memory(sum(shape.bytes for shape in shapes), needed, training)
    if config.subwords.enabled:
        publishing = composing_bytes(words, ngrams, training.dimensions)
        memory += f"; a task that publishes vectors {publishing / 1e6:,.0f} MB of Python memory"
    return replace(config, training=training), memory


def _glove(run: Run, tokens: int, words: int) -> tuple[Config, str]:
    """As _word2vec, of GloVe."""
    counted = run.staging.find("cooccurrences", run.fingerprints["cooccurrences"])
    reach = run.config.cooccurrences.window * (2 if run.config.cooccurrences.direction == "symmetric" else 1)
    records = counted.record["entries"] if counted is not None else round(GUESSED_ENTRIES * (reach * tokens))
    training, glove = resolve_glove(run.config.training, run.config.glove, tokens, records)
    model = 2 * words * 4 * 2 * (training.dimensions + 1)
    needed = glove_worker_bytes(training, words, records)
    return replace(run.config, training=training, glove=glove), _memory(model, needed, training)


def _svd(run: Run, _tokens: int, words: int) -> tuple[Config, str]:
    """As _word2vec, of methods that end in a singular value decomposition."""
    training, svd = run.config.training, resolved_svd(run.config.training, run.config.svd)
    width = training.dimensions + int(svd.oversampling)
    needed = f"a worker of the SVD {svd_worker_bytes(words, width) / 1e6:,.0f} MB of Python memory"
    return replace(run.config, svd=svd), f"model {4 * words * width / 1e6:,.0f} MB; {needed}"


def _memory(model: int, worker: int, training: TrainingConfig) -> str:
    return (
        f"model {model / 1e6:,.0f} MB; a training worker {worker / 1e6:,.0f} MB of Python memory, "
        f"{training.shards} of them"
    )


def _size(run: Run) -> tuple[int, int, str]:
    """Tokens and words of the corpus, and whether they were counted or guessed."""
    counted = run.staging.find("vocabulary", run.fingerprints["vocabulary"])
    if counted is not None:
        return counted.record["tokens"], counted.record["words"], "counted"
    tokens = _guessed_tokens(run.config)
    words = max(1, round(GUESSED_WORDS * tokens**0.5))
    if run.config.vocabulary.max_size:
        words = min(words, run.config.vocabulary.max_size)
    return tokens, words, "guessed from the input's size, as are the auto values above, until the vocabulary is counted"


def _ngrams(run: Run, words: int) -> int:
    """Buckets of n-grams that take a row, counted or guessed."""
    config = run.config.subwords
    if not config.enabled:
        return 0
    counted = run.staging.find("ngram_buckets", run.fingerprints["ngram_buckets"])
    return int(counted.record["ngrams"]) if counted is not None else min(config.buckets, GUESSED_NGRAMS * words)


def _guessed_tokens(config: Config) -> int:
    size = 0.0
    for path in config.input.path:
        for file in storage.list_files(path):
            ending = "." + file.uri.rpartition(".")[2]
            size += file.size * COMPRESSION.get(ending, 1.0)
    return max(1, round(size / BYTES_PER_TOKEN))


def report(run: Run) -> str:
    """The summary of a run that has ended well."""
    if told := nothing_made(run):
        return told
    version = publish.resolve(run.records["vectors"]["path"])  # this run's: another may have published since
    current, record = version.folder, version.manifest
    corpus, training = record["corpus"], record["config"]["training"]
    lines = [
        f"corpus      {corpus['documents']:,} documents, {corpus['tokens']:,} tokens{_oddities(corpus)}",
        f"vocabulary  {record['vocabulary']['words']:,} words, {record['vocabulary']['tokens']:,} tokens of the corpus",
        f"training    {training['method']}, {training['dimensions']} dimensions; {_of_training(run, training)}",
        "seconds     " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in record["seconds"].items()),
        f"tables      {current}/{{{','.join(_in_order(record['tables']))}}}",
    ]
    if documents := record.get("documents"):
        without = documents["without_known_words"]
        rest = f"; {without:,} without a word of the vocabulary have none" if without else ""
        lines.insert(3, f"documents   {documents['with_vector']:,} vectors{rest}")
    if moved := run.trained().get("movement"):
        farthest = f"; of frequent ones moved most: {', '.join(moved['farthest'])}" if moved["farthest"] else ""
        lines.insert(
            3, f"moved       {moved['words']:,} earlier words, mean cosine {moved['mean_cosine']:.3f}{farthest}"
        )
    if run.hold:
        lines.append(f"candidate   make it current with: w2vspark promote {run.config.output.path} {version.name}")
    return "\n".join(lines) + "\n"


def _of_training(run: Run, training: dict[str, Any]) -> str:
    """How the vectors were trained. training: resolved."""
    record = run.trained()
    if "singular_values" in record:
        values = record["singular_values"]
        first = ", ".join(f"{value:.4g}" for value in values[:3]) + (", …" if len(values) > 3 else "")
        iterations = record["svd"]["power_iterations"]
        return f"random projection to {record['width']}, {iterations} power iterations, singular values {first}"
    rounds = record["metrics"]
    of_epoch = training["shards"] if training["method"] == "glove" else 1
    last = [row for row in rounds if row["round"] > rounds[-1]["round"] - of_epoch]
    loss = sum(row["loss"] * row["tokens"] for row in last) / max(1, sum(row["tokens"] for row in last))
    return (
        f"{training['epochs']} epochs; {training['shards']} shards x {training['lanes']} lanes, "
        f"{len({row['round'] for row in rounds})} rounds, learning rate {training['learning_rate']:.4g}, "
        f"loss {loss:.3f}"
    )


def report_tables(run: Run) -> str:
    """The summary of a run that ended before it published: where its tables are."""
    lines = [f"tables in {storage.join(run.output, STAGING)}; nothing was published"]
    for table, record in run.records.items():
        how = f"made in {record['seconds']:.1f} s" if table in run.made else "was there"
        lines.append(f"  {table:<14} {how:<16} {run.uri(table)}")
    return "\n".join(lines) + "\n"


def _in_order(tables: dict[str, int]) -> list[str]:
    last = ("vocabulary", "metrics")
    return [table for table in tables if table not in last] + [table for table in last if table in tables]


def _oddities(corpus: dict[str, int]) -> str:
    names = ("invalid_utf8", "malformed_rows", "null_documents", "empty_documents", "duplicate_ids")
    odd = [f"{corpus[name]:,} {name.replace('_', ' ')}" for name in names if corpus[name]]
    return f" ({', '.join(odd)})" if odd else ""
