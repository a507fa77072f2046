"""The text that a run prints at its end."""

import time

from w2vspark import storage
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION
from w2vspark.output import publish
from w2vspark.output.settings import OutputConfig
from w2vspark.output.staging import STAGING
from w2vspark.output.versions import version_folder


def summary(run: Run) -> str:
    """What the run made and where it is, or why there was nothing to do."""
    if run.nothing_to_do:
        return f"nothing to do: {run.nothing_to_do}\n"
    if run.promoted:
        folder = version_folder(run.output, run.promoted)
        return f"promoted: {folder} was made from this input, configuration and code, and is current now\n"
    if VERSION not in run.records:
        return _staged(run)
    version = publish.resolve(run.records[VERSION]["path"])  # this run's; another run may have published since
    record = version.manifest
    lines = [
        *run.work.summary(version),
        seconds_line(run),
        f"tables      {version.folder}/{{{','.join(record['tables'])}}}",
    ]
    if artefacts := record.get(publish.ARTEFACTS):
        lines.append(f"artefacts   {', '.join(artefacts)}")
    if run.hold:
        output = run.config[OutputConfig].path
        lines.append(f"candidate   make it current with: w2vspark promote {output} {version.name}")
    lines += _notes(run)
    return "\n".join(lines) + "\n"


def seconds_line(run: Run) -> str:
    """A line with seconds: of the start of Spark, of each table that this run made, and of the whole run."""
    shown = run.apart | {table: run.records[table]["seconds"] for table in run.made}
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in shown.items())
    return f"seconds     {stages}; {time.perf_counter() - run.began:.1f} in all"


def _staged(run: Run) -> str:
    """The folders of the tables, for a run that ended before it published."""
    lines = [f"tables in {storage.join(run.output, STAGING)}; nothing was published"]
    for table, record in run.records.items():
        how = f"made in {record['seconds']:.1f} s" if table in run.made else "was there"
        lines.append(f"  {table:<14} {how:<16} {run.uri(table)}")
    lines += [seconds_line(run), *_notes(run)]
    return "\n".join(lines) + "\n"


def _notes(run: Run) -> list[str]:
    return [f"note        {note}" for note in run.notes]
