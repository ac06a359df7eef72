"""The processes of a comparison and what the kernel says of them: pinned to CPUs, ended by pid,
their CPU time and memory read from /proc.

CPU time is the sum of every thread's time on a CPU in /proc/PID/task/*/schedstat, to the
nanosecond; utime and stime of /proc/PID/stat, in ticks of 10 ms, only split it into user and
system.
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import glob
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

DEADLINE = 30  # seconds for anything that should take a moment
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def raise_limits():
    """Room for 10,000 clients and as many workers' connections."""
    wanted = 65536
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), max(wanted, hard)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def prefer(niceness):
    """Our processes before (below 0, as root) or behind a busy machine's other work. Where the
    kernel groups processes by session, niceness counts within a group: the group gets it."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # refused to the leader of a group, whose session is its own
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:
        group.write(str(niceness))
    os.setpriority(os.PRIO_PROCESS, 0, niceness)


@contextlib.contextmanager
def alone(patience=3600):
    """One comparison at a time: two on the same CPUs would measure each other."""
    def free():
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    with open(os.path.join(tempfile.gettempdir(), "weir-loadtests.lock"), "a",
              encoding="ascii") as lock:
        if not free():
            print("waiting for another comparison to end", file=sys.stderr)
            until(free, "end of another comparison", patience)
        yield


def until(holds, what, patience=DEADLINE):
    """Waits for a condition; the result that was true."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        result = holds()
        if result:
            return result
        time.sleep(0.01)
    raise TimeoutError(f"no {what} within {patience} s")


class Reservation:
    """A port of 127.0.0.1 that the kernel picked, kept for a program that must be told its port and
    listens with SO_REUSEPORT. Bound, never listening, so it gets no connection."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


class Process:
    """A child that dies with us, on given CPUs, its output in a file unless it is to be read."""

    def __init__(self, command, cpus, folder, log="log", pipe=False, environment=None):
        def prepare():
            os.sched_setaffinity(0, cpus)
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        self.command = [str(word) for word in command]
        with open(os.path.join(folder, log), "ab") as file:
            self.child = subprocess.Popen(
                self.command, cwd=folder, preexec_fn=prepare, stderr=file, env=environment,
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else file)

    @property
    def pid(self):
        return self.child.pid

    def line(self, patience=DEADLINE):
        """The next line of its output."""
        if not select.select([self.child.stdout], [], [], patience)[0]:
            raise TimeoutError(f"{self.command[0]} said nothing for {patience} s")
        return self.child.stdout.readline().decode().strip()

    def pin(self, cpus):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(task), cpus)

    def finish(self, patience):
        """Closes its input, waits for its end; the rest of its output."""
        try:
            return self.child.communicate(timeout=patience)[0].decode()
        except subprocess.TimeoutExpired:
            self.stop()
            raise

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                for pid in reversed(family(self.pid)):
                    os.kill(pid, signal.SIGKILL)
                self.child.wait()
        for stream in (self.child.stdin, self.child.stdout):
            if stream:
                stream.close()


def family(pid):
    """The process and its children: nginx works in them."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid] + [int(word) for word in file.read().split()]


@dataclasses.dataclass
class Usage:
    total: float = 0  # seconds on a CPU
    user: float = 0   # by ticks
    system: float = 0

    def __sub__(self, other):
        return Usage(self.total - other.total, self.user - other.user, self.system - other.system)

    def split(self):
        """(user, system) seconds: the exact total, shared out as the ticks say."""
        ticks = self.user + self.system
        user = self.total * self.user / ticks if ticks else 0
        return user, self.total - user


def usage(pid):
    sum_of = Usage()
    tick = os.sysconf("SC_CLK_TCK")
    for one in family(pid):
        for name in glob.glob(f"/proc/{one}/task/*/schedstat"):
            with open(name, encoding="ascii") as file:
                sum_of.total += int(file.read().split()[0]) / 1e9
        with open(f"/proc/{one}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        sum_of.user += int(fields[11]) / tick
        sum_of.system += int(fields[12]) / tick
    return sum_of


def memory(pid):
    """Resident bytes of the process and its children: rss, pss, and private (shared by nobody)."""
    found = {"rss": 0, "pss": 0, "private": 0}
    names = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private", "Private_Dirty": "private"}
    for one in family(pid):
        with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in names:
                    found[names[name]] += int(rest.split()[0]) * 1024
    return found


class Failed(RuntimeError):
    """A run with errors: its numbers say nothing."""


def result_of(text, what, tolerant=False):
    """The JSON line that the load generator ends with."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError) as bad:
        raise Failed(f"{what}: no result in {text!r}") from bad
    if found["errors"] and not tolerant:
        raise Failed(f"{what}: errors {found['errors']} beside {found['requests']} requests")
    return found
