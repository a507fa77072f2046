"""How much word2vec trains: rows of the matrices that change, for each word of the text."""

import numpy as np

from w2vspark.training.word2vec.settings import Word2VecTraining

NGRAMS_OF_WORD = 14  # n-grams of 3 to 6 letters in a word of five letters, with < and >


def rows_per_token(training: Word2VecTraining, words: int, subwords: bool) -> float:
    """The mean number of rows that change for a word of the text. training: resolved.

    A window has training.window + 1 words on both sides of its centre, in the mean. Words are as frequent as Zipf's law
    says: the i-th word has the share 1 / i of the first one.
    """
    shares = 1.0 / np.arange(1, words + 1)
    shares /= shares.sum()
    window = training.window + 1
    outputs = {
        "ns": int(training.negatives) + 1.0,
        "hs": float(-(shares * np.log2(shares)).sum()),  # a Huffman code is at most one bit longer
        "softmax": float(words),
    }[training.loss]
    inputs = 1 + (NGRAMS_OF_WORD if subwords else 0)
    of_centre = outputs + window * inputs if training.model == "cbow" else window * (outputs + 1) + 2 * (inputs - 1)
    return kept_share(shares, training.subsample) * of_centre


def kept_share(shares: np.ndarray, subsample: float) -> float:
    """The share of the text that subsampling keeps. shares: of the words in the text."""
    if not subsample:
        return 1.0
    ratio = subsample / shares
    return float((shares * np.minimum(1.0, np.sqrt(ratio) + ratio)).sum())
