"""What an error tells the user to do about a table or file that is missing or damaged."""

import re

_OF_VERSION = re.compile(r"(.+)/versions/[0-9]{6,}(?:/.*)?")  # OUTPUT/versions/000003 and what is below it


def how_to_mend(uri: str) -> str:
    """The commands that replace what is missing or damaged at a URI: of a published version, or of any other table."""
    found = _OF_VERSION.fullmatch(uri)
    if found is None:
        return "make it again by running the command"
    # --from is for damage that a run does not look for: it reads the footers of what is published, not the pages.
    return (
        "run the command again that made it; if it finds nothing to do, add --from version; "
        f"or go back to an earlier version with w2vspark rollback {found[1]}"
    )


def is_below_version(uri: str) -> bool:
    """Whether this is a version's folder by its name, or something in one."""
    return _OF_VERSION.fullmatch(uri) is not None
