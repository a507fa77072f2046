import subprocess
import sys
from pathlib import Path

IMPORT = """
import sys
sys.modules["pyspark"] = None  # importing it raises from here on
sys.modules["numba"] = None
from w2vspark.vectors import export_vectors, load_vectors, score_pairs, similar
vectors = load_vectors(sys.argv[1])
export_vectors(vectors, sys.argv[2], "word2vec-binary")
print(similar(vectors, "w1")[0].word, score_pairs(vectors, [("w1", "w2", 1.0)]).covered)
print(sorted(name for name in ("w2vspark.stages", "w2vspark.training", "scipy", "gensim") if name in sys.modules))
"""


def test_the_vectors_room_works_without_pyspark_numba_scipy_and_gensim(vectors, publish, tmp_path: Path):
    output = publish(vectors)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(output), str(tmp_path / "out.bin")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    nearest, loaded = done.stdout.splitlines()
    assert nearest.endswith(" 1") and nearest.split()[0] in vectors.index
    assert loaded == "[]"
    assert (tmp_path / "out.bin").stat().st_size > 500 * 24 * 4
