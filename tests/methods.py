"""Every method, and variants of some, with all that could go out of order: shards, lanes, merges and rounds."""

MANY: dict[str, object] = {
    "training__shards": 2,
    "training__lanes": 2,
    "training__rounds_per_epoch": 1,
    "training__epochs": 3,
    "training__lane_merge_tokens": 1000,
    "training__dimensions": 20,
    "training__subsample": 0.01,
}
METHODS: dict[str, dict[str, object]] = {
    "skipgram-hs": {"training__method": "skipgram-hs"},
    "skipgram-softmax": {"training__method": "skipgram-softmax"},
    "cbow-ns": {"training__method": "cbow-ns", "training__cbow_gradient": "sum"},
    "cbow-hs": {"training__method": "cbow-hs", "training__optimizer": "adagrad"},
    "cbow-softmax": {"training__method": "cbow-softmax"},
    "adagrad": {"training__optimizer": "adagrad"},
    "subwords": {"subwords__enabled": True, "subwords__buckets": 1000},
    "subwords-cbow-hs": {"subwords__enabled": True, "training__method": "cbow-hs"},
    "slice-rows": {"training__rows": "slice", "training__negative_pool": 5000},
    "phrases": {"phrases__thresholds": [5.0, 2.0], "phrases__connector_words": ["filler1"]},
}
METHODS = {name: MANY | settings for name, settings in METHODS.items()}
# Those that train on counts have no use for most of these settings. Three shards and one epoch are three rounds too.
COUNTED: dict[str, dict[str, object]] = {
    "glove": {
        "training__method": "glove",
        "training__shards": 3,
        "training__lanes": 2,
        "training__epochs": 1,
        "training__dimensions": 20,
        "cooccurrences__subsample": 0.01,
        "glove__x_max": 5,
    },
    # Two passes over the matrix, and the round that writes the vectors.
    "ppmi-svd": {"training__method": "ppmi-svd", "training__dimensions": 20, "svd__power_iterations": 1},
    "lsa": {"training__method": "lsa", "training__dimensions": 20, "svd__power_iterations": 1},
}
METHODS |= COUNTED
