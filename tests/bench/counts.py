"""Co-occurrence counts of wiki100: CPU seconds against gensim's, memory as the text doubles, and what the counts say.

Counted by `w2vspark run --until cooccurrences`, within ten words, weighted by 1 / distance, as GloVe does; seconds are
those of all processes from encoded text to the published copy, memory that of the stage alone. The yardstick is one
epoch of gensim's skip-gram with negative sampling, the probe words are those of GloVe's table 1.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import CONFIG, Report, Row, need, run_script, tell, twice, wiki_files
from growth import gensim
from ours import warm_up
from processes import Measured, python, run_measured

from w2vspark.output.candidates import StagedTable, write_candidate
from w2vspark.output.claims import Claim
from w2vspark.output.publish import resolve
from w2vspark.output.versions import CHECKED, promote
from w2vspark.stages.cooccurrences import BLOCK_ENTRIES, COUNTS, SLICE_TOKENS
from w2vspark.storage.sealed import read_sealed_json
from w2vspark.vectors import probe

MB = 1e6
OF_GENSIM = 0.4
# A worker's share in what doubles: the ids of a chunk twice while they are read, its text and its index; and a block of
# rows as entries, as columns and as they are written. The rest is a worker that has encoded before.
WORKER_MB = (4 * 4 * SLICE_TOKENS + 3 * 12 * BLOCK_ENTRIES) / MB + 350
DRIVER_MB = 400.0
INTERVAL = 0.05
ROLES = ("driver", "java", "daemon", "worker", "other")
PROBES = ("solid", "gas", "water", "fashion")
# What wiki100 must show of GloVe's table 1 (8.9, 0.085, 1.36 and 0.96 in a text of 6,000 million words). Within ten
# words fashion never stands near steam in so small a text; within fifty it does.
SOLID_AT_LEAST, GAS_AT_MOST, NEAR = 2.0, 0.5, 2.0


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Half of the text, all of it, and all of it twice."""
    need("gensim")
    files = wiki_files(arguments.quick)
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        sizes = {"half": files[: len(files) // 2], "whole": files, "twice": twice(files, folder)}
        rows = [{"": size, **count(some, folder / size)} for size, some in sizes.items()]
        yardstick = gensim(files, folder / "text.txt", None)
        near = probe(str(folder / "whole"), "ice", "steam", PROBES)
        count(files, folder / "whole", "cooccurrences.window=50", "cooccurrences.weighting=uniform")
        wide = probe(str(folder / "whole"), "ice", "steam", PROBES)
    whole = rows[1]
    report.table("window 10, harmonic, symmetric; memory in MB of a million bytes", rows)
    seconds = whole["CPU s"] + whole["publishing CPU s"]
    rate = whole["entries"] / 1e6 / seconds
    report.table("against gensim", [{"": "CPU s", "ours": seconds, "gensim": yardstick, "M entries/CPU s": rate}])
    report.at_most("CPU s, encoded to published, epochs of gensim", seconds / yardstick, OF_GENSIM)
    for row in rows:
        report.at_most(f"{row['']}: worker, MB", row["worker"], WORKER_MB)
        report.at_most(f"{row['']}: driver's Python, MB", row["driver"], DRIVER_MB)
    for probes, settings in ((near, "window 10, harmonic"), (wide, "window 50, uniform")):
        shown = [
            {"k": k, "P(k|ice)": f"{a:.2e}", "P(k|steam)": f"{b:.2e}", "ratio": ratio} for k, a, b, ratio in probes
        ]
        report.table(f"ice and steam, {settings}", shown)
    for probes, settings in ((near[:3], "window 10"), (wide, "window 50")):
        ratios = {found.word: found.ratio for found in probes}
        report.at_least(f"{settings}: solid, nearer to ice", ratios.pop("solid"), SOLID_AT_LEAST)
        report.at_most(f"{settings}: gas, nearer to steam", ratios.pop("gas"), GAS_AT_MOST)
        for word, ratio in ratios.items():
            report.at_least(f"{settings}: {word}, as near to one as to the other", ratio, 1 / NEAR)
            report.at_most(f"{settings}: {word}, as near to one as to the other", ratio, NEAR)


def count(files: Sequence[Path], output: Path, *settings: str) -> Row:
    """Run up to the counts, then publish them beside the vocabulary; what the stage took."""
    paths = json.dumps([str(file) for file in files])
    chosen = [f"input.path={paths}", f"output.path={output}", "spark.master=local[2]", "training.method=ppmi-svd"]
    chosen += settings
    options = [part for setting in chosen for part in ("--set", setting)]
    tell(f"w2vspark run --until cooccurrences, {len(files)} files")
    command = python("-m", "w2vspark.cli", "run", str(CONFIG), *options, "--until", "cooccurrences")
    run = run_measured(command, INTERVAL)
    began, ended = window(run)
    tables = {line.split()[0]: line.split()[-1] for _, line in run.output[1:]}
    record = read_sealed_json(f"{tables['cooccurrences']}.json")["record"]
    parts = [StagedTable("cooccurrences", tables["cooccurrences"], COUNTS, copy=True)]
    parts.append(StagedTable("vocabulary", tables["vocabulary"], copy=True))
    with Claim(str(output)) as claim:
        cpu = time.process_time()
        manifest = {"run_id": claim.run_id, "created": "", "config": {}, "fingerprints": {}}
        promote(str(output), claim, write_candidate(str(output), claim, parts, manifest, CHECKED))
        cpu = time.process_time() - cpu
    sizes = [file["size"] for file in resolve(str(output)).manifest["files"]["cooccurrences"]]
    return {
        "entries": record["entries"],
        "files": len(sizes),
        "bytes an entry": sum(sizes) / record["entries"],
        "wall s": ended - began,
        "CPU s": sum(run.cpu_between(role, began, ended) for role in ROLES),
        "of these workers": run.cpu_between("worker", began, ended),
        "publishing CPU s": cpu,
        "worker": run.peak("worker", since=began) / MB,
        "at its start": run.resident("worker", began) / MB,
        "driver": run.peak("driver") / MB,
    }


def window(run: Measured) -> tuple[float, float]:
    """When counting began and when it ended, in seconds since the run's start."""
    times = {event.get("event"): at for at, event in run.events() if event["stage"] == "cooccurrences"}
    return times["start"], times["end"]


if __name__ == "__main__":
    sys.exit(run_script("counts", __doc__, measure))
