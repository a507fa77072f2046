"""Skip-gram and CBOW, each with negative sampling, hierarchical softmax and softmax: against plain Python and
finite differences."""

import numpy as np
import pytest

from . import reference
from .cases import Case, changed, make_case, with_subwords

KEEP_ALL = 2**32
METHODS = [(cbow, loss) for cbow in (False, True) for loss in ("ns", "hs", "softmax")]
NAMES = [f"{'cbow' if cbow else 'skipgram'}-{loss}" for cbow, loss in METHODS]


def close(case: Case, window: int) -> reference.Trained:
    """Train both ways, and compare all that they changed and counted."""
    got, (loss, terms, centres) = case.run()
    want, message = case.expected(), f"window {window}"
    dimensions, rows = case.inputs.shape[1], len(case.outputs)
    assert centres == len(want.events) > 40, message
    assert (got["input_updates"] == want.input_updates).all(), message
    assert (got["output_updates"][:rows] == want.output_updates).all(), message
    np.testing.assert_allclose(got["inputs"][:, :dimensions], want.inputs, rtol=0, atol=1e-5, err_msg=message)
    np.testing.assert_allclose(got["outputs"][:rows, :dimensions], want.outputs, rtol=0, atol=1e-5, err_msg=message)
    padded = -(-dimensions // 8) * 8
    assert (got["inputs"][:, dimensions:padded] == 0).all() and (got["outputs"][:, dimensions:padded] == 0).all()
    assert (got["outputs"][rows] == 0).all(), "the void row must stay 0"
    if case.objective.loss != "ns":
        assert terms == (1 if case.objective.cbow else len(want.events[0].contexts))
        assert loss == pytest.approx(want.losses[0], rel=1e-5)
    return want


@pytest.mark.parametrize("sum_gradient", [False, True])
@pytest.mark.parametrize("words, dimensions", [(4, 8), (6, 10), (200, 100)])
@pytest.mark.parametrize("cbow, loss", METHODS, ids=NAMES)
def test_training_is_that_of_plain_python(cbow, loss, words, dimensions, sum_gradient):
    for window in (1, 2, 5):
        case = make_case(words, dimensions, seed=window, window=window, cbow=cbow, loss=loss, sum_gradient=sum_gradient)
        want = close(case, window)
        moved = np.abs(want.inputs - case.inputs).max(axis=1)
        assert (moved[want.input_updates > 0] > 1e-6).all()


@pytest.mark.parametrize("words, dimensions", [(5, 8), (100, 20)])
@pytest.mark.parametrize("cbow, loss", METHODS, ids=NAMES)
def test_subwords_train_as_in_plain_python(cbow, loss, words, dimensions):
    for window in (1, 2, 5):
        case = make_case(words, dimensions, seed=window, window=window, cbow=cbow, loss=loss)
        close(with_subwords(case, grams=7, seed=window), window)


@pytest.mark.parametrize("words, dimensions", [(4, 8), (200, 100)])
@pytest.mark.parametrize("cbow, loss", METHODS, ids=NAMES)
def test_adagrad_trains_as_in_plain_python(cbow, loss, words, dimensions):
    for window in (1, 5):
        case = make_case(words, dimensions, seed=window, window=window, cbow=cbow, loss=loss, adagrad=1e-3)
        got, _ = case.run()
        want, state = case.expected(), -(-dimensions // 8) * 8
        for name, matrix, squares in (
            ("inputs", want.inputs, want.input_squares),
            ("outputs", want.outputs, want.output_squares),
        ):
            rows = got[name][: len(matrix)]
            np.testing.assert_allclose(rows[:, :dimensions], matrix, rtol=0, atol=2e-5)
            np.testing.assert_allclose(rows[:, state], squares, rtol=2e-4, atol=1e-9)
            assert (rows[:, state + 1 :] == 0).all()
        assert (got["outputs"][len(case.outputs)] == 0).all(), "the void row must stay 0"
        slowed = np.sqrt(1e-3 / (1e-3 + want.input_squares[want.input_updates > 0]))
        assert slowed.min() < 0.3, "a case in which AdaGrad does something is meant"


def descended_by_finite_differences(case: Case) -> tuple[np.ndarray, np.ndarray, list[reference.Event]]:
    """Rows after one step per window event down the central differences of the loss that METHODS.md states.

    A summed gradient is the mean's own, for each of its words: as many times their share as there are words.
    """
    inputs, outputs = case.inputs.astype(float), case.outputs.astype(float)
    done = []
    negatives = case.objective.negatives if case.objective.loss == "ns" else 0
    for piece, stream, rate in zip(case.pieces, case.streams.tolist(), case.rates.tolist(), strict=True):
        drawn = reference.draw_events(
            piece, stream, case.tables.keep.tolist(), case.tables.noise.tolist(), case.objective.window, negatives
        )
        for event in drawn:
            gradients = []
            for matrix in (inputs, outputs):
                gradient = np.zeros_like(matrix)
                for at in np.ndindex(matrix.shape):
                    old = matrix[at]
                    matrix[at] = old + 1e-5
                    above = reference.event_loss(inputs, outputs, event, case.tables, case.objective)
                    matrix[at] = old - 1e-5
                    below = reference.event_loss(inputs, outputs, event, case.tables, case.objective)
                    gradient[at] = (above - below) / 2e-5
                    matrix[at] = old
                gradients.append(gradient)
            whole = len(event.contexts) if case.objective.cbow and case.objective.sum_gradient else 1
            inputs -= rate * whole * gradients[0]
            outputs -= rate * gradients[1]
            done.append(event)
    return inputs, outputs, done


STEPS = [(*method, negatives) for method in METHODS for negatives in ((1, 5, 6, 20) if method[1] == "ns" else (1,))]


@pytest.mark.parametrize("sentence", [[0, 1], [2, 0, 4], [5, 4, 3, 2, 1, 0]], ids=str)
@pytest.mark.parametrize("cbow, loss, negatives", STEPS)
def test_an_event_steps_down_the_gradient_of_the_stated_loss(cbow, loss, negatives, sentence):
    case = one_sentence(sentence, cbow=cbow, loss=loss, negatives=negatives)
    inputs, outputs, events = descended_by_finite_differences(case)
    got, _ = case.run()
    assert [event.centre for event in events] == sentence
    np.testing.assert_allclose(got["inputs"], inputs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["outputs"][: len(outputs)], outputs, rtol=0, atol=1e-6)


def one_sentence(sentence: list[int], **changes) -> Case:
    case = make_case(6, 8, seed=len(sentence), pieces=0, keep=np.full(6, KEEP_ALL, np.uint64), **changes)
    return changed(case, pieces=[sentence], streams=case.streams[:1], rates=np.array([0.05], np.float32))


@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_a_summed_gradient_gives_every_word_that_of_the_mean(loss):
    case = one_sentence([5, 4, 3, 2, 1, 0], cbow=True, loss=loss, sum_gradient=True)
    inputs, outputs, events = descended_by_finite_differences(case)
    got, _ = case.run()
    assert max(len(event.contexts) for event in events) > 2
    np.testing.assert_allclose(got["inputs"], inputs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["outputs"][: len(outputs)], outputs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_every_row_of_a_word_takes_the_whole_step_of_the_word(loss):
    # The row's own derivative is the word's, divided by the rows that make it up; fastText steps by the word's.
    case = with_subwords(one_sentence([3, 1], loss=loss), grams=50, seed=2)
    inputs, outputs, _ = descended_by_finite_differences(changed(case, rates=np.array([1e-3], np.float32)))
    got, _ = changed(case, rates=np.array([1e-3], np.float32)).run()
    for word in (1, 3):
        rows = reference.parts_of(word, case.tables)
        assert len(set(rows)) == len(rows) > 2, "a word with several rows, all different, is meant"
        step = (got["inputs"] - case.inputs)[rows]
        np.testing.assert_allclose(step, len(rows) * (inputs - case.inputs)[rows], rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["outputs"][: len(outputs)], outputs, rtol=0, atol=1e-6)
