"""The CPU that kernels are compiled for. It is pinned, so that every machine computes the same result.

numba reads its target from the environment when it is first imported. So the driver and every Python worker call `pin`
before they import a kernel.
"""

import os
import platform
import sys

from w2vspark.base.errors import EnvironmentFailure

# "avx2" means LLVM's haswell: AVX2 and FMA. On other CPUs than x86-64 it means LLVM's generic target.
PINNED = {"x86_64": "haswell", "AMD64": "haswell"}
HOST = "host"


def llvm_name(target: str) -> str:
    """LLVM's name of the CPU for a value of `training.cpu_target`; "" for the host's own CPU."""
    if target == HOST:
        return ""
    return PINNED.get(platform.machine(), "generic") if target == "avx2" else target


def pin(target: str) -> str:
    """Make numba compile for `target` in this process; return LLVM's name of the CPU.

    Raises EnvironmentFailure when numba was already imported with another target.
    """
    name = llvm_name(target)
    if "numba" in sys.modules:
        import numba

        now, features = getattr(numba.config, "CPU_NAME", None) or "", getattr(numba.config, "CPU_FEATURES", None)
        if now != name or (name and features != ""):
            loaded = f"{now} with the features {features or 'of this host'}" if now else HOST
            raise EnvironmentFailure(
                f"numba is already loaded for the CPU target {loaded!r}, but training.cpu_target = {target!r} "
                f"needs {name or HOST!r}: start a new process, or set NUMBA_CPU_NAME={name} and NUMBA_CPU_FEATURES= "
                "before numba is imported"
            )
        return name
    if name:
        os.environ["NUMBA_CPU_NAME"] = name
        os.environ["NUMBA_CPU_FEATURES"] = ""
    else:
        os.environ.pop("NUMBA_CPU_NAME", None)
        os.environ.pop("NUMBA_CPU_FEATURES", None)
    return name
