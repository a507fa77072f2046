"""The ready-made configurations. The package has them in a folder that is a link to the repository's conf/."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "configurations"


def names() -> list[str]:
    """The names of all ready-made configurations."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name: str) -> Path | None:
    """The file of a ready-made configuration; None if there is none with this name."""
    return FOLDER / f"{name}.toml" if name in names() else None


def about(name: str) -> str:
    """The purpose of a ready-made configuration: the first sentence of its first comment."""
    comment = []
    for line in (FOLDER / f"{name}.toml").read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# "))
    return " ".join(comment).partition(". ")[0].partition("; ")[0].rstrip(".:")
