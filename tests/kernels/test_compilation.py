"""The bits of training do not depend on the CPU target, and a second process compiles nothing."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding

import w2vspark

# Trains some pieces with lanes by every method, merges and combines; prints digests of all results.
# The text comes from the package's own generator: numpy's would be one more thing that could differ.
TRAIN = """
import hashlib, importlib, sys
from dataclasses import replace
import numpy as np
from w2vspark.base.cpu_target import pin
print("target", pin(sys.argv[1]))
from numba.core.dispatcher import Dispatcher
from replicas import of_replicas
from w2vspark.kernels.combine import combine_changes, first_row_not_finite, merge_lanes
from w2vspark.kernels.logarithm import fill_logarithms
from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.counts.ppmi import context_shares
from w2vspark.kernels.random import fill_streams, fill_uniform_rows
from w2vspark.kernels.word2vec.huffman import huffman_paths
from w2vspark.kernels.rows import stride_of
from w2vspark.kernels.algebra.small_matrices import add_gram, eigenvalues, multiply, orthonormalizer
from w2vspark.kernels.algebra.sparse_products import add_products, fill_products
from w2vspark.kernels.word2vec.subwords import Subwords
from w2vspark.kernels.counts.term_weights import add_statistics, fold, global_weights, new_statistics, sum_rows
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.kernels.word2vec.arguments import Objective, Tables

def show(name, *arrays):
    print(name, hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())

words, pieces = 200, 12
counts = np.sort(np.arange(1, words + 1, dtype=np.int64) ** 2)[::-1].copy()
paths = huffman_paths(counts)
tables = Tables(keep_thresholds(counts, 5e-3), alias_table(counts, 0.75), paths)
show("tables", tables.keep, tables.noise, paths.starts, paths.nodes, paths.codes)
parts = Subwords(np.arange(words + 1) * 3, (np.arange(words * 3) * 7 % words).astype(np.int32))
runs = [(20, Objective()), (100, Objective()), (100, Objective(negatives=12))]
for cbow in (False, True):
    runs += [(100, Objective(cbow, loss, sum_gradient=cbow)) for loss in ("ns", "hs", "softmax")]
    runs += [(20, Objective(cbow, loss, adagrad=0.01)) for loss in ("ns", "hs", "softmax")]
for columns, objective in [*runs, *((columns, replace(o, window=2)) for columns, o in runs if not o.adagrad)]:
    state = 1 if objective.adagrad else 0
    stride = stride_of(columns, state > 0)
    own = replace(tables, subwords=parts) if objective.window == 2 else tables
    draws = np.empty(pieces * 200, np.uint64)
    fill_streams(1, 0, np.zeros(draws.size, np.int32), np.arange(draws.size, dtype=np.int32), draws)
    ids = ((draws >> np.uint64(32)) % np.uint64(words + 1)).astype(np.int32) - 1
    starts = np.arange(pieces + 1, dtype=np.int64) * 200
    streams, rates = draws[:pieces].copy(), np.linspace(0.1, 0.01, pieces).astype(np.float32)
    base = [np.zeros((words + more, stride), np.float32) for more in (0, 0 if objective.loss == "hs" else 1)]
    for matrix, rows in enumerate(base):
        fill_uniform_rows(1, matrix, 0, 1.0, columns, rows)
    base[1][-1] = 0
    for rule in ("mean", "adasum"):
        lanes = [np.stack([rows] * 3) for rows in base]
        lane_updates = [np.zeros(rows.shape[:2], np.int32) for rows in lanes]
        for lane in range(3):
            part = slice(lane * 4, lane * 4 + 4)
            loss, terms, centres = train_pieces(
                lanes[0][lane], lanes[1][lane], lane_updates[0][lane], lane_updates[1][lane], ids,
                starts[lane * 4 : lane * 4 + 5], streams[part], rates[part], own, objective, columns,
            )
            print("trained", columns, objective, lane, terms, centres)
        show("lanes", *lanes, *lane_updates)
        for rows, copies, counted in zip(base, lanes, lane_updates):
            new = rows.copy()
            combine_changes(rule, of_replicas(copies[:, :, :columns] - rows[:, :columns], counted), new)
            merge_lanes(rule, 0, len(rows), columns, rows, copies, counted, np.zeros(len(rows), np.int32), state)
            assert first_row_not_finite(rows) == -1
            show(rule, new, rows)
# Two changes that all but cancel: what is left of them shows the last bits of adasum's sums in float64.
change = np.empty((64, 104), np.float32)
fill_uniform_rows(1, 0, 0, 1.0, 104, change)
other = -change
other[:, 103] = np.nextafter(other[:, 103], np.float32(2))
left = np.zeros_like(change)
combine_changes("adasum", of_replicas(np.stack([change, other]), np.ones((2, 64), np.int32)), left)
assert 0 < np.abs(left).max() < 1e-6
show("cancelled", left)
# Logarithms, products of sparse rows, and the small matrices of the randomised SVD.
values = np.empty((300, 24), np.float32)
fill_uniform_rows(1, 3, 0, 1.0, 24, values)
shares, logs = context_shares(np.arange(300.0), 0.75, 2.0), np.empty(7200)
fill_logarithms(np.abs(values.astype(np.float64)).ravel() + 1e-9, logs)
ends, cells = np.arange(1, 301) * 24, (np.arange(7200) * 7919 % 300).astype(np.int32)
sums, products = np.zeros_like(values), np.zeros_like(values)
add_products(ends, cells, values.ravel(), values, sums)
fill_products(ends, cells, values.ravel(), values, products)
gram, turned = np.zeros((24, 24)), np.zeros((300, 24))
add_gram(sums, sums, True, gram)
transform = orthonormalizer(gram, 1e-12)
multiply(sums, transform, turned)
show("svd", shares, logs, sums, products, gram, transform, turned, *eigenvalues(gram))
words = np.arange(3000, dtype=np.int32) * 7 % 50
statistics, starts = new_statistics(50), np.arange(0, 3001, 100)
bags = sum_rows(np.arange(30), starts[:-1], starts[1:], words[np.arange(3000) % 41], words + 1, 50)
add_statistics(bags, statistics)
for weighting in ("tf-idf", "log-entropy"):
    weights = global_weights(weighting, statistics, 40)
    rows = np.sin(np.arange(400)).astype(np.float32).reshape(50, 8)
    show(weighting, weights, fold(starts, words, weighting, weights, np.ones(8), [(0, rows)]))
hits = misses = 0
for room in ("combine", "noise", "random", "word2vec.huffman", "word2vec.pieces"):
    for value in vars(importlib.import_module("w2vspark.kernels." + room)).values():
        if isinstance(value, Dispatcher):
            hits += sum(value.stats.cache_hits.values())
            misses += sum(value.stats.cache_misses.values())
print("cache", hits, misses)
"""

FEATURES = {"x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}


def run(target: str, cache: Path) -> tuple[list[str], int, int]:
    """The digests, and how often the process found a compiled kernel in the cache and how often not."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, target],
        env=environment | {"NUMBA_CACHE_DIR": str(cache)},
        cwd=Path(__file__).parents[1],  # where replicas is
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, *digests, last = done.stdout.splitlines()
    assert first.startswith("target") and len(digests) > 20
    return digests, *map(int, last.split()[1:])


@pytest.fixture(scope="module")
def pinned(tmp_path_factory) -> tuple[Path, list[str], int, int]:
    cache = tmp_path_factory.mktemp("numba")
    return cache, *run("avx2", cache)


def test_a_second_process_compiles_nothing(pinned):
    cache, digests, hits, misses = pinned
    assert misses > 0, "the first process must compile into the empty cache"
    again, hits, misses = run("avx2", cache)
    assert misses == 0 and hits > 5
    assert again == digests


# One small kernel, and whether it came from the cache.
COMPILE = """
import numpy as np
from w2vspark.base.cpu_target import pin
pin("avx2")
from w2vspark.kernels import combine
combine.first_row_not_finite(np.zeros((2, 3), np.float32))
print(sum(combine.first_row_not_finite.stats.cache_misses.values()))
"""


def test_a_kernel_is_compiled_again_when_a_module_beside_it_changes(tmp_path):
    # numba's cache knows the kernel's own file alone; an upgrade that changes simd.py must not run the old kernel.
    copy = tmp_path / "w2vspark"
    shutil.copytree(Path(w2vspark.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def misses() -> int:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-c", COMPILE]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert misses() == 1 and misses() == 0
    with (copy / "kernels" / "simd.py").open("a", encoding="utf-8") as file:
        file.write("\n# A change.\n")
    assert misses() == 1, "the kernel came from the cache"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="only x86-64 promises the bits of AVX2")
@pytest.mark.parametrize("target", ["host", "x86-64-v4"])
def test_another_cpu_target_gives_the_same_bits(pinned, target):
    have = {name for name, there in binding.get_host_cpu_features().items() if there}
    if lacking := FEATURES.get(target, set()) - have:
        pytest.skip(f"this CPU cannot run {target}: it lacks {', '.join(sorted(lacking))}")
    cache, digests, _, _ = pinned
    other, _, misses = run(target, cache)
    assert misses > 0, "a kernel of another target must not come from the cache"
    assert other == digests
