"""The command search, which finds documents. It does not start Spark."""

import argparse
from typing import TYPE_CHECKING

from w2vspark.cli.printing import write_json, write_table
from w2vspark.cli.queries import add_command, positive

if TYPE_CHECKING:
    from w2vspark.vectors.search import Hit


def add_document_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command, which sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    search = add_command(subparsers, "search", "find the documents of a run that are nearest to a query", handle_search)
    search.add_argument("query", metavar="QUERY", help="a text of any length, in quotes")
    search.add_argument("--top", metavar="N", type=positive, default=10, help="how many documents (10)")
    search.add_argument(
        "--documents", metavar="OUTPUT", default="", help="search the documents in the output folder of fold"
    )


def handle_search(arguments: argparse.Namespace) -> int:
    """Print the nearest documents."""
    from w2vspark.vectors import search_documents

    found = search_documents(arguments.output, arguments.query, arguments.top, documents=arguments.documents)
    if arguments.json:
        return write_json({"query": arguments.query, "documents": [hit._asdict() for hit in found]})
    return write_table([arguments.query, "cosine"], _rows(found))


def _rows(found: "list[Hit]") -> list[tuple[str, str]]:
    return [(f"  {hit.doc_id}", f"{hit.cosine:.4f}") for hit in found]
