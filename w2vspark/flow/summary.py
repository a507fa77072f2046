"""The text that a run prints at its end."""

import time

from w2vspark import storage
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION
from w2vspark.output import publish
from w2vspark.output.scores import OF_TEST_SETS
from w2vspark.output.settings import OutputConfig
from w2vspark.output.staging import STAGING
from w2vspark.output.versions import version_folder

JUDGE_IT = (
    "not judged yet; the same command with --hold instead of --until judges it, without either it promotes it too"
)
TOLD = (*OF_TEST_SETS, "drift")  # scores in the summary; the table has all


def summary(run: Run) -> str:
    """What the run made and where it is, or why there was nothing to do."""
    if run.nothing_to_do:
        return f"nothing to do: {run.nothing_to_do}\n"
    if run.promoted or run.judged_again:
        folder = version_folder(run.output, run.promoted or run.judged_again)
        now = "is current now" if run.promoted else "passed the gate"
        what = "promoted" if run.promoted else "judged again"
        return "".join(
            f"{line}\n"
            for line in (f"{what}: {folder} was made from this input, configuration and code, and {now}", *_scores(run))
        )
    if VERSION not in run.records:
        return _staged(run)
    version = publish.resolve(run.records[VERSION]["path"])  # this run's; another run may have published since
    record = version.manifest
    lines = [
        *run.work.summary(version),
        *_scores(run),
        seconds_line(run),
        f"tables      {version.folder}/{{{','.join(record['tables'])}}}",
    ]
    if artefacts := record.get(publish.ARTEFACTS):
        lines.append(f"artefacts   {', '.join(artefacts)}")
        pages = [name for name in artefacts if name.endswith(".html")]
        lines += [f"look at     {version.folder}/{publish.ARTEFACTS}/{name}" for name in pages]
    if run.hold or run.unchecked:
        output = run.config[OutputConfig].path
        what = f"make it current with: w2vspark promote {output} {version.name}"
        lines.append(f"candidate   {what if run.hold else JUDGE_IT}")
    lines += _notes(run)
    return "\n".join(lines) + "\n"


def seconds_line(run: Run) -> str:
    """A line with the seconds of a run."""
    shown = seconds_of(run)
    whole = shown.pop("all")
    told = {name: seconds for name, seconds in shown.items() if name not in run.after or seconds >= 0.05}
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in told.items())
    return f"seconds     {stages}; {whole:.1f} in all"


def seconds_of(run: Run) -> dict[str, float]:
    """Seconds of the start of Spark, of each table that was made, of the gate, of the report, and of all ("all")."""
    found = {name: seconds for name, seconds in run.apart.items() if seconds}
    found |= {table: run.records[table]["seconds"] for table in run.made}
    found |= run.after
    found["all"] = time.perf_counter() - run.began
    return {name: round(seconds, 3) for name, seconds in found.items()}


def _staged(run: Run) -> str:
    """The folders of the tables, for a run that ended before it published."""
    lines = [f"tables in {storage.join(run.output, STAGING)}; nothing was published"]
    for table, record in run.records.items():
        how = f"made in {record['seconds']:.1f} s" if table in run.made else "was there"
        lines.append(f"  {table:<14} {how:<16} {run.uri(table)}")
    lines += [seconds_line(run), *_notes(run)]
    return "\n".join(lines) + "\n"


def _scores(run: Run) -> list[str]:
    """A line with the scores on test sets, and with the drift."""
    told = [score for score in run.scores if score.metric in TOLD and score.value is not None]
    texts = [f"{score.measured} ({score.covered:,} of {score.total:,})" for score in told]
    return [f"scores      {', '.join(texts)}"] if texts else []


def _notes(run: Run) -> list[str]:
    return [f"note        {note}" for note in run.notes]
