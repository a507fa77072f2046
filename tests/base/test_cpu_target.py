"""Pinning in fresh processes: this one has numba loaded, or will have."""

import os
import platform
import subprocess
import sys

import pytest

from w2vspark.base import cpu_target

on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="haswell is the level of x86-64")


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")}
    return subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True)


def printed(code: str, **environment: str) -> str:
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PIN = "from w2vspark.base.cpu_target import pin; "
SHOW = "import numba; print(numba.config.CPU_NAME, repr(numba.config.CPU_FEATURES))"


@on_x86
def test_avx2_makes_numba_compile_for_haswell_without_the_hosts_features():
    assert printed(PIN + "print(pin('avx2')); " + SHOW) == "haswell\nhaswell ''"


def test_host_leaves_numba_to_itself():
    assert printed(PIN + "print(repr(pin('host'))); " + SHOW) == "''\nNone None"


def test_host_takes_back_a_target_that_was_in_the_environment():
    shown = printed(PIN + "pin('host'); " + SHOW, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="")
    assert shown == "None None"


def test_another_name_is_llvms_own():
    assert printed(PIN + "print(pin('x86-64-v3')); " + SHOW) == "x86-64-v3\nx86-64-v3 ''"


@pytest.mark.parametrize(
    "machine, name", [("x86_64", "haswell"), ("AMD64", "haswell"), ("aarch64", "generic"), ("arm64", "generic")]
)
def test_avx2_stands_for_one_level_per_kind_of_machine(monkeypatch, machine, name):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert cpu_target.llvm_name("avx2") == name
    assert cpu_target.llvm_name("host") == ""
    assert cpu_target.llvm_name("znver3") == "znver3"


def test_the_same_target_may_be_pinned_again_once_numba_is_loaded():
    assert printed(PIN + "first = pin('avx2'); import numba; print(pin('avx2') == first)") == "True"
    assert printed(PIN + "pin('host'); import numba; print(repr(pin('host')))") == "''"


def test_a_child_process_is_pinned_like_its_parent():
    child = "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', sys.argv[1]], text=True))"
    code = f"import sys; sys.argv = ['', {SHOW!r}]; {PIN}pin('x86-64-v2'); {child}"
    assert printed(code) == "x86-64-v2 ''"


ASK_LATE = """
import sys
import numba
from w2vspark.base.cpu_target import pin
from w2vspark.base.errors import EnvironmentFailure
try:
    pin("avx2")
except EnvironmentFailure as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    "loaded",
    [{}, {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": ""}],
    ids=["the host's own", "another target"],
)
def test_a_target_that_comes_too_late_is_one_clear_error(loaded):
    done = python(ASK_LATE, **loaded)
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert "training.cpu_target = 'avx2'" in done.stdout
    assert loaded.get("NUMBA_CPU_NAME", "host") in done.stdout
    assert "new process" in done.stdout, "the fix is named"


@on_x86
def test_the_right_name_with_the_hosts_features_is_another_target():
    # NUMBA_CPU_NAME alone leaves numba with all that this host can do, AVX-512 included.
    done = python(ASK_LATE, NUMBA_CPU_NAME="haswell")
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert "NUMBA_CPU_FEATURES" in done.stdout


def test_pinning_does_not_load_numba():
    assert printed(PIN + "pin('avx2'); import sys; print('numba' in sys.modules)") == "False"
