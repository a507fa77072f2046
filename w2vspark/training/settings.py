"""What all trainers take: the keys of [training] that every method has. Methods add to them by classes of their own."""

from dataclasses import dataclass

from w2vspark.config.keys import ABOVE_ZERO, Auto, Settings, at_least, between, key


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodConfig(Settings):
    """What makes the model."""

    section = "training"

    method: str = key("", why="What makes the model: `w2vspark methods` lists them, with what each publishes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(MethodConfig):
    """How vectors are learned."""

    dimensions: int = key(
        100, rule=between(1, 4096), why="How many numbers a vector has; 100 is quick, 300 is usual for large corpora."
    )
    seed: int = key(
        1,
        rule=between(0, 2**63 - 1),
        why="Another seed, other vectors of the same quality; the same seed, the same bytes.",
    )
    cpu_target: str = key(
        "avx2",
        rule=(lambda name: bool(name.strip()), "must be avx2, host or a name of LLVM's"),
        why="avx2 gives the same bytes on every machine; host is a little faster and gives that up; or LLVM's name.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsTraining(TrainingConfig):
    """How vectors are learned round by round, with shards that train side by side."""

    epochs: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="Passes over the corpus, or over its counts. More for small corpora.",
    )
    learning_rate: float | Auto = key(
        "auto",
        rule=ABOVE_ZERO,
        why="How far one step goes, at the beginning.",
    )
    shards: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="Models that train side by side between two rounds; auto follows the corpus, never the cluster.",
    )
    lanes: int | Auto = key(
        "auto",
        rule=at_least(1),
        why="Parts of a shard that threads train side by side.",
    )
