"""The commands that read published tables: similar, analogy, probe and export. They do not start Spark."""

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from w2vspark.cli.printing import answer, table_lines, write_json, write_text

# Only the handlers import NumPy and pyarrow, so that `--help` and the other commands start at once.
if TYPE_CHECKING:
    from w2vspark.vectors.query import Neighbour

ANALOGY_METHODS = ("3cosadd", "3cosmul")
FORMATS = ("word2vec-text", "word2vec-binary", "glove-text")
TABLES = ("vectors", "context")


def add_query_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    similar = add_command(subparsers, "similar", "find the nearest neighbours of words", handle_similar)
    similar.add_argument("words", metavar="WORD", nargs="+", help="one or more words; each gets its own list")
    _add_answer_options(similar)

    analogy = add_command(subparsers, "analogy", "A is to B as C is to what? Example: man king woman", handle_analogy)
    for name in "abc":
        analogy.add_argument(name, metavar=name.upper())
    _add_answer_options(analogy)
    analogy.add_argument("--method", choices=ANALOGY_METHODS, default="3cosadd")

    probe = add_command(subparsers, "probe", "compare how often words occur near A and near B", handle_probe)
    probe.description = "how much more likely words occur near A than near B, as in: ice steam --words solid gas"
    probe.add_argument("a", metavar="A")
    probe.add_argument("b", metavar="B")
    probe.add_argument("--words", metavar="WORD", nargs="+", required=True, help="the words to look for near A and B")

    export = add_command(subparsers, "export", "write the vectors in another program's format", handle_export)
    export.add_argument("file", metavar="FILE", help="the local file to write")
    export.add_argument("--format", choices=FORMATS, required=True)
    export.add_argument("--table", choices=TABLES, default="vectors", help="the table to export (vectors)")
    export.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")


def handle_similar(arguments: argparse.Namespace) -> int:
    """Print a table of neighbours for every word."""
    from w2vspark.vectors import load_vectors, similar

    vectors = load_vectors(arguments.output)
    answers = {word: similar(vectors, word, arguments.top) for word in arguments.words}
    if arguments.json:
        return write_json({"answers": [{"word": word, "neighbours": _plain(found)} for word, found in answers.items()]})
    count = dict(zip(vectors.words, vectors.counts.tolist(), strict=True))
    return write_text("\n".join(_neighbours(word, "cosine", found, count) for word, found in answers.items()))


def handle_analogy(arguments: argparse.Namespace) -> int:
    """Print the best answers to one analogy."""
    from w2vspark.vectors import analogy, load_vectors

    vectors = load_vectors(arguments.output)
    a, b, c = arguments.a, arguments.b, arguments.c
    found = analogy(vectors, a, b, c, arguments.top, method=arguments.method)
    if arguments.json:
        return write_json({"a": a, "b": b, "c": c, "method": arguments.method, "answers": _plain(found)})
    count = dict(zip(vectors.words, vectors.counts.tolist(), strict=True))
    return write_text(_neighbours(f"{a} : {b} = {c} : ?", arguments.method, found, count))


def handle_probe(arguments: argparse.Namespace) -> int:
    """Print a row for every probe word."""
    from w2vspark.vectors import probe

    a, b = arguments.a, arguments.b
    found = probe(arguments.output, a, b, arguments.words)
    if arguments.json:
        return write_json({"a": a, "b": b, "probes": [answer._asdict() for answer in found]})
    rows = [(f"  {k}", _scientific(near_a), _scientific(near_b), decimal(ratio)) for k, near_a, near_b, ratio in found]
    return write_text(table_lines(["k", f"P(k|{a})", f"P(k|{b})", f"P(k|{a})/P(k|{b})"], rows))


def handle_export(arguments: argparse.Namespace) -> int:
    """Write the file, and print its size and format."""
    from w2vspark.vectors import export_vectors, load_vectors

    vectors = load_vectors(arguments.output, arguments.table)
    export_vectors(vectors, arguments.file, arguments.format, overwrite=arguments.overwrite)
    facts = {"words": len(vectors.words), "dimensions": vectors.dimensions, "format": arguments.format}
    text = f"{arguments.file}: {len(vectors.words):,} words, {vectors.dimensions} dimensions, {arguments.format}\n"
    return answer(arguments, {"file": arguments.file, **facts}, lambda: text)


def add_command(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    help: str,
    handler: Callable[[argparse.Namespace], int],
    output: str = "the output folder of a run (or one version of it)",
) -> argparse.ArgumentParser:
    """Add a command whose first argument is an output folder. output: the help of this argument."""
    parser = subparsers.add_parser(name, help=help, description=help)
    parser.add_argument("output", metavar="OUTPUT", help=output)
    parser.set_defaults(handler=handler)
    return parser


def _add_answer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--top", metavar="N", type=positive, default=10, help="how many words (10)")


def positive(text: str) -> int:
    """Read a whole number above 0, for argparse."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _neighbours(title: str, measure: str, found: "list[Neighbour]", count: dict[str, int]) -> str:
    rows = [(f"  {word}", f"{score:.4f}", f"{count[word]:,}") for word, score in found]
    return table_lines([title, measure, "count"], rows)


def _plain(found: "list[Neighbour]") -> list[dict[str, Any]]:
    return [neighbour._asdict() for neighbour in found]


def decimal(number: float) -> str:
    return f"{number:.4f}" if math.isfinite(number) else "-"


def _scientific(number: float) -> str:
    return f"{number:.2e}" if math.isfinite(number) else "-"
