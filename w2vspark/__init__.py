"""Word vectors at data-lake scale: Spark stages, numba kernels, Parquet tables.

w2vspark.train(…) and w2vspark.job(…) do what the command line does. w2vspark.vectors reads the published tables.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2vspark.api import Result as Result
    from w2vspark.api import job as job
    from w2vspark.api import train as train

__version__ = "0.4.0"

_FACE = ("Result", "job", "train")


def __getattr__(name: str) -> Any:
    """A name of w2vspark.api. The module is imported at its first use: it needs Spark, but readers of tables do not."""
    if name in _FACE:
        from w2vspark import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FACE])
