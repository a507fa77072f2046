"""Commands that a user may try next with a published model."""

from w2vspark import storage
from w2vspark.flow.work import Command
from w2vspark.output.publish import Version

FREQUENT = 1000  # the most frequent words, from which the examples come


def of_words(version: Version, output: str) -> list[Command]:
    """For a model of words: neighbours of two words, phrases if there are any, versions, and an export."""
    return _of_words(version, output, telling_words(version))


def of_documents(version: Version, output: str) -> list[Command]:
    """For a model of documents: a search, then the commands for words."""
    words = telling_words(version)
    searches: list[Command] = [("search", output, " ".join(words))] if words else []
    return [*searches, *_of_words(version, output, words)]


def _of_words(version: Version, output: str, words: list[str]) -> list[Command]:
    commands: list[Command] = [("similar", output, *words)] if words else []
    if version.has("phrases"):
        commands.append(("phrases", output))
    file = f"{output.rstrip('/').rpartition('/')[2]}.txt"
    return [*commands, ("versions", output), ("export", output, "--format", "word2vec-text", file)]


def telling_words(version: Version) -> list[str]:
    """Two frequent words as examples, plain ones of five to eight letters first; fewer if there are fewer words."""
    with version.reading("run again"):
        first = next(iter(storage.scan_table(version.table("vocabulary"), columns=["id", "word"])), None)
    rows = [] if first is None else sorted(zip(*(column.to_pylist() for column in first.columns), strict=True))
    words = [word for _, word in rows[:FREQUENT] if not word.startswith("-")]  # which would be an option
    plain = [word for word in words[len(words) // 10 :] if word.isalpha()]
    short = [word for word in plain if 5 <= len(word) <= 8]
    return list(dict.fromkeys([*short, *plain, *words]))[:2]
