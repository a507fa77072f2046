"""`w2vspark warm-up`: what local runs need to start fast, made once: compiled kernels and Spark's loaded classes."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from w2vspark.base.errors import EnvironmentFailure
from w2vspark.stages.class_archive import archive_path, writing_options
from w2vspark.stages.session import JAVA_OPTIONS, is_hotspot, require_java

LINES, WORDS = 2000, 211


def warm_up() -> str:
    """Trains on a made-up text in a process of its own, whose JVM leaves its classes behind; returns what to tell.

    Raises EnvironmentFailure where the training fails, or the JVM does not leave them.
    """
    java_version = require_java()
    archive = archive_path(java_version)
    with tempfile.TemporaryDirectory(prefix="w2vspark-warm-up-") as name:
        folder = Path(name)
        text, new = folder / "text.txt", archive.with_suffix(f".{os.getpid()}")
        text.write_text(
            "".join(f"{' '.join(f'w{line * at % WORDS}' for at in range(1, 50))}\n" for line in range(LINES))
        )
        settings = [f"input.path={text}", f"output.path={folder / 'output'}", "spark.master=local[2]"]
        settings += ["training.epochs=1", "training.shards=2", "training.lanes=2", "training.rounds_per_epoch=1"]
        if is_hotspot(java_version):
            archive.parent.mkdir(parents=True, exist_ok=True)
            settings.append(f"spark.options={{{JAVA_OPTIONS!r} = {' '.join(writing_options(new))!r}}}")
        command = [sys.executable, "-m", "w2vspark.cli", "run"]
        # The JVM outlives the command and holds its output open until the archive is written.
        done = subprocess.run(
            [*command, *(part for setting in settings for part in ("--set", setting))],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        if done.returncode:
            raise EnvironmentFailure(f"the training of the warm-up failed:\n{done.stderr}")
    told = "the kernels are compiled\n"
    if is_hotspot(java_version):
        if not new.exists():
            raise EnvironmentFailure(f"{shlex.join(command)} … did not write {new}: is there space for 200 MB?")
        new.replace(archive)
        told += f"Spark's classes are in {archive}, {archive.stat().st_size / 1e6:.0f} MB\n"
    return told
