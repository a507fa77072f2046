"""Fingerprints of a run under another configuration, other code and other libraries, without running anything."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from w2vspark import methods
from w2vspark.base.errors import ConfigError
from w2vspark.config.config import Config
from w2vspark.fingerprints import definitions, fingerprint
from w2vspark.flow.identity import fingerprints
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.work import Work
from w2vspark.output.staging import Staging

NO_TABLES = {"corpus", "earlier model", "current version", "model", "request"}
Asked = tuple[Work, Config] | None  # None: a configuration that is refused


def asked(keys: dict[str, Any]) -> Asked:
    """The method and the configuration of some keys ("training.window")."""
    tree: dict[str, dict[str, Any]] = {}
    for key, value in keys.items():
        table, name = key.split(".")
        tree.setdefault(table, {})[name] = value
    try:
        return methods.from_dict(tree)
    except ConfigError:
        return None


def fingerprints_of(chosen: Asked, session: object = None, model: str = "") -> dict[str, str]:
    """What identity.fingerprints says; {} for a configuration that is refused."""
    if chosen is None:
        return {}
    run = Run(*chosen, "/nowhere", Progress(), Staging("/nowhere"), model=model)
    run.started_session = session
    return fingerprints(run)


def made_anew(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The tables of the second that are not as in the first."""
    return {table for table, own in after.items() if table not in NO_TABLES and before.get(table) != own}


@contextmanager
def source_of(monkeypatch: pytest.MonkeyPatch, module: str, text: str) -> Iterator[None]:
    """A module has another source for a while."""
    known = definitions.definitions
    with monkeypatch.context() as patch:
        patch.setattr(definitions, "read_source", {module: text}.__getitem__)
        changed = {module: known.__wrapped__(module)}  # only this module is read again
        for user in (definitions, fingerprint):
            patch.setattr(user, "definitions", lambda name: changed.get(name) or known(name))
        fingerprint._reached_with.cache_clear()
        try:
            yield
        finally:
            fingerprint._reached_with.cache_clear()


def source(module: str) -> str:
    return definitions.read_source(module)


def with_changed(module: str, name: str) -> str:
    """A module's source with one more statement in a function or class, or with another value of a constant."""
    tree = ast.parse(source(module))
    (found,) = [
        node for node in tree.body if getattr(node, "name", "") == name or ast.unparse(node).startswith(f"{name} = ")
    ]
    if isinstance(found, ast.Assign):
        found.value = ast.Constant("another value")
    else:
        found.body.append(ast.parse("changed = 1").body[0])
    return ast.unparse(tree)


def write_corpus(folder: Path) -> dict[str, str]:
    """Two corpora of JSON, two earlier models and two test sets, as files."""
    paths = {name: folder / name for name in ("corpus.json", "other.json", "earlier.txt", "other.txt")}
    for number, path in enumerate(paths.values()):
        path.write_text(f"file {number}\n" * (number + 1))
    for name, row in (("pairs.tsv", "one two 3\n"), ("analogies.tsv", "section one two three four\n")):
        paths[name] = folder / name
        paths[name].write_text(row)
    return {name: str(path) for name, path in paths.items()}
