"""An archive of Spark's classes, loaded and checked by a JVM, for the start of later local runs.

Java calls this application class-data sharing (JEP 350). A JVM writes the archive when it ends, and later JVMs map it
when they start. They ignore an archive that does not fit their version, class path or jars. `w2vspark warm-up` makes
the archive.
"""

import hashlib
import os
from pathlib import Path

import pyspark

# Unlike the rest of the JVM's log, its messages about an archive would appear on the user's terminal.
_QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")


def archive_path(java_version: str) -> Path:
    """The archive's path in the user's cache. java_version: the output of `java -version`. Each Spark has its own."""
    jars = Path(pyspark.__file__).parent / "jars"
    made_of = f"{java_version} {jars} {jars.stat().st_mtime_ns if jars.exists() else ''}"
    return cache_folder() / f"spark-classes-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.jsa"


def cache_folder() -> Path:
    """What w2vspark keeps on this machine, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "w2vspark"


def reading_options(archive: Path) -> list[str]:
    """The JVM's options to use an archive."""
    return [f'"-XX:SharedArchiveFile={archive}"', *_QUIET]


def writing_options(archive: Path) -> list[str]:
    """The JVM's options to write an archive of all classes that it has loaded. This takes some seconds at its end."""
    return [f'"-XX:ArchiveClassesAtExit={archive}"', *_QUIET]
