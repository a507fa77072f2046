"""Skip-gram with negative sampling in plain Python and float64: what the compiled kernel must do.

Written from METHODS.md and the documented formats of the tables, not from the kernel. The one thing that
no document states is the order in which a piece's random numbers are used; it stands in `draw_events`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from w2vspark.kernels.simd import BLOCK

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def splitmix64(state: int) -> int:
    z = state & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Stream:
    """Random numbers of one piece: the n-th is the mixed stream + n * GOLDEN."""

    def __init__(self, start: int) -> None:
        self.state = start

    def draw(self) -> int:
        bits = splitmix64(self.state)
        self.state = (self.state + GOLDEN) & MASK
        return bits

    def kept(self, threshold: int) -> bool:
        return self.draw() >> 32 < threshold

    def reach(self, window: int) -> int:
        return 1 + ((self.draw() >> 32) * window >> 32)

    def noise_word(self, table: list[int]) -> int:
        bits = self.draw()
        slot = (bits >> 32) * len(table) >> 32
        return slot if bits & 0xFFFFFFFF < table[slot] >> 32 else table[slot] & 0xFFFFFFFF


@dataclass
class Event:
    """One centre with the words in its window; negatives without the centre, one drawn twice stands twice."""

    centre: int
    contexts: list[int]
    negatives: list[int]

    @property
    def outputs(self) -> dict[int, tuple[float, int]]:
        """Each output word with its label and how often it counts."""
        counted = {self.centre: (1.0, 1)}
        for word in self.negatives:
            counted[word] = (0.0, counted.get(word, (0.0, 0))[1] + 1)
        return counted


def draw_events(
    piece: list[int], stream: int, keep: list[int], noise: list[int], window: int, negatives: int
) -> Iterator[Event]:
    """Window events of one piece. -1 ends a sentence; the window closes over words that subsampling drops.

    A sentence's draws: one per word for subsampling; the first centre's negatives; then per centre the
    negatives of the next one (they are drawn ahead) and its own reach. A sentence of one word draws no more.
    """
    random = Stream(stream)
    sentence: list[int] = []
    for word in [*piece, -1]:
        if word >= 0:
            if random.kept(keep[word]):
                sentence.append(word)
            continue
        if len(sentence) > 1:
            ahead = [random.noise_word(noise) for _ in range(negatives)]
            for i, centre in enumerate(sentence):
                drawn = ahead
                if i + 1 < len(sentence):
                    ahead = [random.noise_word(noise) for _ in range(negatives)]
                reach = random.reach(window)
                contexts = sentence[max(0, i - reach) : i] + sentence[i + 1 : i + 1 + reach]
                yield Event(centre, contexts, [n for n in drawn if n != centre])
        sentence = []


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -x))


def event_loss(inputs: np.ndarray, outputs: np.ndarray, event: Event) -> float:
    """-sum over the window's words v of log s(u_centre.v) + sum over negatives log s(-u_n.v) (METHODS, 5)."""
    loss = 0.0
    for context in event.contexts:
        loss += np.logaddexp(0.0, -(outputs[event.centre] @ inputs[context]))
        for word in event.negatives:
            loss += np.logaddexp(0.0, outputs[word] @ inputs[context])
    return float(loss)


def apply_event(inputs: np.ndarray, outputs: np.ndarray, event: Event, rate: float, in_place: bool) -> None:
    """One step of gradient descent on event_loss, with all logits from the old rows.

    A word that stands twice in a window is one input row used twice. Where all outputs fit one block the
    kernel's fused pass changes inputs in place, so that the second use is of the changed row (`in_place`);
    with more blocks the inputs' changes are added at the end (ARCHITECTURE.md).
    """
    words = list(event.outputs)
    labels, times = np.array(list(event.outputs.values())).T
    old_inputs, old_outputs = inputs[event.contexts].copy(), outputs[words].copy()
    steps = rate * times * (labels - sigmoid(old_inputs @ old_outputs.T))
    for i, context in enumerate(event.contexts):
        outputs[words] += np.outer(steps[i], inputs[context] if in_place else old_inputs[i])
        inputs[context] += steps[i] @ old_outputs


@dataclass
class Trained:
    """What a run changed and counted; updates are window events (inputs: places in windows) that touched a row."""

    inputs: np.ndarray
    outputs: np.ndarray
    input_updates: np.ndarray
    output_updates: np.ndarray
    events: list[Event]
    losses: list[float]


def train(
    inputs: np.ndarray,
    outputs: np.ndarray,
    pieces: list[list[int]],
    streams: list[int],
    rates: list[float],
    keep: np.ndarray,
    noise: np.ndarray,
    window: int,
    negatives: int,
) -> Trained:
    """Train in float64 on copies; inputs and outputs are (V, D), without a void row."""
    inputs, outputs = inputs.astype(np.float64), outputs.astype(np.float64)
    done = Trained(inputs, outputs, np.zeros(len(inputs), int), np.zeros(len(outputs), int), [], [])
    in_place = negatives + 1 <= BLOCK
    for piece, stream, rate in zip(pieces, streams, rates, strict=True):
        for event in draw_events(piece, stream, keep.tolist(), noise.tolist(), window, negatives):
            done.events.append(event)
            done.losses.append(event_loss(inputs, outputs, event))
            apply_event(inputs, outputs, event, rate, in_place)
            np.add.at(done.input_updates, event.contexts, 1)
            done.output_updates[list(event.outputs)] += 1
    return done
