"""word2vec's methods in plain Python and float64: what the compiled kernel must do.

Written from METHODS.md and the documented formats of the tables, not from the kernel. The one thing that
no document states is the order in which a piece's random numbers are used; it stands in `draw_events`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from w2vspark.kernels.simd import TILE
from w2vspark.kernels.word2vec.arguments import Objective, Tables

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
    """One centre with the words in its window, by their places in the sentence; negatives without the centre."""

    place: int
    sentence: list[int]
    reach: list[int]  # places of the window's words
    negatives: list[int]  # one drawn twice stands twice

    @property
    def centre(self) -> int:
        return self.sentence[self.place]

    @property
    def contexts(self) -> list[int]:
        return [self.sentence[place] for place in self.reach]


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
                places = [j for j in range(i - reach, i + reach + 1) if j != i and 0 <= j < len(sentence)]
                yield Event(i, sentence, places, [n for n in drawn if n != centre])
        sentence = []


def labelled_outputs(event: Event, tables: Tables, objective: Objective) -> dict[int, tuple[float, int]]:
    """Each output row of a logistic loss, with its label and how often it counts."""
    if objective.loss == "hs":
        first, last = tables.paths.starts[event.centre : event.centre + 2]
        path = zip(tables.paths.nodes[first:last].tolist(), tables.paths.codes[first:last].tolist(), strict=True)
        return {node: (1.0 - code, 1) for node, code in path}
    counted = {event.centre: (1.0, 1)}
    for word in event.negatives:
        counted[word] = (0.0, counted.get(word, (0.0, 0))[1] + 1)
    return counted


def vector_loss(vector: np.ndarray, outputs: np.ndarray, event: Event, tables: Tables, objective: Objective) -> float:
    """-log p of the centre given one input vector, or what negative sampling takes for it (METHODS, 5)."""
    if objective.loss == "softmax":
        return float(np.logaddexp.reduce(outputs @ vector) - outputs[event.centre] @ vector)
    loss = 0.0
    for row, (label, times) in labelled_outputs(event, tables, objective).items():
        loss += times * np.logaddexp(0.0, (1.0 - 2.0 * label) * (outputs[row] @ vector))
    return float(loss)


def parts_of(word: int, tables: Tables) -> list[int]:
    """The rows of inputs of which a word is the mean."""
    if not tables.subwords.rows.size:
        return [word]
    return tables.subwords.rows[slice(*tables.subwords.starts[word : word + 2])].tolist()


def event_vectors(inputs: np.ndarray, event: Event, tables: Tables, objective: Objective) -> list[np.ndarray]:
    """The input vectors of an event: the window's words, or their mean."""
    vectors = [inputs[parts_of(word, tables)].mean(axis=0) for word in event.contexts]
    return [np.mean(vectors, axis=0)] if objective.cbow else vectors


def event_loss(inputs: np.ndarray, outputs: np.ndarray, event: Event, tables: Tables, objective: Objective) -> float:
    """The loss of a window event, of which a training step is one of gradient descent."""
    vectors = event_vectors(inputs, event, tables, objective)
    return sum(vector_loss(vector, outputs, event, tables, objective) for vector in vectors)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -x))


def steps_of(
    vectors: np.ndarray, outputs: np.ndarray, event: Event, tables: Tables, objective: Objective
) -> tuple[list[int], np.ndarray]:
    """The output rows of an event, and minus the loss's derivative by each logit (inputs, outputs)."""
    if objective.loss == "softmax":
        logits = vectors @ outputs.T
        shares = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        return list(range(len(outputs))), np.eye(len(outputs))[event.centre] - shares
    counted = labelled_outputs(event, tables, objective)
    rows = list(counted)
    labels, times = np.array(list(counted.values())).T
    return rows, times * (labels - sigmoid(vectors @ outputs[rows].T))


@dataclass
class Trained:
    """What a run changed and counted; updates are window events (inputs: places in windows) that touched a row."""

    inputs: np.ndarray
    outputs: np.ndarray
    input_updates: np.ndarray
    output_updates: np.ndarray
    input_squares: np.ndarray
    output_squares: np.ndarray
    events: list[Event] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def apply_event(rows: np.ndarray, at: list[int], event: Event, rate: float, tables: Tables, objective: Objective,
                done: Trained) -> None:  # fmt: skip
    """One step of descent on event_loss, with all logits from the old rows; rows[at] are the window's words.

    A word that stands twice in a window is one input row used twice. Where all outputs fit one block skip-gram's
    fused pass changes inputs in place, so that the second use is of the changed row.
    """
    old = rows[at].copy()
    vectors = old.mean(axis=0, keepdims=True) if objective.cbow else old
    used, steps = steps_of(vectors, done.outputs, event, tables, objective)
    old_outputs = done.outputs[used].copy()
    gradients = steps @ old_outputs
    if objective.cbow:
        gradients = np.repeat(gradients * (1.0 if objective.sum_gradient else 1.0 / len(at)), len(at), axis=0)
    scales = np.full(len(at), rate), np.full(len(used), rate)
    if objective.adagrad:  # one rate a row, from the squared gradients before this event
        squares = done.input_squares[at], done.output_squares[used]
        scales = tuple(rate * np.sqrt(objective.adagrad / (objective.adagrad + square)) for square in squares)
    slots = 1 + objective.negatives if objective.loss == "ns" else len(used)
    in_place = not objective.cbow and slots <= TILE
    of_outputs = np.zeros_like(old_outputs)
    for i, vector in enumerate(vectors):
        of_outputs += np.outer(steps[i], rows[at[i]] if in_place else vector)
        if in_place:
            rows[at[i]] += scales[0][i] * gradients[i]
    if not in_place:
        np.add.at(rows, at, scales[0][:, None] * gradients)
    done.outputs[used] += scales[1][:, None] * of_outputs
    if objective.adagrad:
        np.add.at(done.input_squares, at, np.mean(gradients**2, axis=1))
        done.output_squares[used] += np.mean(of_outputs**2, axis=1)
    done.output_updates[used] += 1


def train(
    inputs: np.ndarray,
    outputs: np.ndarray,
    pieces: list[list[int]],
    streams: list[int],
    rates: list[float],
    tables: Tables,
    objective: Objective,
) -> Trained:
    """Train in float64 on copies; inputs and outputs are without a void row.

    With subwords a word's mean row is made when it comes into reach of a centre, changed by every window that holds
    it, and when it is out of reach all rows that make it up change by as much as it did.
    """
    size = [len(inputs), len(outputs)]
    done = Trained(inputs.astype(np.float64), outputs.astype(np.float64), *(np.zeros(n, int) for n in size),
                   *(np.zeros(n) for n in size))  # fmt: skip
    negatives = objective.negatives if objective.loss == "ns" else 0
    for piece, stream, rate in zip(pieces, streams, rates, strict=True):
        drawn = draw_events(piece, stream, tables.keep.tolist(), tables.noise.tolist(), objective.window, negatives)
        composed: dict[int, tuple[np.ndarray, int]] = {}
        for event in drawn:
            done.events.append(event)
            if not tables.subwords.rows.size:
                done.losses.append(event_loss(done.inputs, done.outputs, event, tables, objective))
                apply_event(done.inputs, event.contexts, event, rate, tables, objective, done)
                np.add.at(done.input_updates, event.contexts, 1)
                continue
            if event.place == 0:
                means = np.zeros((len(event.sentence), inputs.shape[1]))
                composed, uses = {}, np.zeros(len(event.sentence), int)
            for place in range(min(len(event.sentence), event.place + objective.window + 1)):
                if place not in composed:
                    means[place] = done.inputs[parts_of(event.sentence[place], tables)].mean(axis=0)
                    composed[place] = means[place].copy()
            vectors = means[event.reach].mean(axis=0, keepdims=True) if objective.cbow else means[event.reach]
            done.losses.append(sum(vector_loss(v, done.outputs, event, tables, objective) for v in vectors))
            apply_event(means, event.reach, event, rate, tables, objective, done)
            uses[event.reach] += 1
            last = event.place + 1 == len(event.sentence)
            for place in range(len(event.sentence)):
                if uses[place] and (last or place == event.place - objective.window):
                    parts = parts_of(event.sentence[place], tables)
                    np.add.at(done.inputs, parts, means[place] - composed[place])
                    np.add.at(done.input_updates, parts, uses[place])
                    uses[place] = 0
    return done
