"""The commands for documents of lsa: search, which starts no Spark, and fold, which does."""

import argparse
from typing import TYPE_CHECKING

from w2vspark.base import log
from w2vspark.cli.queries import add_command, positive, print_table, write_json

if TYPE_CHECKING:
    from w2vspark.vectors.search import Hit


def add_lsa_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the two commands; each sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    search = add_command(subparsers, "search", "the documents of an lsa run nearest to a question", handle_search)
    search.add_argument("query", metavar="QUERY", help="a text of any length, in quotes")
    search.add_argument("--top", metavar="N", type=positive, default=10, help="how many documents (10)")
    search.add_argument(
        "--documents", metavar="OUTPUT", default="", help="search documents that `w2vspark fold` wrote there"
    )
    search.add_argument("--json", action="store_true", help="print JSON")
    fold = add_command(subparsers, "fold", "vectors of new documents, in the space of an lsa run", handle_fold)
    add_fold_options(fold)


def add_fold_options(parser: argparse.ArgumentParser) -> None:
    """Options of fold, the same on the command line and for spark-submit."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with [input], [output] and [spark]")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", dest="overrides",
        help="a setting over the file's, as in input.path=TEXT and output.path=FOLDED",
    )  # fmt: skip
    parser.add_argument("--from", metavar="STAGE", dest="force_from", help="make folded, or documents alone, again")
    parser.add_argument("--verbose", action="store_true", help="log everything")


def handle_search(arguments: argparse.Namespace) -> int:
    """Prints the nearest documents."""
    from w2vspark.vectors import search_documents

    found = search_documents(arguments.output, arguments.query, arguments.top, documents=arguments.documents)
    if arguments.json:
        return write_json({"query": arguments.query, "documents": [hit._asdict() for hit in found]})
    return print_table([arguments.query, "cosine"], _rows(found))


def handle_fold(arguments: argparse.Namespace) -> int:
    """Folds and publishes documents, and prints how many."""
    import sys

    from w2vspark.flow.progress import Progress
    from w2vspark.jobs.fold import fold_config, fold_documents, fold_report

    log.configure(arguments.verbose)
    config = fold_config(arguments.config, arguments.overrides)
    run = fold_documents(arguments.output, config, Progress(), arguments.force_from)
    sys.stdout.write(fold_report(run))
    return 0


def _rows(found: "list[Hit]") -> list[tuple[str, str]]:
    return [(f"  {hit.doc_id}", f"{hit.cosine:.4f}") for hit in found]
