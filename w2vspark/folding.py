"""`w2vspark fold`: documents folded into the space of a published model of lsa, and published like a run's tables."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from w2vspark.base import publish, staging, storage
from w2vspark.base.config import Config, load_config, to_dict
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.base.fingerprint import code_fingerprint, fingerprint
from w2vspark.base.lock import OutputLock
from w2vspark.base.log import log_end, log_start
from w2vspark.base.lsa_model import read_lsa_model
from w2vspark.base.redaction import redacted
from w2vspark.base.schemas import DOCUMENTS, FOLDED, NOT_FOLDED
from w2vspark.manifest import made_with
from w2vspark.progress import Progress
from w2vspark.run import Run
from w2vspark.stages.corpus import count_duplicate_ids, read_corpus
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.folded import count_folded, folded, folded_documents, not_folded
from w2vspark.stages.table_io import write_table
from w2vspark.stages.worker_errors import worker_errors

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


def fold_documents(model_output: str, config: Config, progress: Progress) -> dict[str, Any]:
    """Fold the documents of config.input into the model of an output folder, and publish them in config.output.

    Returns the published manifest, with "made" False where just this was there already. Raises the errors of
    base.errors; what was published before stays as it is then.
    """
    output = storage.absolute_uri(config.output.path)
    publish.check_output(output)
    _refuse_models(output)
    folder = publish.current_path(storage.absolute_uri(model_output))
    with OutputLock(output) as lock:
        run = Run(config, output, progress, lock)
        model = {"output": model_output, "version": folder.rpartition("/")[2]}
        model["run_id"] = publish.read_version_manifest(folder)["run_id"]
        corpus = corpus_version(config.input, run.session)
        own = fingerprint(table="folded", made_from=corpus, model=model["run_id"], code=code_fingerprint())
        if publish.read_current(output) and publish.read_manifest(output).get("fingerprints", {}).get("folded") == own:
            return publish.read_manifest(output) | {"made": False}
        try:
            with worker_errors():
                record = _make_or_find(run, own, folder)
                found = _publish(run, own, folder, model, record)
        finally:
            progress.done()
        return found | {"made": True}


def _make_or_find(run: Run, own: str, folder: str) -> dict[str, Any]:
    """The staged table of schemas.FOLDED, and its record: documents by what became of them."""
    record = staging.find(run.output, "folded", own)
    if record is not None:
        log_end("folded", made=False, fingerprint=own)
        return record
    uri = staging.table_path(run.output, "folded", own)
    log_start("folded", fingerprint=own, model=folder)
    staging.discard_others(run.output, "folded", own)
    session = run.session()
    run.progress.stage("folding documents")
    began = time.perf_counter()
    duplicates = count_duplicate_ids(session, run.config.input)
    write_table(folded(read_corpus(session, run.config.input, duplicates), folder), uri, FOLDED)
    reasons = count_folded(session, uri)
    counts = {"documents": sum(reasons.values()), "folded": reasons.pop("", 0), "duplicate_ids": duplicates}
    if not counts["folded"]:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "there is none"
        raise InputError(f"none of {counts['documents']} documents could be folded ({why}); check input and the model")
    record = counts | {"not_folded": reasons, "seconds": round(time.perf_counter() - began, 3)}
    staging.complete(run.output, "folded", own, record)
    log_end("folded", made=True, documents=counts["documents"], folded=counts["folded"], seconds=record["seconds"])
    return record


def _publish(run: Run, own: str, folder: str, model: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The next version of the output; its manifest."""
    session, uri = run.session(), staging.table_path(run.output, "folded", own)
    version = publish.next_version(run.output)
    target, tables = publish.version_path(run.output, version), {"documents": record["folded"]}
    read = read_lsa_model(folder)
    found = folded_documents(session, uri, record["folded"], read.inverse.size)
    write_table(found, storage.join(target, "documents"), DOCUMENTS)
    tables["not_folded"] = sum(record["not_folded"].values())
    write_table(not_folded(session, uri), storage.join(target, "not_folded"), NOT_FOLDED)
    given = redacted(to_dict(run.config))
    manifest = {
        "run_id": run.lock.run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {table: given[table] for table in TABLES},
        "model": model,
        "tables": tables,
        "corpus": {key: record[key] for key in ("documents", "folded", "not_folded", "duplicate_ids")},
        "fingerprints": {"folded": own},
        "seconds": {"folded": record["seconds"]},
        **made_with(read.cpu_target),
    }
    publish.publish(run.output, version, manifest, run.lock.check)
    publish.prune(run.output, run.config.output.keep_versions)
    staging.discard(run.output, "folded", own)
    return manifest


def _refuse_models(output: str) -> None:
    """Folded documents that took the place of a model's tables would hide them from their readers."""
    if publish.read_current(output) and "folded" not in publish.read_manifest(output).get("fingerprints", {}):
        raise OutputError(f"output.path {output}: holds the tables of a run; name another folder for folded documents")


def fold_report(manifest: dict[str, Any]) -> str:
    """What `w2vspark fold` prints."""
    current = publish.current_path(storage.absolute_uri(manifest["config"]["output"]["path"]))
    if not manifest["made"]:
        return f"nothing to do: {current} was made from these documents, model and code\n"
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
