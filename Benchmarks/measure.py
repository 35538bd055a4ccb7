"""Runs one command as a child process and says how long it took and how much memory it held.

Keep the measuring process small. Linux carries the peak resident size of the process that
starts a child over into the child's own figure, so no child can be seen below `rss_floor()`.
That is why nothing here, and no module that uses this one, may import torch or numpy.
"""

import os
import resource
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

# ru_maxrss counts KiB on Linux.
_RSS_UNIT = 1024


@dataclass(frozen=True)
class Run:
    """What one finished child process did."""

    seconds: float  # wall clock, from before the start until it was reaped
    peak_rss: int  # bytes, mapped files included
    exit_code: int  # the negated number of the signal, if one ended it
    stdout: str
    stderr: str

    def last_words(self) -> str:
        """The last line of stderr, to explain a failure."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else "(nothing on stderr)"


def rss_floor() -> int:
    """The smallest peak, in bytes, that `run` can report: this process's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def run(argv: list[str], timeout: float = 900) -> Run:
    """Runs `argv` to its end, killing it after `timeout` seconds.

    Output goes to files rather than pipes: reading it costs no time while the clock runs.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
        ]
        start = time.perf_counter()
        child = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
        watchdog = threading.Timer(timeout, os.kill, (child, signal.SIGKILL))
        watchdog.daemon = True
        watchdog.start()
        try:
            _, status, usage = os.wait4(child, 0)
            seconds = time.perf_counter() - start
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        finally:
            watchdog.cancel()
        return Run(
            seconds=seconds,
            peak_rss=usage.ru_maxrss * _RSS_UNIT,
            exit_code=os.waitstatus_to_exitcode(status),
            stdout=_text(out),
            stderr=_text(err),
        )


def warm_memory(size: int) -> None:
    """Touches up to `size` bytes of free memory in a child that then gives them back.

    A virtual machine may return idle free pages to its host, and whoever needs them next pays
    for fetching them again: several times the work measured here. Only free memory is used, so
    the page cache stays.
    """
    size = min(size, int(0.8 * _free_memory()))
    code = ("import mmap, sys; size = int(sys.argv[1]) & -mmap.PAGESIZE; "
            "memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); "
            "memory[::mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)")
    touched = run([sys.executable, "-I", "-S", "-c", code, str(size)])
    if touched.exit_code != 0:
        raise OSError(f"cannot warm {size} bytes of memory: {touched.last_words()}")


def _free_memory() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["MemFree"].split()[0]) * 1024


def _text(file) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
