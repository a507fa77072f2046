"""Word vectors at data-lake scale: Spark stages, numba kernels, Parquet tables.

w2vspark.train(…) and w2vspark.job(…) are what the command line does; w2vspark.vectors reads what they publish.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2vspark.api import Result as Result
    from w2vspark.api import job as job
    from w2vspark.api import train as train

__version__ = "0.4.0"

_FACE = ("Result", "job", "train")


def __getattr__(name: str) -> Any:
    """The Python face, imported when it is asked for: it needs Spark, and readers of tables do not."""
    if name in _FACE:
        from w2vspark import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FACE])
