"""The commands evaluate and compare. Without options of a run they print at once; with them they are jobs on Spark."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from w2vspark.base.errors import ConfigError, InputError
from w2vspark.cli.printing import answer, table_lines, write_json, write_text
from w2vspark.cli.queries import ANALOGY_METHODS, add_command, decimal, positive
from w2vspark.cli.works import CONFIG, add_options, carry_out_job
from w2vspark.config.values import toml_value

if TYPE_CHECKING:
    from w2vspark.vectors.score import AnalogyScore, PairScore, SectionScore

PAIRS_HELP = "files with rows of two words and a number: how similar people find the two words"
ANALOGIES_HELP = "files with rows of a section and four words, or word2vec's questions-words.txt"
AS_JOB = "With --set output.path=TABLES (or a file that sets it) the answer is published as a table, by Spark."


def add_judging_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", epilog: str) -> None:
    """Add the commands; each sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    evaluate = add_command(subparsers, "evaluate", "score the vectors against test sets", handle_evaluate)
    evaluate.description = f"score the vectors against test sets. {AS_JOB}"
    evaluate.add_argument("--pairs", metavar="FILE", nargs="+", action="extend", default=[], help=PAIRS_HELP)
    evaluate.add_argument("--analogies", metavar="FILE", nargs="+", action="extend", default=[], help=ANALOGIES_HELP)
    restrict = "use only the N most frequent words (all; as a job 300000)"
    evaluate.add_argument("--restrict", metavar="N", type=positive, default=0, help=restrict)
    answered = "the formula that answers analogies (3cosadd)"
    evaluate.add_argument("--method", choices=ANALOGY_METHODS, default="3cosadd", help=answered)

    about = "compare two versions: how far words moved, and which neighbours they kept"
    compare = add_command(subparsers, "compare", about, handle_compare, "the output folder of a run")
    compare.description = f"{about}. {AS_JOB}"
    which = "the older and the newer one (the current version and the one before it)"
    compare.add_argument("--versions", metavar=("A", "B"), nargs=2, default=[], help=which)
    compare.add_argument("--top", metavar="N", type=positive, default=10, help="how many words to print (10)")
    for command in (evaluate, compare):
        command.epilog = epilog
        command.add_argument("--config", metavar="CONFIG", help=CONFIG)
        add_options(command, "output.path=TABLES")


def is_job(arguments: argparse.Namespace) -> bool:
    """Whether an option of a run was given."""
    given = (arguments.config, arguments.overrides, arguments.dry_run, arguments.force_from, arguments.until)
    return any(given) or arguments.hold or arguments.all


def _as_job(name: str, arguments: argparse.Namespace, settings: dict[str, Any]) -> int:
    """Run the job with the command's own options as settings; those that were not given keep their values."""
    own = [f"{name}.{key}={toml_value(value)}" for key, value in settings.items() if value]
    arguments.overrides = [*arguments.overrides, *own]
    return carry_out_job(name, arguments, arguments.output)


def handle_evaluate(arguments: argparse.Namespace) -> int:
    """Print a row for every file of pairs, and a table for every file of analogies; or run the job."""
    if is_job(arguments):
        names = ("pairs", "analogies", "restrict")
        settings = {name: getattr(arguments, name) for name in names}
        return _as_job("evaluate", arguments, settings | {"method": _unless(arguments.method, "3cosadd")})
    if not arguments.pairs and not arguments.analogies:
        raise ConfigError("evaluate: no test set was given; name files with --pairs or --analogies")
    from w2vspark.vectors import load_vectors, read_analogies, read_pairs, score_analogies, score_pairs

    # All files are read before the vectors, so that a mistake in any of them is reported at once.
    pairs = {file: read_pairs(file) for file in arguments.pairs}
    analogies = {file: read_analogies(file) for file in arguments.analogies}
    vectors = load_vectors(arguments.output)
    pair_scores = {file: score_pairs(vectors, rows, restrict=arguments.restrict) for file, rows in pairs.items()}
    analogy_scores = {
        file: score_analogies(vectors, rows, restrict=arguments.restrict, method=arguments.method)
        for file, rows in analogies.items()
    }
    if arguments.json:
        return write_json(
            {
                "restrict": arguments.restrict,
                "method": arguments.method,
                "pairs": [{"file": file, **asdict(score)} for file, score in pair_scores.items()],
                "analogies": [{"file": file, **_analogy_object(score)} for file, score in analogy_scores.items()],
            }
        )
    tables = [_pair_table(pair_scores)] if pair_scores else []
    tables += [_analogy_table(f"{file} ({arguments.method})", score) for file, score in analogy_scores.items()]
    return write_text("\n".join(tables))


def handle_compare(arguments: argparse.Namespace) -> int:
    """Print how much two versions agree, and the frequent words that moved farthest; or run the job."""
    if is_job(arguments):
        return _as_job("compare", arguments, {"versions": arguments.versions})
    from w2vspark.output.versions import two_versions
    from w2vspark.vectors.drift import DRIFT_WORDS, FREQUENT_WORDS, NEIGHBOURS, moved
    from w2vspark.vectors.sample import read_sample

    old, new = two_versions(arguments.output, arguments.versions)
    with old.reading("compare again"), new.reading("compare again"):
        samples = [read_sample(version, FREQUENT_WORDS).vectors for version in (old, new)]
    (before, after), count = samples, dict(zip(samples[1].words, samples[1].counts.tolist(), strict=True))
    found = moved(before.words, before.unit, after.words, after.unit, asked=DRIFT_WORDS, top=NEIGHBOURS)
    if not found:
        raise InputError(f"{arguments.output}: versions {old.name} and {new.name} have no two frequent words in common")
    figures = {
        "words": len(found),
        "shared_neighbours": sum(one.shared_neighbours for one in found) / len(found),
        "mean_cosine": sum(one.cosine for one in found) / len(found),
    }
    farthest = found[: arguments.top]
    value = {"old": old.name, "new": new.name, **figures, "farthest": [one._asdict() for one in farthest]}

    def text() -> str:
        rows = [
            (f"  {word}", f"{cosine:.4f}", f"{shared:.1f}", f"{count[word]:,}") for word, cosine, shared in farthest
        ]
        return (
            f"{old.name} with {new.name}: of {len(found):,} frequent words, {figures['shared_neighbours']:.1%} of the "
            f"{NEIGHBOURS} nearest neighbours are shared; mean cosine {figures['mean_cosine']:.4f} after the rotation\n"
            + table_lines(["moved farthest", "cosine", "shared", "count"], rows)
        )

    return answer(arguments, value, text)


def _unless(value: str, default: str) -> str:
    return "" if value == default else value


def _pair_table(scores: "dict[str, PairScore]") -> str:
    rows = [
        (file, decimal(score.spearman), decimal(score.pearson), f"{score.covered:,}", f"{score.total:,}")
        for file, score in scores.items()
    ]
    return table_lines(["pairs", "spearman", "pearson", "covered", "total"], rows)


def _analogy_table(title: str, score: "AnalogyScore") -> str:
    rows = [
        (f"  {part.section}", decimal(part.accuracy), f"{part.correct:,}", f"{part.covered:,}", f"{part.total:,}")
        for part in (*score.sections, score.semantic, score.syntactic, score.total)
    ]
    return table_lines([title, "accuracy", "correct", "covered", "total"], rows)


def _analogy_object(score: "AnalogyScore") -> dict[str, Any]:
    def part(section: "SectionScore") -> dict[str, Any]:
        return {**asdict(section), "accuracy": section.accuracy}

    return {
        "sections": [part(section) for section in score.sections],
        "semantic": part(score.semantic),
        "syntactic": part(score.syntactic),
        "total": part(score.total),
    }
