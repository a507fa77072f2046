"""Spark's classes as the JVM has loaded and checked them, kept from one local run to the next.

Java calls it application class-data sharing (JEP 350): a JVM writes the archive when it ends, later ones map it when
they start. They refuse an archive that does not fit their version, class path or jars, and go on without.
`w2vspark warm-up` makes it.
"""

import hashlib
import os
from pathlib import Path

import pyspark

# Unlike the rest of the JVM's log, what it thinks of an archive would stand on the user's terminal.
_QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")


def archive_path(java_version: str) -> Path:
    """Where the archive is for this Spark and the Java of which `java -version` prints this: in the user's cache."""
    jars = Path(pyspark.__file__).parent / "jars"
    made_of = f"{java_version} {jars} {jars.stat().st_mtime_ns if jars.exists() else ''}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return cache / "w2vspark" / f"spark-classes-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.jsa"


def reading_options(archive: Path) -> list[str]:
    """The JVM's options that map an archive."""
    return [f'"-XX:SharedArchiveFile={archive}"', *_QUIET]


def writing_options(archive: Path) -> list[str]:
    """The JVM's options that write an archive of all that it has loaded, some seconds after its work is done."""
    return [f'"-XX:ArchiveClassesAtExit={archive}"', *_QUIET]
