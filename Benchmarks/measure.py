"""Runs one command as a child process and says how long it took and how much memory it held.

Keep the measuring process small. Linux carries the peak resident size of the process that
starts a child over into the child's own figure, so no child can be seen below `rss_floor()`.
That is why nothing here, and no module that uses this one, may import torch or numpy.
"""

import os
import resource
import signal
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


def _text(file) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
