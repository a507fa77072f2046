"""Advice for errors about missing or damaged tables and files."""

import re

_OF_VERSION = re.compile(r"(.+)/versions/[0-9]{6,}(?:/.*)?")  # OUTPUT/versions/000003, and paths below it


def how_to_mend(uri: str) -> str:
    """Advice how to replace a missing or damaged table or file: of a published version, or any other."""
    found = _OF_VERSION.fullmatch(uri)
    if found is None:
        return "make it again by running the command"
    # A run checks only the footers of published files. Damage in their pages needs --from.
    return (
        "run the command again that made it; if it finds nothing to do, add --from version; "
        f"or go back to an earlier version with w2vspark rollback {found[1]}"
    )


def is_below_version(uri: str) -> bool:
    """Whether the URI has the form of a version's folder, or of a path in one."""
    return _OF_VERSION.fullmatch(uri) is not None
