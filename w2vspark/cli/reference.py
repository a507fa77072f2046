"""Text made from the lists of methods and jobs: `w2vspark methods` and `jobs`, conf/word2vec.toml, reference pages.

`python -m w2vspark.cli.reference` writes the files of PAGES below the current folder.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from w2vspark.base.errors import ConfigError
from w2vspark.cli.pages import GENERATED, column_type, commands_page, exit_codes_page, tables_page
from w2vspark.config.config import Config, make_config
from w2vspark.config.keys import Key, Settings, keys_of
from w2vspark.config.load import listing
from w2vspark.config.values import did_you_mean, toml_value
from w2vspark.flow.work import VERSION, Artefact, Table, Work, always
from w2vspark.jobs import JOBS
from w2vspark.methods import METHODS
from w2vspark.spark.session import SparkConfig
from w2vspark.training.settings import TrainingConfig

WIDTH = 118  # of lines in files
METHOD = "training.method"  # the key whose value is a method's name


def works(kind: str) -> dict[str, Any]:
    """METHODS or JOBS."""
    return dict(METHODS) if kind == "methods" else dict(JOBS)


def listing_of(kind: str) -> str:
    """The methods or the jobs, with a line of help each and what each publishes."""
    lines = []
    for work in works(kind).values():
        names = ", ".join(f"[{one.name}]" if one.when else one.name for one in work.publishes)
        lines += [f"{work.name:<18} {work.help}", f"{'':<18} publishes {names}"]
    if "[" in "".join(lines):
        lines += [
            "",
            "Tables in brackets are published with certain settings only; see the page Methods of the documentation.",
        ]
    use = "w2vspark run FILE" if kind == "methods" else "w2vspark NAME MODEL --config FILE"
    lines += ["", f"`w2vspark {kind} NAME` prints a configuration to save and edit; then: {use}"]
    return "\n".join(lines) + "\n"


def list_works(kind: str) -> list[dict[str, Any]]:
    """The methods or the jobs as objects: name, help, and the names of what each publishes."""
    return [
        {"name": work.name, "help": work.help, "publishes": [one.name for one in work.publishes]}
        for work in works(kind).values()
    ]


def configuration_of(kind: str, name: str) -> str:
    """The configuration file of a method or a job: every key that it reads with its default and a reason.

    Raises ConfigError for an unknown name.
    """
    known, other = works(kind), {"methods": "jobs", "jobs": "methods"}[kind]
    if name not in known:
        there = f"; it is one of the {other}: w2vspark {other} {name}" if name in works(other) else ""
        raise ConfigError(f"{name}: is none of the {kind}{there or did_you_mean(name, list(known))}")
    work = known[name]
    head = f"# {work.help[:1].upper()}{work.help[1:]}. Every key with its default.\n\n"
    return head + _toml(work.settings, name if kind == "methods" else "", work.auto)


def default_config(work: Work) -> Config:
    """The settings of a method or job at their defaults."""
    config = make_config(*(settings() for settings in work.settings))
    if TrainingConfig not in config:
        return config
    return config.replaced(replace(config[TrainingConfig], method=work.name))


def all_settings(*lists: Mapping[str, Work]) -> list[type[Settings]]:
    """The classes of settings of all methods, or of these lists, by tables, in the order of a configuration file."""
    found: dict[str, dict[type[Settings], None]] = {}
    last = SparkConfig.section
    for work in (work for known in lists or (METHODS,) for work in known.values()):
        for settings in work.settings:
            found.setdefault(settings.section, {})[settings] = None
    order = [section for section in found if section != last] + [last]
    return [settings for section in order for settings in found[section]]


def _keys(settings: Iterable[type[Settings]]) -> dict[str, dict[str, Key]]:
    """The keys of some classes by tables; a key that several classes have occurs once."""
    tables: dict[str, dict[str, Key]] = {}
    for one in settings:
        tables.setdefault(one.section, {}).update(keys_of(one))
    return tables


def _toml(settings: Iterable[type[Settings]], method: str, auto: Mapping[str, str]) -> str:
    """A configuration file. method: what training.method is. auto: as Work.auto."""
    parts = []
    for section, keys in _keys(settings).items():
        lines = [f"[{section}]"]
        for key in keys.values():
            note = f" auto: {auto[name]}." if (name := f"{section}.{key.name}") in auto else ""
            lines += [f"# {line}" for line in _wrapped(key.why + note, WIDTH - 2)]
            lines.append(f"{key.name} = {toml_value(method if name == METHOD else key.default)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def every_key() -> str:
    """conf/word2vec.toml: every key of every method."""
    head = (
        "# Skip-gram with negative sampling, the usual choice: every key of every method with its default.\n"
        "# `w2vspark methods NAME` prints the keys of one method alone.\n"
        "#   w2vspark run word2vec --set input.path=/lake/text --set output.path=/lake/vectors\n\n"
    )
    first = next(iter(METHODS.values()))
    return head + _toml(all_settings(), first.name, first.auto)


def configuration_page() -> str:
    """docs/reference/configuration.md: a table of keys for each table of the configuration."""
    lines = ["# Configuration", "", GENERATED, "", _ABOUT_CONFIGURATION, ""]
    every = all_settings(METHODS, JOBS)
    for section, keys in _keys(every).items():
        of_section = [one for one in every if one.section == section]
        simplest = min(of_section, key=lambda one: len(keys_of(one)))
        readers = list(dict.fromkeys(user for name in keys for user in _users(section, name)))
        lines += [f"## [{section}]", "", f"{simplest.__doc__} {_for(readers)}", ""]
        lines += ["| key | default | what it may be | what it is for |", "| --- | --- | --- | --- |"]
        for name, key in keys.items():
            users = _users(section, name)
            own = "" if set(users) == set(readers) else f" {_for(users)}"
            default = next(iter(METHODS)) if f"{section}.{name}" == METHOD else key.default
            cells = [
                f"`{name}`",
                f"`{toml_value(default)}`",
                _kind(key, section),
                key.why + _autos(section, name) + own,
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _autos(section: str, name: str) -> str:
    """What `auto` stands for, by methods."""
    values: dict[str, list[str]] = {}
    for method in METHODS.values():
        if (value := method.auto.get(f"{section}.{name}")) is not None:
            values.setdefault(value, []).append(method.name)
    if len(values) == 1:
        return f" auto: {next(iter(values))}."
    shown = [f"{value} ({listing(_together(users))})" for value, users in values.items()]
    return f" auto: {'; '.join(shown)}." if shown else ""


_ABOUT_CONFIGURATION = (
    "A configuration is a TOML file with the tables below; `--set table.key=value` goes over it. All mistakes in one\n"
    "are reported at once. `w2vspark methods NAME` and `w2vspark jobs NAME` print the keys of one method or job."
)


def _users(section: str, name: str) -> list[str]:
    """The methods and jobs that read a key."""
    return [
        one.name
        for one in (*METHODS.values(), *JOBS.values())
        if any(settings.section == section and name in keys_of(settings) for settings in one.settings)
    ]


def _for(names: list[str]) -> str:
    """A sentence that names the methods and jobs that read a key or table."""
    jobs = [f"the job `{name}`" for name in names if name in JOBS]
    return f"For {listing([*_together([name for name in names if name in METHODS]), *jobs])}."


def _together(names: list[str]) -> list[str]:
    """Methods as words of a sentence: "all methods", the name of a family if all of it is there, or single names."""
    if len(names) == len(METHODS):
        return ["all methods"]
    shown = []
    for name in names:
        family = METHODS[name].family
        whole = family and all(other.name in names for other in METHODS.values() if other.family == family)
        shown.append(family if whole else f"`{name}`")
    return list(dict.fromkeys(shown))


def _kind(key: Key, section: str) -> str:
    """What values a key may have, in words."""
    if f"{section}.{key.name}" == METHOD:
        return "a method"
    rule = f", {key.rule[1].removeprefix('must be ')}" if key.rule else ""
    return _hint(key.hint) + rule


def _hint(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_hint(one) for one in arguments)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin is tuple:
        one = "string" if arguments[0] is str else "number"
        return f"a {one} or a list of {one}s"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", dict: "a table"}
    return names[origin or hint]


def works_page(kind: str) -> str:
    """docs/reference/methods.md or jobs.md: what each publishes, with its columns."""
    about = {
        "methods": "A method makes a model from a corpus: `w2vspark run`, with `training.method` in the configuration.",
        "jobs": "A job makes tables from a published model, whose output folder is MODEL, in a folder of its own:\n"
        "`w2vspark NAME MODEL --set output.path=…`; under spark-submit `jobs/job.py NAME MODEL …`.",
    }[kind]
    lines = [f"# {kind.capitalize()}", "", GENERATED, "", about, ""]
    families: dict[tuple[Any, ...], list[Work]] = {}
    for work in works(kind).values():
        families.setdefault((work.steps, work.publishes), []).append(work)
    for first, *others in families.values():
        lines += [f"## {', '.join(f'`{work.name}`' for work in (first, *others))}", ""]
        lines += [f"- `{work.name}`: {work.help}." for work in (first, *others)]
        tables = ", ".join(f"`[{section}]`" for section in dict.fromkeys(one.section for one in first.settings))
        lines += ["", f"Reads {tables}. Stages, those in brackets with certain settings only: {_flow(first)}.", ""]
        lines += ["| publishes | a row is | columns | published when |", "| --- | --- | --- | --- |"]
        lines += [_published_row(one, default_config(first)) for one in first.publishes]
        lines.append("")
    return "\n".join(lines)


def _flow(work: Work) -> str:
    names = [step.table for step in work.steps]
    # Of two steps with one table a run has one.
    some = {step.table for step in work.steps if step.wanted is not always and names.count(step.table) == 1}
    shown = [f"[{name}]" if name in some else name for name in dict.fromkeys(names)]
    return " → ".join([*shown, VERSION])


def _published_row(one: Table | Artefact, config: Config) -> str:
    if isinstance(one, Artefact):
        return f"| `{one.name}` (a file) | {one.about} | | {one.when} |"
    columns = ", ".join(f"{field.name} `{column_type(field.type)}`" for field in one.schema_of(config))
    return f"| `{one.name}` | {one.about} | {columns} | {one.when} |"


def _tables_page() -> str:
    every = (*METHODS.values(), *JOBS.values())
    return tables_page(every, {work.name: default_config(work) for work in every})


PAGES: dict[str, Callable[[], str]] = {
    "conf/word2vec.toml": every_key,
    "docs/reference/configuration.md": configuration_page,
    "docs/reference/methods.md": lambda: works_page("methods"),
    "docs/reference/jobs.md": lambda: works_page("jobs"),
    "docs/reference/commands.md": commands_page,
    "docs/reference/tables.md": _tables_page,
    "docs/reference/exit-codes.md": exit_codes_page,
}


def main() -> int:
    """Write all pages."""
    for name, text in PAGES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
