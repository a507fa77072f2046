"""Corpora whose structure is known by construction, so that right neighbours and analogies are known as well.

A capital and its country share a topic; all countries share one role and all capitals another. The members of a kind
are interchangeable: they stand in the same frames, and never beside each other.
"""

import random
from pathlib import Path

PAIRS, KINDS, MEMBERS = 10, 6, 5
TOPIC_WORDS, ROLE_WORDS, FRAME_WORDS, FILLERS = 5, 8, 8, 60


def country(pair: int) -> str:
    """A country's name."""
    return f"country{pair}"


def capital(pair: int) -> str:
    """Its capital's name."""
    return f"capital{pair}"


def members(kind: int) -> list[str]:
    """The words of a kind."""
    return [f"kind{kind}member{i}" for i in range(MEMBERS)]


def documents(count: int, seed: int) -> list[str]:
    """So many documents of 100 words each, one line each."""
    draw = random.Random(seed)
    return [" ".join(word for _ in range(10) for word in _sentence(draw)) for _ in range(count)]


def write_lines(folder: Path, lines: list[str], files: int = 1) -> Path:
    """The documents dealt to so many text files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (folder / f"part{number:02}.txt").write_text("".join(line + "\n" for line in lines[number::files]), "utf-8")
    return folder


def _sentence(draw: random.Random) -> list[str]:
    """Ten words around one country, capital or member of a kind."""
    fillers = [f"filler{min(int(draw.paretovariate(0.7)), FILLERS)}" for _ in range(3)]
    if draw.random() < 0.6:
        pair, role = draw.randrange(PAIRS), draw.choice(["country", "capital"])
        words = [f"topic{pair}x{draw.randrange(TOPIC_WORDS)}" for _ in range(3)]
        words += [f"{role}role{draw.randrange(ROLE_WORDS)}" for _ in range(3)]
        name = f"{role}{pair}"
    else:
        kind = draw.randrange(KINDS)
        words = [f"frame{kind}x{draw.randrange(FRAME_WORDS)}" for _ in range(6)]
        name = draw.choice(members(kind))
    words += fillers
    draw.shuffle(words)
    words.insert(5, name)
    return words
