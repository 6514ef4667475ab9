"""Memory that was freed goes back to the system."""

import gc
import os
import platform
import subprocess
import sys

import pytest

from neurovocal_tf.server import heaps

# Holes of two pages, between pieces that stay; each thread's cache takes pieces of up to 1 kB only.
HOLES = """
import sys, time
from neurovocal_tf.server import heaps
def resident_mb():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
pieces = [bytes(12_000) for _ in range(10_000)]
whole_mb = resident_mb()
del pieces[::2]
heaps.trim_every(float(sys.argv[1]))
deadline = time.monotonic() + float(sys.argv[2])
while resident_mb() > whole_mb - 20 and time.monotonic() < deadline:
    time.sleep(0.05)
print(whole_mb - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps are the GNU C library's")
def test_holes_go_back_to_the_system_once_they_are_trimmed(repository):
    def freed_mb(every_s, patience_s):
        command = [sys.executable, "-c", HOLES, str(every_s), str(patience_s)]
        environment = os.environ | {"PYTHONPATH": str(repository)}
        return float(
            subprocess.run(
                command, check=True, timeout=120, env=environment, stdout=subprocess.PIPE
            ).stdout
        )

    assert freed_mb(0.1, 60) >= 20 > freed_mb(1000, 0.5)


@pytest.mark.parametrize("was_searching", [True, False])
def test_python_looks_for_circles_again_whatever_happens_meanwhile(was_searching):
    is_searching = gc.isenabled()
    try:
        (gc.enable if was_searching else gc.disable)()
        with pytest.raises(KeyError), heaps.without_search_for_circles():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == was_searching
    finally:
        (gc.enable if is_searching else gc.disable)()
