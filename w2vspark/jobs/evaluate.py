"""The job evaluate: the scores of a published model on test sets, as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from w2vspark.base.schemas import SCORES
from w2vspark.base.wording import counted
from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, between, key
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Job, Needed, StagedRows, Step, Table
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.output.scores import OF_TEST_SETS, as_json, as_table, plain
from w2vspark.output.settings import OutputConfig
from w2vspark.spark.session import PROCESS_BYTES, SparkConfig
from w2vspark.stages.version_scores import ScoreJob, figures_by_spark, figures_here, is_large
from w2vspark.storage.listed import write_small
from w2vspark.vectors.test_sets import read_test_sets, same_names


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig(Settings):
    """What a published model is scored on."""

    section = "evaluate"

    pairs: tuple[str, ...] = key(
        (), why="Test sets of word pairs: files or URIs with rows of two words and people's score of their similarity."
    )
    analogies: tuple[str, ...] = key(
        (), why="Test sets of analogies: files or URIs with rows of a section and four words, or questions-words.txt."
    )
    restrict: int = key(
        300_000, rule=between(100, 300_000), why="Analogies are answered among this many of the most frequent words."
    )
    method: Literal["3cosadd", "3cosmul"] = key("3cosadd", why="The formula that answers analogies.")

    def problems(self, config: Config) -> Iterator[Problem]:
        """No test set, or two with one name."""
        if not self.pairs and not self.analogies:
            yield "evaluate.pairs", self.pairs, "no test set was given; name files here or in evaluate.analogies"
        for table, path, text in same_names(self.pairs, self.analogies):
            yield f"evaluate.{table}", path, text


def sources(run: Run) -> dict[str, str]:
    """The fingerprints of the model and of the test sets. The run keeps to this version of the model."""
    config = run.config[EvaluateConfig]
    model = run.found["model"] = publish.resolve(run.model)
    model.table("vectors")  # a model without vectors is an error before anything is written
    tests = run.found["tests"] = read_test_sets(config.pairs, config.analogies)
    return {"model": fingerprint(run_id=model.run_id), "tests": fingerprint(**{t.name: t.digest for t in tests})}


def scores_settings(config: Config) -> Chosen:
    """Settings: how analogies are answered. The test sets count by their content."""
    chosen = config[EvaluateConfig]
    return {"restrict": chosen.restrict, "method": chosen.method}


def make_scores(run: Run) -> dict[str, Any]:
    """Write the scores, and the figures of the vectors."""
    config, model = run.config[EvaluateConfig], run.found["model"]
    job = ScoreJob(version=model, tests=run.found["tests"], frequent=config.restrict, method=config.method)
    with model.reading("run again"):
        found = figures_by_spark(run.session(), job) if is_large(model) else figures_here(job)
    scores = [plain(figure) for figure in found.own]
    write_small(as_table(scores), run.uri("scores"))
    return {"rows": len(scores), "scores": as_json(scores)}


def score_rows(run: Run) -> StagedRows:
    """The scores, as in staging."""
    return StagedRows(run.uri("scores"))


def score_count(run: Run) -> int:
    """The number of scores."""
    return int(run.records["scores"]["rows"])


def facts(run: Run) -> dict[str, Any]:
    """For the manifest: the model, and its scores."""
    model = run.found["model"]
    return {
        "model": {"output": run.model, "version": model.name, "run_id": model.run_id},
        "scores": run.records["scores"]["scores"],
    }


def summary(version: Version) -> list[str]:
    """A line for each test set."""
    return [
        f"{row['task']:<11} {row['metric']} " + ("not measurable" if row["value"] is None else f"{row['value']:.4f}")
        + f" ({row['covered']:,} of {counted(row['total'], 'row')} covered)"
        for row in version.manifest["scores"]
        if row["metric"] in OF_TEST_SETS
    ]  # fmt: skip


def needed(run: Run) -> Needed:
    """The memory that a worker needs: for the process, and for the frequent words' vectors twice."""
    model = run.found["model"]
    size = sum(file["size"] for file in model.listed("vectors"))
    rows = sum(file["rows"] for file in model.listed("vectors"))
    share = min(1.0, run.config[EvaluateConfig].restrict / max(rows, 1))
    worker = PROCESS_BYTES + 2.5 * share * size
    return Needed(run.config, f"for {rows:,} words of the model:\n  a worker {worker / 1e6:,.0f} MB of Python memory")


EVALUATE = Job(
    name="evaluate",
    help="score the vectors against test sets",
    settings=(EvaluateConfig, OutputConfig, SparkConfig),
    sources=sources,
    steps=(Step("scores", ("model", "tests"), scores_settings, make_scores),),
    publishes=(Table("scores", SCORES, "a figure of the model", score_rows, score_count),),
    facts=facts,
    summary=summary,
    needed=needed,
)
