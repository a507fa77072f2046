"""What `w2vspark run` prints: the plan before (--dry-run), the summary after."""

from dataclasses import replace
from typing import Any

from w2vspark.base import publish, staging, storage
from w2vspark.base.config import Config, to_toml
from w2vspark.base.lock import OutputLock
from w2vspark.pipeline import fingerprints, flow, forced_stages, is_published
from w2vspark.progress import Progress
from w2vspark.run import Run
from w2vspark.training.plan import matrix_shapes, resolve, worker_bytes
from w2vspark.training.svd_plan import resolved_svd, svd_worker_bytes

# Heaps' law with the constants of English Wikipedia at min_count 5: words = 17 * sqrt(tokens).
GUESSED_WORDS = 17.0
GUESSED_NGRAMS = 8  # a word of English, each counted once
BYTES_PER_TOKEN = 6.0
COMPRESSION = {".gz": 3.0, ".bz2": 4.0, ".zst": 3.0}


def dry_run(config: Config, force_from: str | None) -> str:
    """The resolved configuration, which tables are there and which will be made, and the memory needed."""
    output = storage.absolute_uri(config.output.path)
    publish.check_output(output)
    run = Run(config, output, Progress(), OutputLock(output))
    run.fingerprints = fingerprints(run)
    forced = forced_stages(config, force_from)
    lines = ["plan:"]
    published = not forced and is_published(output, run.fingerprints["vectors"])
    for step in flow(config):
        there = published or staging.find(output, step.table, run.fingerprints[step.table]) is not None
        lines.append(f"  {step.table:<14} {'is there' if there and step.table not in forced else 'will be made'}")
    tokens, words, source = _size(run)
    config, model, worker = (_svd_plan if config.training.family == "svd" else _rounds_plan)(run, tokens, words)
    memory = (
        f"memory, for {words:,} words and {tokens:,} tokens ({source}):\n"
        f"  model {model / 1e6:,.0f} MB; {worker}; the driver's Python less than 400 MB"
    )
    return "\n".join([to_toml(config), *lines, memory, ""])


def _rounds_plan(run: Run, tokens: int, words: int) -> tuple[Config, int, str]:
    """The configuration without the training's `auto`, the bytes of its parameters, and what a worker needs."""
    config = run.config
    training = resolve(config.training, tokens, words, config.warm_start, config.subwords.enabled)
    shapes = matrix_shapes(training, words, _ngrams(run, words))
    need = worker_bytes(training, shapes, words, tokens)
    worker = f"a training worker {need / 1e6:,.0f} MB of Python memory, {training.shards} of them"
    return replace(config, training=training), sum(shape.bytes for shape in shapes), worker


def _svd_plan(run: Run, tokens: int, words: int) -> tuple[Config, int, str]:
    """As _rounds_plan, for methods that end in a singular value decomposition."""
    training, settings = run.config.training, resolved_svd(run.config.training, run.config.svd)
    width = training.dimensions + int(settings.oversampling)
    worker = f"a worker of the SVD {svd_worker_bytes(words, width) / 1e6:,.0f} MB of Python memory"
    return replace(run.config, svd=settings), 4 * words * width, worker


def _size(run: Run) -> tuple[int, int, str]:
    """Tokens and words of the corpus, and whence they are known."""
    counted = staging.find(run.output, "vocabulary", run.fingerprints["vocabulary"])
    if counted is not None:
        return counted["tokens"], counted["words"], "counted"
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
    counted = staging.find(run.output, "ngram_buckets", run.fingerprints["ngram_buckets"])
    return int(counted["ngrams"]) if counted is not None else min(config.buckets, GUESSED_NGRAMS * words)


def _guessed_tokens(config: Config) -> int:
    size = 0.0
    for path in config.input.path:
        for file in storage.list_files(path):
            ending = "." + file.uri.rpartition(".")[2]
            size += file.size * COMPRESSION.get(ending, 1.0)
    return max(1, round(size / BYTES_PER_TOKEN))


def report(run: Run) -> str:
    """The summary of a run that has ended well."""
    current = publish.current_path(run.output)
    record = publish.read_manifest(run.output)
    corpus, training = record["corpus"], record["config"]["training"]
    if not run.made:
        return f"nothing to do: {current} was made from this input, configuration and code\n"
    of_training = _svd_line if run.config.training.family == "svd" else _rounds_line
    lines = [
        f"corpus      {corpus['documents']:,} documents, {corpus['tokens']:,} tokens{_oddities(corpus)}",
        f"vocabulary  {record['vocabulary']['words']:,} words, {record['vocabulary']['tokens']:,} tokens of the corpus",
        of_training(run, training),
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
    return "\n".join(lines) + "\n"


def _rounds_line(run: Run, training: dict[str, Any]) -> str:
    rounds = run.trained()["metrics"]
    return (
        f"training    {training['method']}, {training['dimensions']} dimensions, {training['epochs']} epochs; "
        f"{training['shards']} shards x {training['lanes']} lanes, {len({row['round'] for row in rounds})} rounds, "
        f"learning rate {training['learning_rate']:.4g}, loss {rounds[-1]['loss']:.3f}"
    )


def _svd_line(run: Run, training: dict[str, Any]) -> str:
    record = run.trained()
    values, settings = record["singular_values"], record["svd"]
    first = ", ".join(f"{value:.4g}" for value in values[:3]) + (", …" if len(values) > 3 else "")
    return (
        f"training    {training['method']}, {training['dimensions']} dimensions; random projection to "
        f"{record['width']}, {settings['power_iterations']} power iterations, singular values {first}"
    )


def _in_order(tables: dict[str, int]) -> list[str]:
    last = ("vocabulary", "metrics")
    return [table for table in tables if table not in last] + [table for table in last if table in tables]


def _oddities(corpus: dict[str, int]) -> str:
    names = ("invalid_utf8", "malformed_rows", "null_documents", "empty_documents", "duplicate_ids")
    odd = [f"{corpus[name]:,} {name.replace('_', ' ')}" for name in names if corpus[name]]
    return f" ({', '.join(odd)})" if odd else ""
