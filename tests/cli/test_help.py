"""What the command line says of itself, and what it says about a command that is written wrongly."""

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest
from commands import options, run_here

from w2vspark.cli.command_line import GROUPS, main, make_parser
from w2vspark.config import ready_made


def commands() -> list[str]:
    return list(next(action.choices for action in make_parser()._actions if action.choices))


def parsed(*words: str) -> tuple[int, str]:
    """The exit code and the words of a command line with which argparse ends the program."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0), out.getvalue()


def refused(*words: str) -> str:
    code, said = parsed(*words)
    assert code == 2
    return said


def test_help_names_every_command_once_in_a_group_and_fits_a_screen():
    code, shown = parsed("--help")
    lines = shown.splitlines()
    assert code == 0
    assert len(lines) <= 40 and max(map(len, lines)) <= 90
    listed = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("  -")]
    for command in commands():
        assert listed.count(command) == 1, command
    assert [line for line in lines if line.rstrip(":") in GROUPS] == [f"{group}:" for group in GROUPS]


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_of_its_own(command):
    code, shown = parsed(command, "--help")
    assert code == 0 and shown.startswith(f"usage: w2vspark {command} ")


@pytest.mark.parametrize("words", [["input.path", "text.txt"], ["training.epochs", "5", "--dry-run"]])
def test_a_value_that_stands_apart_from_its_key_is_told_with_the_fix(words):
    assert f"--set {words[0]}=VALUE" in refused("run", "--set", *words)
    assert f"--set {words[0]}=VALUE" in refused("run", "quickstart", "--set", *words)


def test_a_secret_that_stands_apart_from_its_key_is_not_shown():
    for config in ([], ["quickstart"]):
        assert "geheim" not in refused(
            "run", *config, "--set", "spark.options.spark.hadoop.fs.s3a.secret.key", "geheim"
        )


def test_other_words_too_many_are_told_as_they_are():
    assert "unrecognized arguments: more" in refused("run", "quickstart", "more")


@pytest.mark.parametrize(
    "words, hint",
    [
        (["simlar", "x", "y"], "simlar: there is no such command; did you mean similar?"),
        (["fly"], "fly: there is no such command; w2vspark --help lists the commands"),
        (["run", "quickstart", "--dryrun"], "did you mean --dry-run?"),
        (["run", "--epochs", "3", "quickstart"], "a setting is given as --set TABLE.KEY=VALUE"),
        (["run", "quickstart", "--set", "phrases.thresholds=[100,", "50]"], "put quotes around a value with spaces"),
        (["similar", "x", "y", "--tpo"], "did you mean --top?"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(words, hint):
    assert hint in refused(*words)


@pytest.mark.parametrize("master", ["foo", "local[0]", "spark:/host", "local[2"])
def test_a_wrong_master_is_told_with_all_other_mistakes(master):
    done = run_here("run", *options(spark__master=master, training__epochs=0))
    assert done.code == 2
    for part in ("spark.master = ", "must be local[*]", "training.epochs = 0", "input.path"):
        assert part in done.err


@pytest.mark.parametrize(
    "master",
    "local|local[*]|local[4]|local[4, 2]|local-cluster[2,1,1024]|spark://a:7077,b:7077|yarn|k8s://https://a:6443".split(
        "|"
    ),
)
def test_the_masters_of_spark_are_allowed(master, tmp_path):
    (tmp_path / "text.txt").write_text("some words\n")
    words = options(spark__master=master, input__path=tmp_path / "text.txt", output__path=tmp_path / "out")
    run_here("run", *words, "--dry-run").assert_done()


def test_ready_made_configurations_are_listed_shown_and_run(tmp_path):
    listed = run_here("config", "list").assert_done().out
    for name in ready_made.names():
        assert f"{name} " in listed
    shown = run_here("config", "show", "glove").assert_done().out
    (tmp_path / "my.toml").write_text(shown)
    (tmp_path / "text.txt").write_text("some words\n")
    words = options(input__path=tmp_path / "text.txt", output__path=tmp_path / "out")
    plans = [
        run_here("run", name, *words, "--dry-run").assert_done().out for name in ("glove", str(tmp_path / "my.toml"))
    ]
    assert plans[0] == plans[1] and 'method = "glove"' in plans[0]
    run_here("config", "show", "glov").assert_one_error(2, "glov", "did you mean glove?")
