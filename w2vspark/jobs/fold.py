"""The job fold: vectors for new documents in the space of a published lsa model, each document alone."""

from typing import Any

from pyspark.sql import DataFrame

from w2vspark.base.cpu_target import llvm_name
from w2vspark.base.errors import InputError
from w2vspark.base.schemas import DOCUMENTS, FOLDED, NOT_FOLDED
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import fingerprint, library_versions
from w2vspark.flow.run import Run
from w2vspark.flow.work import NO_SETTINGS, Chosen, Command, Job, Needed, Step, Table
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.output.settings import OutputConfig
from w2vspark.spark.listed_files import write_table
from w2vspark.spark.session import PROCESS_BYTES, SparkConfig
from w2vspark.stages.corpus import check_malformed, count_duplicate_ids, read_corpus
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.folded import MALFORMED, count_folded, folded, folded_documents, not_folded
from w2vspark.stages.input import InputConfig
from w2vspark.text.settings import TokensConfig
from w2vspark.vectors.lsa_model import BLOCK_BYTES, read_lsa_model


def sources(run: Run) -> dict[str, str]:
    """The fingerprints of the documents and of the model. The run keeps to this version, whatever is published later.

    Raises OutputError when nothing is published in the model's folder, or a model of another method.
    """
    model = run.found["model"] = publish.resolve(run.model)
    read_lsa_model(model)  # a model of another method is an error before anything is written
    tokens = TokensConfig(**model.manifest["config"]["tokens"])
    corpus = corpus_version(run.config[InputConfig], run.session)
    of_model = fingerprint(run_id=model.run_id, libraries=library_versions(tokens.libraries()))
    return {"corpus": corpus, "model": of_model}


def folded_settings(_: Config) -> Chosen:
    """No settings: the model has its own tokenizer."""
    return NO_SETTINGS


def make_folded(run: Run) -> dict[str, Any]:
    """Write the staged table of schemas.FOLDED; return its record: how many documents were folded, or why not."""
    session, uri, model = run.session(), run.uri("folded"), run.found["model"]
    duplicates = count_duplicate_ids(session, run.config[InputConfig])
    with model.reading("run again"):
        write_table(folded(read_corpus(session, run.config[InputConfig], duplicates), model), uri, FOLDED)
    reasons = count_folded(session, uri)
    documents = sum(reasons.values())
    check_malformed(run.session, run.config[InputConfig], reasons.get(MALFORMED, 0), documents)
    counts = {"documents": documents, "folded": reasons.pop("", 0), "duplicate_ids": duplicates}
    if not counts["folded"]:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "there is none"
        raise InputError(f"none of {counts['documents']} documents could be folded ({why}); check input and the model")
    return counts | {"not_folded": reasons}


def document_rows(run: Run) -> DataFrame:
    """The documents with a vector."""
    dimensions = read_lsa_model(run.found["model"]).inverse.size
    return folded_documents(run.session(), run.uri("folded"), folded_count(run), dimensions)


def folded_count(run: Run) -> int:
    """The number of documents with a vector."""
    return int(run.records["folded"]["folded"])


def other_rows(run: Run) -> DataFrame:
    """The documents without a vector."""
    return not_folded(run.session(), run.uri("folded"))


def other_count(run: Run) -> int:
    """The number of documents without a vector."""
    return sum(run.records["folded"]["not_folded"].values())


def facts(run: Run) -> dict[str, Any]:
    """For the manifest: the model, and the numbers of documents folded and not folded."""
    record, model = run.records["folded"], run.found["model"]
    return {
        "model": {"output": run.model, "version": model.name, "run_id": model.run_id},
        "corpus": {key: record[key] for key in ("documents", "folded", "not_folded", "duplicate_ids")},
        "cpu_target": llvm_name(read_lsa_model(model).cpu_target) or "host",
    }


def summary(version: Version) -> list[str]:
    """Lines for the user: the numbers of documents folded and not folded."""
    corpus, model = version.manifest["corpus"], version.manifest["model"]
    lines = [
        f"documents   {corpus['documents']:,}, {corpus['folded']:,} folded into {model['output']} ({model['version']})"
    ]
    if corpus["duplicate_ids"]:
        lines.append(f"duplicates  {corpus['duplicate_ids']:,} ids occur more than once, told apart by content")
    if corpus["not_folded"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(corpus["not_folded"].items()))
        lines.append(f"not folded  {sum(corpus['not_folded'].values()):,}: {reasons}")
    return lines


def next_commands(version: Version, output: str) -> list[Command]:
    """A search in the documents that were folded."""
    return [("search", version.manifest["model"]["output"], "your question", "--documents", output)]


def needed(run: Run) -> Needed:
    """The memory that a worker needs: for the process, a block of the words' matrix, and the words."""
    model = read_lsa_model(run.found["model"])
    words, dimensions = model.weights.size, model.inverse.size
    worker = PROCESS_BYTES + min(BLOCK_BYTES, 4 * words * dimensions) + 200 * words
    text = f"for {words:,} words of the model:\n  a worker {worker / 1e6:,.0f} MB of Python memory"
    return Needed(run.config, text)


FOLD = Job(
    name="fold",
    help="give vectors to new documents, with the model of an lsa run",
    settings=(InputConfig, OutputConfig, SparkConfig),
    sources=sources,
    steps=(Step("folded", ("corpus", "model"), folded_settings, make_folded),),
    publishes=(
        Table("documents", DOCUMENTS, "a document's vector", document_rows, folded_count),
        Table("not_folded", NOT_FOLDED, "a document without a vector, and why", other_rows, other_count),
    ),
    facts=facts,
    summary=summary,
    next_commands=next_commands,
    needed=needed,
    model="the output folder of an lsa run (or one version of it)",
)
