"""`w2vspark fold`: documents folded into the space of a published model of lsa, and published like a run's tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from w2vspark import storage
from w2vspark.base.errors import ConfigError, InputError
from w2vspark.base.redaction import redacted
from w2vspark.base.schemas import DOCUMENTS, FOLDED, NOT_FOLDED
from w2vspark.config.config import Config, load_config, to_dict
from w2vspark.fingerprints.fingerprint import fingerprint, maker_fingerprint, maker_versions
from w2vspark.flow.engine import Step, forced_stages, nothing_made, publish_tables, run_steps
from w2vspark.flow.manifest import made_with
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.output import publish
from w2vspark.output.candidates import Part
from w2vspark.output.marker import check_output
from w2vspark.output.staging import Staging
from w2vspark.spark.listed_files import write_table
from w2vspark.stages.corpus import count_duplicate_ids, read_corpus
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.folded import count_folded, folded, folded_documents, not_folded
from w2vspark.vectors.lsa_model import read_lsa_model

TABLES = ("input", "output", "spark")  # of the configuration; the others are the model's


def fold_config(file: str | None, overrides: Sequence[str]) -> Config:
    """The tables of TABLES. Raises ConfigError as load_config does, and for keys of other tables."""
    config = load_config(file, overrides)
    given = to_dict(config)
    own = Config(input=config.input, output=config.output, spark=config.spark)
    others = [table for table, keys in to_dict(own).items() if keys != given[table]]
    if others:
        names = ", ".join(f"[{table}]" for table in others)
        raise ConfigError(f"{names}: of the model that documents are folded into; fold takes input, output and spark")
    return own


def fold_documents(model_output: str, config: Config, progress: Progress, force_from: str | None = None) -> Run:
    """Fold the documents of config.input into the model of an output folder, and publish them in config.output.

    force_from: a stage that is made again, with what follows. Raises the errors of base.errors; what was published
    before stays as it is then.
    """
    output = storage.absolute_uri(config.output.path)
    check_output(output, "job")
    model = publish.resolve(model_output)
    read_lsa_model(model)  # a model of another method is an error before anything is written
    run = Run(config, output, progress, Staging(output), last="documents")
    run.fingerprints = fingerprints(corpus_version(config.input, run.session), model)
    steps = (
        Step("folded", ("corpus",), lambda _: {}, partial(make_folded, model=model)),
        Step("documents", ("folded",), lambda _: {}, partial(publish_folded, model=model, model_output=model_output)),
    )
    run_steps(run, "job", steps, forced_stages(steps, force_from))
    return run


def fingerprints(corpus: str, model: publish.Version) -> dict[str, str]:
    """As pipeline.fingerprints, for folded documents. model: the version that they are folded into."""
    made_from = [corpus, model.run_id]
    jieba = model.manifest["config"]["tokens"]["tokenizer"] == "jieba"
    found = {"corpus": corpus, "request": fingerprint(made_from=made_from)}
    for table, maker in (("folded", make_folded), ("documents", publish_folded)):
        code, versions = maker_fingerprint(maker), maker_versions(maker, jieba)
        found[table] = fingerprint(table=table, made_from=made_from, code=code, versions=versions)
        made_from = [found[table]]
    return found


def make_folded(run: Run, model: publish.Version) -> dict[str, Any]:
    """The staged table of schemas.FOLDED; its record has the documents by what became of them."""
    session, uri = run.session(), run.uri("folded")
    duplicates = count_duplicate_ids(session, run.config.input)
    with model.reading("run again"):
        write_table(folded(read_corpus(session, run.config.input, duplicates), model), uri, FOLDED)
    reasons = count_folded(session, uri)
    counts = {"documents": sum(reasons.values()), "folded": reasons.pop("", 0), "duplicate_ids": duplicates}
    if not counts["folded"]:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "there is none"
        raise InputError(f"none of {counts['documents']} documents could be folded ({why}); check input and the model")
    return counts | {"not_folded": reasons}


def publish_folded(run: Run, model: publish.Version, model_output: str) -> dict[str, Any]:
    """The published version: documents with a vector, and those without."""
    session, uri, folder = run.session(), run.uri("folded"), run.uri("documents")
    record, read = run.records["folded"], read_lsa_model(model)
    parts = []
    for table, schema, rows in (
        ("documents", DOCUMENTS, folded_documents(session, uri, record["folded"], read.inverse.size)),
        ("not_folded", NOT_FOLDED, not_folded(session, uri)),
    ):
        write_table(rows, storage.join(folder, table), schema)
        parts.append(Part(table, storage.join(folder, table)))
    given = redacted(to_dict(run.config))
    manifest = {
        "run_id": run.held().run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {table: given[table] for table in TABLES},
        "model": {"output": model_output, "version": model.name, "run_id": model.run_id},
        "corpus": {key: record[key] for key in ("documents", "folded", "not_folded", "duplicate_ids")},
        "fingerprints": run.fingerprints,
        "seconds": {"folded": record["seconds"]},
        **made_with(read.cpu_target),
    }
    return publish_tables(run, parts, manifest)


def fold_report(run: Run) -> str:
    """What `w2vspark fold` prints."""
    if told := nothing_made(run):
        return told
    version = publish.resolve(run.records["documents"]["path"])
    current, manifest = version.folder, version.manifest
    corpus, model = manifest["corpus"], manifest["model"]
    lines = [
        f"documents   {corpus['documents']:,}, {corpus['folded']:,} folded into {model['output']} ({model['version']})",
        f"tables      {current}/{{{','.join(manifest['tables'])}}}",
    ]
    if corpus["not_folded"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(corpus["not_folded"].items()))
        lines.insert(1, f"not folded  {sum(corpus['not_folded'].values()):,}: {reasons}")
    if corpus["duplicate_ids"]:
        lines.insert(1, f"duplicates  {corpus['duplicate_ids']:,} ids occur more than once, told apart by content")
    return "\n".join(lines) + "\n"
