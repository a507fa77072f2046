"""The commands config list and config show NAME. They do not start Spark."""

import argparse

from w2vspark.base.errors import ConfigError
from w2vspark.cli.printing import answer
from w2vspark.config import ready_made
from w2vspark.config.values import did_you_mean


def add_configuration_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `config` with its two commands; each sets `handler` by set_defaults."""
    about = "list ready-made configurations, or print one"
    config = commands.add_parser("config", help=about, description=about).add_subparsers(required=True, metavar="WHAT")
    about = "list the ready-made configurations"
    config.add_parser("list", help=about, description=about).set_defaults(handler=handle_list)
    about = "print a ready-made configuration, to save and edit it: w2vspark config show glove > my.toml"
    show = config.add_parser("show", help=about, description=about)
    show.add_argument("name", metavar="NAME", help="its name in `w2vspark config list`")
    show.set_defaults(handler=handle_show)


def handle_list(arguments: argparse.Namespace) -> int:
    """Print the name and the purpose of each ready-made configuration."""
    lines = [f"{name:<12} {ready_made.about(name)}" for name in ready_made.names()]
    lines += ["", "`w2vspark run NAME` uses one as it is. `w2vspark config show NAME > my.toml` saves it for editing."]
    value = {"configurations": [{"name": name, "about": ready_made.about(name)} for name in ready_made.names()]}
    return answer(arguments, value, lambda: "\n".join(lines) + "\n")


def handle_show(arguments: argparse.Namespace) -> int:
    """Print the file of a ready-made configuration."""
    path = ready_made.find(arguments.name)
    if path is None:
        hint = did_you_mean(arguments.name, ready_made.names())
        raise ConfigError(f"{arguments.name}: there is no ready-made configuration of this name{hint}")
    text = path.read_text("utf-8")
    return answer(arguments, {"name": arguments.name, "toml": text}, lambda: text)
