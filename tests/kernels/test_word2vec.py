"""train_pieces against plain Python, finite differences and statistics."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.word2vec.arguments import NO_PATHS, Objective, Tables, pool_table
from w2vspark.kernels.word2vec.huffman import Paths, huffman_paths
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.kernels.word2vec.subwords import Subwords

from . import reference
from .cases import Case, changed, make_case

KEEP_ALL = 2**32


@pytest.mark.parametrize("words", [4, 300])
@pytest.mark.parametrize("dimensions", [8, 10, 100])
@pytest.mark.parametrize("negatives", [1, 2, 5, 6, 10, 15, 20])
def test_training_is_that_of_plain_python(negatives, dimensions, words):
    for window in range(1, 6):
        case = make_case(words, dimensions, seed=window, window=window, negatives=negatives)
        got, (_, _, centres) = case.run()
        want = case.expected()
        message = f"window {window}"
        assert centres == len(want.events) > 50, message
        assert (got["input_updates"] == want.input_updates).all(), message
        assert (got["output_updates"][:words] == want.output_updates).all(), message
        np.testing.assert_allclose(got["inputs"][:, :dimensions], want.inputs, rtol=0, atol=1e-5, err_msg=message)
        np.testing.assert_allclose(got["outputs"][:words, :dimensions], want.outputs, rtol=0, atol=1e-5)
        assert (got["inputs"][:, dimensions:] == 0).all() and (got["outputs"][:, dimensions:] == 0).all()
        assert (got["outputs"][words] == 0).all(), "the void row must stay 0"
        moved = np.abs(want.inputs - case.inputs).max(axis=1)
        assert (moved[want.input_updates > 0] > 1e-4).all() and (moved[want.input_updates == 0] == 0).all()


def test_updates_are_added_to_the_counts_that_are_there():
    case = make_case(20, 8, seed=1)
    arguments, again = case.arguments(), case.arguments()
    train_pieces(**arguments)
    again["input_updates"] += 1000
    again["output_updates"] += 5
    train_pieces(**again)
    assert (again["input_updates"] == arguments["input_updates"] + 1000).all()
    assert (again["output_updates"] == arguments["output_updates"] + 5).all()


def test_pieces_trained_in_two_calls_give_the_bytes_of_one_call():
    case = make_case(50, 24, seed=3)
    whole, parts = case.run()[0], case.arguments()
    for first, last in [(0, 1), (1, 4), (4, 6)]:
        cut = parts | {"starts": parts["starts"][first : last + 1]}
        train_pieces(**cut | {name: parts[name][first:last] for name in ("streams", "rates")})
    for name in ("inputs", "outputs", "input_updates", "output_updates"):
        assert whole[name].tobytes() == parts[name].tobytes(), name


def point_noise(words: int, word: int) -> np.ndarray:
    """An alias table of which every slot gives `word`."""
    return np.full(words, word, np.uint64)


@pytest.mark.parametrize("negatives", [1, 3, 5, 8])
def test_a_negative_drawn_k_times_counts_k_times(negatives):
    # The rows after the two events of the sentence "0 1", by hand; every negative is word 3.
    case = make_case(4, 8, seed=2, noise=point_noise(4, 3), negatives=negatives, keep=np.full(4, KEEP_ALL, np.uint64))
    case.pieces, case.streams, case.rates = [[0, 1]], case.streams[:1], np.array([0.1], np.float32)
    v, u = case.inputs.astype(float), case.outputs.astype(float)
    for centre, context in [(0, 1), (1, 0)]:
        pull = 0.1 * (1 - reference.sigmoid(u[centre] @ v[context]))
        push = 0.1 * negatives * reference.sigmoid(u[3] @ v[context])
        old = v[context].copy()
        v[context] += pull * u[centre] - push * u[3]
        u[centre] += pull * old
        u[3] -= push * old
    got, _ = case.run()
    np.testing.assert_allclose(got["inputs"], v, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["outputs"][:4], u, rtol=0, atol=1e-6)


@pytest.mark.parametrize("negatives", [1, 5, 7])
def test_a_negative_that_is_the_centre_is_skipped(negatives):
    # A sentence of word 0 alone, and noise of word 0 alone: positives are all that remains.
    case = make_case(4, 8, seed=2, noise=point_noise(4, 0), negatives=negatives, keep=np.full(4, KEEP_ALL, np.uint64))
    case.pieces, case.streams, case.rates = [[0, 0]], case.streams[:1], np.array([0.1], np.float32)
    v, u = case.inputs.astype(float), case.outputs.astype(float)
    for _ in range(2):
        pull = 0.1 * (1 - reference.sigmoid(u[0] @ v[0]))
        v[0], u[0] = v[0] + pull * u[0], u[0] + pull * v[0]
    got, _ = case.run()
    np.testing.assert_allclose(got["inputs"], v, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["outputs"][:4], u, rtol=0, atol=1e-6)
    assert got["output_updates"][:4].tolist() == [2, 0, 0, 0]


@pytest.mark.parametrize("negatives", [3, 8])
def test_logits_in_the_thousands_saturate(negatives):
    case = make_case(300, 8, seed=4, negatives=negatives, keep=np.full(300, KEEP_ALL, np.uint64))
    case.inputs *= 100
    case.outputs *= 100
    case.pieces, case.streams, case.rates = [[3, 1, 2]], case.streams[:1], np.array([0.05], np.float32)
    got, (loss, _, _) = case.run()
    want = case.expected()
    assert np.abs(case.outputs.astype(float) @ case.inputs[1:4].T.astype(float)).max() > 1000
    np.testing.assert_allclose(got["inputs"], want.inputs, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(got["outputs"][:300], want.outputs, rtol=1e-6, atol=1e-5)
    assert len(set(want.events[0].negatives)) == negatives, "a seed without a word drawn twice is meant"
    assert loss == pytest.approx(want.losses[0], rel=1e-5)


# Below, the rate is so small and rows so simple that every event can be read off the rows afterwards: inputs are
# unit vectors, outputs 0, so all logits stay 0 (to 1e-5) and a step is +-rate/2 times the contexts' unit vectors.
UNIT = 2.0**-30


def unit_case(words: int, pieces: list[list[int]], seed: int, **changes) -> Case:
    streams = np.random.default_rng(seed).integers(0, 2**64, len(pieces), np.uint64)
    case = Case(
        inputs=np.eye(words, dtype=np.float32),
        outputs=np.zeros((words, words), np.float32),
        pieces=pieces,
        streams=streams,
        rates=np.full(len(pieces), 2 * UNIT, np.float32),
        tables=Tables(np.full(words, KEEP_ALL, np.uint64), point_noise(words, words - 1)),
    )
    return changed(case, **changes)


def met(case: Case) -> np.ndarray:
    """How often each output word (row) was trained on each context (column); negatives count below 0."""
    got, _ = case.run()
    times = got["outputs"][: len(case.inputs), : len(case.inputs)].astype(float) / UNIT
    np.testing.assert_allclose(times, np.round(times), rtol=0, atol=0.2)
    return np.round(times).astype(int)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
def test_the_reach_of_a_window_is_uniform_and_the_same_on_both_sides(window):
    length, sides = 30, []
    for seed in range(60):
        times = met(unit_case(length + 1, [list(range(length))], seed, window=window))
        for centre in range(length):
            contexts = np.flatnonzero(times[centre])
            assert (times[centre, contexts] == 1).all()
            left, right = centre - contexts.min(initial=centre), contexts.max(initial=centre) - centre
            assert contexts.tolist() == [c for c in range(centre - left, centre + right + 1) if c != centre]
            if window <= centre < length - window:
                assert left == right
                sides.append(left)
    drawn = np.bincount(sides, minlength=window + 1)
    assert drawn[0] == 0 and len(drawn) == window + 1
    assert window == 1 or stats.chisquare(drawn[1:]).pvalue > 0.01


def test_a_window_ends_at_sentence_ends_and_pieces():
    words = 13
    pieces = [[0, 1, 2, -1, 3, 4, 5, -1, -1, 6, 7], [8, 9, -1, 10, -1, 11]]
    owner = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5])
    seen = np.zeros((12, 12), int)
    for seed in range(20):
        seen += met(unit_case(words, pieces, seed))[:12, :12]
    same = (owner[:, None] == owner) & ~np.eye(12, dtype=bool)
    assert ((seen > 0) == same).all()


def test_a_window_closes_over_the_words_that_subsampling_drops():
    keep = np.full(8, KEEP_ALL, np.uint64)
    keep[1:6] = 0
    times = met(unit_case(8, [[0, 1, 2, 3, 4, 5, 6]], 1, window=1, keep=keep))
    assert times[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    assert times[6].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


def test_the_kernel_draws_negatives_by_count_to_the_three_quarters():
    counts = np.array([300, 9000, 4000, 2000, 500, 400, 399, 30, 10, 2])
    case = unit_case(10, [[0, 9, -1] * 1000] * 4, 11, noise=alias_table(counts, 0.75), negatives=5)
    drawn = -met(case)[:, 9]  # negatives of centre 0, whose only context is 9; row 0 holds its positives
    assert drawn[0] == -4000
    weights = counts**0.75 / (counts**0.75).sum()
    expected = weights[1:] / weights[1:].sum() * drawn[1:].sum()
    assert stats.chisquare(drawn[1:], expected).pvalue > 0.01
    assert drawn[1:].sum() == pytest.approx(20_000 * (1 - weights[0]), abs=5 * (20_000 * weights[0]) ** 0.5)


@pytest.mark.parametrize("share, golden", [(0.0026, 1.0), (0.00746, 0.5), (0.1, 0.11), (1.0, 0.033)])
def test_the_kernel_keeps_the_golden_share_of_a_word(share, golden):
    total, length = 10**6, 100_000
    counts = np.array([round(total * share), max(1, total - round(total * share))])
    case = make_case(2, 8, seed=6, keep=keep_thresholds(counts, 1e-3), window=1, negatives=1)
    case.pieces, case.streams, case.rates = [[0] * length], case.streams[:1], case.rates[:1]
    _, (_, _, centres) = case.run()
    assert centres / length == pytest.approx(golden, abs=0.0005 + 5 * (golden * (1 - golden) / length) ** 0.5)


def test_another_stream_drops_other_words():
    kept = set()
    for seed in range(10):
        case = unit_case(41, [list(range(40))], seed, keep=np.full(41, KEEP_ALL // 2, np.uint64), window=1)
        kept.add(tuple(np.flatnonzero((met(case) > 0).any(axis=1))))
    assert len(kept) == 10


@pytest.mark.parametrize("negatives", [1, 5, 6, 15])
def test_the_loss_is_that_of_the_first_centre_by_hand(negatives):
    for seed in range(5):
        case = make_case(5000, 16, seed=seed, negatives=negatives, pieces=1, noise=alias_table(np.ones(5000, int), 1.0))
        _, (loss, terms, centres) = case.run()
        want = case.expected()
        assert 1 < centres == len(want.events) < 512
        event = want.events[0]
        assert len(set(event.negatives)) == negatives, "a seed without a word drawn twice is meant"
        assert terms == len(event.contexts) * (1 + negatives)
        assert loss == pytest.approx(want.losses[0], rel=1e-5)


def test_in_the_loss_too_a_negative_drawn_twice_counts_twice():
    case = make_case(4, 16, seed=3, noise=point_noise(4, 3), negatives=4, keep=np.full(4, KEEP_ALL, np.uint64))
    case.pieces, case.streams, case.rates = [[0, 1]], case.streams[:1], case.rates[:1]
    _, (loss, terms, _) = case.run()
    assert loss / terms == pytest.approx(case.expected().losses[0] / 5, rel=1e-5)


def test_the_loss_of_a_long_text_is_that_of_a_sample_of_its_centres():
    case = make_case(3000, 8, seed=7, pieces=40, length=300)
    _, (loss, terms, centres) = case.run()
    want = case.expected()
    pairs = [len(event.contexts) * (1 + len(event.negatives)) for event in want.events]
    assert centres > 5000 and terms > 200
    assert loss / terms == pytest.approx(sum(want.losses) / sum(pairs), rel=0.05)


def test_the_loss_falls_on_text_with_structure():
    random = np.random.default_rng(1)
    text = np.repeat(np.tile([0, 10, 20], 1000), 21).reshape(3000, 21) + random.integers(0, 10, (3000, 21))
    text[:, 20] = -1
    case = make_case(30, 16, seed=1, noise=alias_table(np.ones(30, int), 0.75), keep=np.full(30, KEEP_ALL, np.uint64))
    case.inputs[:], case.outputs[:] = case.inputs / 10, 0
    case.pieces = [text.ravel().tolist()]
    case.streams, case.rates = case.streams[:1], np.array([0.002], np.float32)
    arguments = case.arguments()
    losses = []
    for _ in range(3):
        loss, terms, _ = train_pieces(**arguments)
        losses.append(loss / terms)
    assert losses[0] < np.log(2) and losses[-1] < 0.9 * losses[0], losses
    rows = arguments["inputs"] / np.linalg.norm(arguments["inputs"], axis=1, keepdims=True)
    topics = (rows @ rows.T).reshape(3, 10, 3, 10).mean(axis=(1, 3))
    assert (np.diag(topics) > 0.8).all() and (topics[~np.eye(3, dtype=bool)] < 0.5).all()


@pytest.mark.parametrize("size", [1, 7, 500])
def test_negatives_come_from_a_pool_of_any_size(size):
    pool = np.random.default_rng(size).integers(0, 20, size)
    case = make_case(20, 8, seed=size, noise=pool_table(pool))
    got, _ = case.run()
    want = case.expected()
    drawn = {word for event in want.events for word in event.negatives}
    assert drawn <= set(pool.tolist()) and len(drawn) > min(size, 20) // 2
    np.testing.assert_allclose(got["inputs"][:, :8], want.inputs, rtol=0, atol=1e-5)


def test_nothing_to_train_changes_nothing():
    for pieces in ([], [[]], [[3]], [[-1, -1]], [[1, -1, 2, -1]]):
        case = make_case(5, 8, seed=1, keep=np.full(5, KEEP_ALL, np.uint64))
        case.pieces, case.streams, case.rates = pieces, case.streams[: len(pieces)], case.rates[: len(pieces)]
        got, returned = case.run()
        assert returned == (0.0, 0, 0), pieces
        assert got["inputs"].tobytes() == case.inputs.tobytes() and (got["output_updates"] == 0).all()


def hierarchy(arguments: dict) -> dict:
    rows = {name: arguments[name][:-1] for name in ("outputs", "output_updates")}
    return rows | {"objective": Objective(loss="hs")}


def with_paths(arguments: dict, paths: Paths, node: int | None = None) -> Tables:
    if node is not None:
        paths.nodes[0] = node
    return replace(arguments["tables"], paths=paths)


def with_parts(arguments: dict, starts: Iterable[int], rows: Iterable[int]) -> Tables:
    parts = Subwords(np.array(list(starts)), np.array(list(rows), np.int32))
    return replace(arguments["tables"], subwords=parts)


BAD = {
    "inputs of float64": lambda a: {"inputs": a["inputs"].astype(float)},
    "inputs of too many rows": lambda a: {"inputs": np.vstack([a["inputs"], a["inputs"]])},
    "inputs not contiguous": lambda a: {"inputs": np.asfortranarray(a["inputs"])},
    "inputs of one dimension": lambda a: {"inputs": a["inputs"].ravel()},
    "a stride of 12": lambda a: {name: np.zeros((len(a[name]), 12), np.float32) for name in ("inputs", "outputs")},
    "a stride of 0": lambda a: {name: np.zeros((len(a[name]), 0), np.float32) for name in ("inputs", "outputs")},
    "outputs without the void row": lambda a: {"outputs": a["outputs"][:-1]},
    "outputs of another stride": lambda a: {"outputs": np.zeros((len(a["outputs"]), 16), np.float32)},
    "input updates of int64": lambda a: {"input_updates": a["input_updates"].astype(np.int64)},
    "output updates without the void row": lambda a: {"output_updates": a["output_updates"][:-1]},
    "ids of int64": lambda a: {"ids": a["ids"].astype(np.int64)},
    "an id behind the vocabulary": lambda a: {"ids": np.where(a["ids"] == 1, 20, a["ids"]).astype(np.int32)},
    "an id of -2": lambda a: {"ids": np.where(a["ids"] == 1, -2, a["ids"]).astype(np.int32)},
    "starts of int32": lambda a: {"starts": a["starts"].astype(np.int32)},
    "too few starts": lambda a: {"starts": a["starts"][:-1]},
    "starts that fall": lambda a: {"starts": a["starts"][[0, 2, 1, 3, 4, 5, 6]]},
    "starts below 0": lambda a: {"starts": a["starts"] - 1},
    "starts behind the ids": lambda a: {"starts": a["starts"] + 1},
    "streams of int64": lambda a: {"streams": a["streams"].astype(np.int64)},
    "rates of float64": lambda a: {"rates": a["rates"].astype(float)},
    "too few rates": lambda a: {"rates": a["rates"][:-1]},
    "a void row of another vocabulary": lambda a: {"tables": replace(a["tables"], keep=a["tables"].keep[:-1])},
    "keep of int64": lambda a: {"tables": replace(a["tables"], keep=a["tables"].keep.astype(np.int64))},
    "noise of another vocabulary": lambda a: {"tables": replace(a["tables"], noise=a["tables"].noise[:-1])},
    "no noise": lambda a: {"tables": Tables(a["tables"].keep)},
    "noise of a word that is not there": lambda a: {"tables": replace(a["tables"], noise=np.array([3, 20], np.uint64))},
    "a window of 0": lambda a: {"objective": Objective(window=0)},
    "no negatives": lambda a: {"objective": Objective(negatives=0)},
    "a loss of no name": lambda a: {"objective": Objective(loss="hinge")},
    "outputs of words for inner nodes": lambda a: {"objective": Objective(loss="hs")},
    "paths of another vocabulary": lambda a: hierarchy(a) | {"tables": with_paths(a, huffman_paths(np.ones(19, int)))},
    "no paths": lambda a: hierarchy(a) | {"tables": with_paths(a, NO_PATHS)},
    "a node behind the root": lambda a: hierarchy(a) | {"tables": with_paths(a, huffman_paths(np.ones(20, int)), 19)},
    "AdaGrad without its state": lambda a: {"objective": Objective(adagrad=0.1)},
    "a word made of no row": lambda a: {"tables": with_parts(a, [0, *range(20)], range(19))},
    "a part that is no row": lambda a: {"tables": with_parts(a, range(21), [20, *range(19)])},
    "AdaGrad and subwords": lambda a: {
        "tables": with_parts(a, range(21), range(20)),
        "objective": Objective(adagrad=0.1),
        "inputs": np.zeros((20, 16), np.float32),
        "outputs": np.zeros((21, 16), np.float32),
    },
    "columns that do not fit the stride": lambda a: {"columns": 9},
    "columns of 0": lambda a: {"columns": 0, "inputs": a["inputs"][:, :0], "outputs": a["outputs"][:, :0]},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_arrays_that_do_not_fit_are_refused_before_anything_is_trained(change):
    arguments = make_case(20, 8, seed=1).arguments()
    bad = arguments | change(arguments)
    before = bad["inputs"].copy()
    with pytest.raises(ValueError):
        train_pieces(**bad)
    assert (bad["inputs"] == before).all()
