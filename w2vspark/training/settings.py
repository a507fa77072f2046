"""The keys of [training] that all methods share. Methods add their own keys in subclasses."""

from dataclasses import dataclass

from w2vspark.config.keys import ABOVE_ZERO, Auto, Settings, at_least, between, key


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodConfig(Settings):
    """How the model is made."""

    section = "training"

    method: str = key("", why="How the model is made; `w2vspark methods` lists the methods and their tables.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(MethodConfig):
    """How vectors are learned."""

    dimensions: int = key(
        100, rule=between(1, 4096), why="How many numbers a vector has; 100 is quick, 300 is usual for large corpora."
    )
    seed: int = key(
        1,
        rule=between(0, 2**63 - 1),
        why="The same seed gives the same bytes; another seed gives other vectors of the same quality.",
    )
    cpu_target: str = key(
        "avx2",
        rule=(lambda name: bool(name.strip()), "must be avx2, host or LLVM's name of a CPU"),
        why="avx2 gives the same bytes on every machine; host is a little faster, but its bytes differ between "
        "machines; or LLVM's name of a CPU.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsTraining(TrainingConfig):
    """How vectors are learned round by round, with shards that train side by side."""

    epochs: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="How often the corpus, or its counts, is trained; small corpora need more epochs.",
    )
    learning_rate: float | Auto = key(
        "auto",
        rule=ABOVE_ZERO,
        why="The size of a step at the beginning.",
    )
    shards: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="Models that train side by side in a round; auto depends on the corpus, never on the cluster.",
    )
    lanes: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="Shares of a shard that threads train side by side.",
    )
