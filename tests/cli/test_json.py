"""--json: every command prints one object on one line, for an answer and for an error."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run_here
from version_cases import published

from w2vspark.cli.command_line import make_parser
from w2vspark.output.claims import Claim


def leaves(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in inner:
        for word, command in action.choices.items():
            yield from leaves(command, f"{name} {word}".strip())
    if not inner:
        yield name, parser


def told(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = run_here(*arguments, "--json")
    assert done.code == code, done.err
    (line,) = done.out.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_every_command_has_the_option_once():
    commands = dict(leaves(make_parser()))
    assert {"run", "fold", "evaluate", "compare", "config show", "versions", "clean", "warm-up", "demo"} <= set(
        commands
    )
    for name, command in commands.items():
        assert [action.dest for action in command._actions if "--json" in action.option_strings] == ["json"], name


def test_lists_are_objects():
    methods = told("methods")["methods"]
    assert {"name": "glove", "help": methods[6]["help"], "publishes": methods[6]["publishes"]} == methods[6]
    assert "scores" in methods[0]["publishes"]
    assert [job["name"] for job in told("jobs")["jobs"]][:3] == ["fold", "evaluate", "compare"]
    assert told("methods", "lsa")["toml"].startswith("# Latent")
    assert {"name", "about"} == set(told("config", "list")["configurations"][0])
    assert "[training]" in told("config", "show", "glove")["toml"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    with Claim(str(tmp_path / "out"), kind="method"):
        pass
    published(tmp_path / "out", 2, 3)
    return tmp_path / "out"


def test_the_commands_for_versions_print_objects(output):
    listed = told("versions", str(output))
    assert (listed["output"], listed["current"]) == (str(output), "000003")
    assert [row["version"] for row in listed["versions"]] == ["000003", "000002"]
    assert told("promote", str(output), "3") == {"output": str(output), "version": "000003", "promoted": False}
    assert told("rollback", str(output)) == {"output": str(output), "version": "000002"}
    assert told("clean", str(output), "--dry-run") == {"output": str(output), "would_delete": []}
    assert told("clean", str(output)) == {"output": str(output), "deleted": []}


def test_an_error_is_an_object_too(tmp_path):
    for arguments, code, part in (
        (("versions", str(tmp_path)), 4, "is not an output of w2vspark"),
        (("run", "no-such-file"), 2, "there is no such configuration file"),
        (("evaluate", str(tmp_path)), 2, "no test set was given"),
        (("run", "--set", f"input.path={tmp_path}/none", "--set", f"output.path={tmp_path}/out"), 3, "it is not there"),
    ):
        found = told(*arguments, code=code)
        assert set(found) == {"error", "exit_code"} and found["exit_code"] == code
        assert part in found["error"], found
