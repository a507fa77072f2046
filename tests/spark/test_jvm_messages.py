"""The standard error of a JVM: one line is left out, and nothing else changes."""

import re
import subprocess
import sys

from terminals import Terminal

NOISE = "WARNING: Using incubator modules: jdk.incubator.vector"
SCRIPT = """
import subprocess, sys
from w2vspark.spark.jvm_messages import noise_filtered

try:
    with noise_filtered():
        child = subprocess.Popen(["sh", "-c", sys.argv[1]], stdin=subprocess.PIPE)
        if sys.argv[2] == "fails":
            child.wait()
            raise RuntimeError
    sys.stderr.write("ours\\n")
    child.stdin.close()
    child.wait()
except RuntimeError:
    sys.stderr.write("told last\\n")
sys.stderr.close()
import time
time.sleep(0.3)
"""


def said(shell: str, end: str = "goes on") -> str:
    """What reaches standard error of a process that starts a shell in the block."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, shell, end], capture_output=True, timeout=60)
    return done.stderr.decode()  # as it is: a bar begins with a carriage return


def test_the_line_is_left_out_and_all_others_pass_as_they_are():
    shown = said(f"echo before >&2; echo '{NOISE}' >&2; echo 'an {NOISE}' >&2; printf '\\n\\r\\033[Kbar' >&2")
    assert sorted(shown.replace("ours\n", "").split("\n")) == sorted(f"before\nan {NOISE}\n\n\r\033[Kbar".split("\n"))


def test_a_line_that_comes_in_two_parts_is_left_out_too():
    shown = said(f"printf '{NOISE[:20]}' >&2; sleep 0.2; echo '{NOISE[20:]}' >&2; echo after >&2")
    assert sorted(shown.split()) == ["after", "ours"]


def test_messages_pass_after_the_block_for_as_long_as_the_child_lives():
    assert "late\n" in said("cat; echo late >&2")


def test_blocks_of_two_threads_follow_each_other_and_standard_error_is_what_it_was():
    script = (
        "import os, threading, time\n"
        "from w2vspark.spark.jvm_messages import noise_filtered\n"
        "before = os.fstat(2).st_ino\n"
        "def start():\n"
        "    with noise_filtered():\n"
        "        time.sleep(0.1)\n"
        "threads = [threading.Thread(target=start) for _ in range(4)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "assert os.fstat(2).st_ino == before\n"
        "os.write(2, b'mine\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "mine\n")


def test_no_message_is_lost_where_standard_error_does_not_block():
    script = (
        "import os, subprocess, sys\n"
        "from w2vspark.spark.jvm_messages import noise_filtered\n"
        "os.set_blocking(2, False)\n"
        "with noise_filtered():\n"
        "    child = subprocess.Popen(['seq', '100000'], stdout=2)\n"
        "child.wait()\n"
        "import time; time.sleep(2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr.split() == [str(number) for number in range(1, 100_001)]


def test_the_last_lines_of_a_jvm_that_does_not_start_come_before_our_own_error():
    assert said("echo 'no memory' >&2; exit 1", "fails") == "no memory\ntold last\n"


def test_messages_appear_in_whole_lines_above_the_bars_of_a_terminal():
    script = (
        "import subprocess, time\n"
        "from w2vspark.flow.progress import Progress\n"
        "from w2vspark.spark.jvm_messages import noise_filtered\n"
        "with Progress().stage('encoded'):\n"
        "    with noise_filtered():\n"
        "        child = subprocess.Popen(['sh', '-c', 'printf half; sleep .4; echo \" a line\"; sleep .4; echo last'],"
        " stdout=2)\n"
        "        time.sleep(0.2)\n"
        "    child.wait()\n"
        "    time.sleep(0.3)\n"
    )
    with Terminal() as terminal:
        assert terminal.start([sys.executable, "-c", script]).wait(60) == 0
        terminal.shows("encoded", " s")
        assert not terminal.hidden
        assert re.fullmatch(r"half a line\nlast\nencoded +\d+\.\d s", "\n".join(terminal.lines()))
