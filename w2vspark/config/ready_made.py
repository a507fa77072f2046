"""The ready-made configurations, which the package ships: conf/ of the repository, under a link."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "configurations"


def names() -> list[str]:
    """The names of all ready-made configurations."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name: str) -> Path | None:
    """The file of a ready-made configuration; None where there is none of this name."""
    return FOLDER / f"{name}.toml" if name in names() else None


def about(name: str) -> str:
    """What a ready-made configuration is for: the first sentence of its first comment."""
    comment = []
    for line in (FOLDER / f"{name}.toml").read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# "))
    return " ".join(comment).partition(". ")[0].partition("; ")[0].rstrip(".:")
