"""`w2vspark demo`: vectors from text that every machine has, the documentation of Python's standard library."""

import ast
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from w2vspark.api import Result, carry_out
from w2vspark.base.errors import EnvironmentFailure, OutputError
from w2vspark.base.log import get_logger, log_end, log_start
from w2vspark.cli.works import try_next
from w2vspark.flow.progress import Progress
from w2vspark.flow.work import Command
from w2vspark.methods import load_config
from w2vspark.vectors import load_vectors, similar

SETTINGS = "quickstart"  # a ready-made configuration
WORDS = ("file", "thread", "socket", "list", "exception", "path", "encoding")
NEIGHBOURS = 6
OURS = {"corpus", "vectors"}
# Folders with tests, and with packages that are not part of the library.
SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
TOPICS = Path("pydoc_data", "topics.py")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def demo(folder: str) -> tuple[Result, str]:
    """Make FOLDER/corpus and, with a run, FOLDER/vectors.

    Returns the run's result, and a text with its summary, neighbours and commands to try next.

    If the same corpus or vectors are there already, they are not made again. Raises OutputError for a folder that
    cannot be used, EnvironmentFailure for a Python without its library's sources, and the errors of a run.
    """
    corpus, output = Path(folder, "corpus"), str(Path(folder, "vectors"))
    method, config = load_config(SETTINGS, [f"input.path={corpus}", f"output.path={output}"])
    with Progress().stage("corpus", "the documentation of Python's library"):
        write_corpus(Path(sysconfig.get_path("stdlib")), Path(folder))
    done = carry_out(method, config)
    return done, f"{done.summary}\n{_neighbours(output)}\n{try_next(_next_commands(output))}"


def write_corpus(stdlib: Path, folder: Path) -> None:
    """Write FOLDER/corpus/docstrings.txt and topics.txt from the sources in `stdlib`: UTF-8, one document per line.

    A file with the same content is not written again, so that the run finds its input unchanged. Raises
    EnvironmentFailure if the sources or the topics are missing, OutputError if the folder cannot be used.
    """
    log_start("documentation", python=platform.python_version(), source=stdlib)
    docstrings, files, unreadable = read_docstrings(stdlib)
    if not docstrings:
        raise EnvironmentFailure(
            f"{stdlib}: holds no Python sources with docstrings, which the demo reads; use a Python that has its "
            "standard library as .py files (most have), or train on your own text: w2vspark run --help"
        )
    topics = read_topics(stdlib)
    try:
        if strangers := sorted({path.name for path in folder.glob("[!.]*")} - OURS):
            raise OutputError(
                f"{folder}: holds something else ({', '.join(strangers[:5])}); name a new or an empty folder"
            )
        (folder / "corpus").mkdir(parents=True, exist_ok=True)
        for name, documents in (("docstrings.txt", docstrings), ("topics.txt", topics)):
            _write_lines(folder / "corpus" / name, documents)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error}); name another folder") from error
    if unreadable:
        get_logger().warning("unreadable_files=%d first=%s", len(unreadable), unreadable[0])
    words = sum(len(document.split()) for document in (*docstrings, *topics))
    log_end(
        "documentation", files=files, unreadable_files=len(unreadable), docstrings=len(docstrings), topics=len(topics),
        words=words, folder=folder / "corpus",
    )  # fmt: skip


def read_docstrings(stdlib: Path) -> tuple[list[str], int, list[Path]]:
    """The docstrings of all modules, classes and functions below a folder, each text once and on one line.

    Also returns the number of files that were read, and the files that could not be read. Nothing is imported.
    """
    found: dict[str, None] = {}
    files = 0
    unreadable = []
    for path in sorted(stdlib.rglob("*.py")):
        relative = path.relative_to(stdlib)
        if SKIPPED.intersection(relative.parts) or relative == TOPICS:
            continue
        try:
            tree = _parse(path)
        except (OSError, SyntaxError, ValueError):  # no permission, syntax of another Python, NUL bytes
            unreadable.append(path)
            continue
        files += 1
        found.update(dict.fromkeys(_docstrings(tree)))
    return list(found), files, unreadable


def read_topics(stdlib: Path) -> list[str]:
    """The texts of pydoc's topics (`help("LOOPING")`), each on one line. Raises EnvironmentFailure without them."""
    path = stdlib / TOPICS
    fix = "the demo reads them; install the whole standard library of this Python"
    try:
        body = _parse(path).body
    except (OSError, SyntaxError, ValueError) as error:
        raise EnvironmentFailure(f"{path}: pydoc's topics cannot be read ({error}); {fix}") from error
    texts = [text for node in body for text in _dict_texts(node)]
    if not texts:
        raise EnvironmentFailure(f"{path}: holds no dictionary of pydoc's topics; {fix}")
    return [_folded(text) for text in texts]


def _parse(path: Path) -> ast.Module:
    with warnings.catch_warnings():  # the library's own sources have old escapes
        warnings.simplefilter("ignore")
        return ast.parse(path.read_bytes())


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Documented) and (text := _folded(ast.get_docstring(node, clean=False) or "")):
            yield text


def _dict_texts(node: ast.stmt) -> list[str]:
    """The texts in `topics = {"name": "text", …}`, in any layout; [] for other statements."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Dict):
        return []
    return [text for text in ast.literal_eval(node.value).values() if isinstance(text, str)]


def _folded(text: str) -> str:
    return " ".join(text.split())


def _write_lines(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    if not path.is_file() or path.read_bytes() != text:
        path.write_bytes(text)


def _neighbours(output: str) -> str:
    vectors = load_vectors(output)
    lines = ["nearest neighbours (cosine):"]
    for word in WORDS:
        found = "  ".join(f"{near} {cosine:.2f}" for near, cosine in similar(vectors, word, NEIGHBOURS))
        lines.append(f"  {word:<10} {found}")
    return "\n".join(lines) + "\n"


def _next_commands(output: str) -> list[Command]:
    return [
        ("similar", output, "string", "integer"),
        ("analogy", output, "read", "reader", "write"),
        ("analogy", output, "client", "request", "server"),
        ("export", output, "--format", "word2vec-text", "demo-vectors.txt"),
        ("run", "quickstart", "--set", "input.path=YOUR_TEXT", "--set", "output.path=YOUR_VECTORS"),
    ]
