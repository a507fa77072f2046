"""Commands that a user may try next with a published model."""

from w2vspark import storage
from w2vspark.flow.work import Command
from w2vspark.output.publish import Version

FREQUENT = 1000  # the most frequent words, from which the examples come


def of_words(version: Version, output: str) -> list[Command]:
    """For a model of words: neighbours of two words, phrases if there are any, versions, and an export."""
    words = telling_words(version)
    commands: list[Command] = [("similar", output, *words)]
    if version.has("phrases"):
        commands.append(("phrases", output))
    return [*commands, ("versions", output), ("export", output, "--format", "word2vec-text", "vectors.txt")]


def of_documents(version: Version, output: str) -> list[Command]:
    """For a model of documents: a search, then the commands for words."""
    return [("search", output, " ".join(telling_words(version))), *of_words(version, output)]


def telling_words(version: Version) -> list[str]:
    """Two long, frequent words as examples, in the order of their ids; fewer if the vocabulary is smaller."""
    with version.reading("run again"):
        first = next(iter(storage.scan_table(version.table("vocabulary"), columns=["id", "word"])), None)
    rows = [] if first is None else sorted(zip(*(column.to_pylist() for column in first.columns), strict=True))
    words = [word for _, word in rows[:FREQUENT]]
    plain = [word for word in words[len(words) // 10 : len(words) // 2] if word.isalpha()]
    longest = sorted(plain or words, key=len, reverse=True)[:2]
    return [word for word in words if word in longest]
