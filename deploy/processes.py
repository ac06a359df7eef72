"""The processes of a quickstart run: started detached with their logs in the run's folder, written
down so that a later call can stop them, and stopped by pid, never by name.
"""
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess


class Processes:
    """Started in order, stopped in order. A pid counts only with the start time it was born at."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.book = self.folder / "processes.json"
        self.children = {}

    def start(self, name, command, says_url=False):
        """Starts one; with says_url, waits for its first line and returns that."""
        with open(self.folder / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stderr=log,
                stdout=subprocess.PIPE if says_url else log, start_new_session=True)
        self.children[name] = child
        self._write()
        if not says_url:
            return None
        with child.stdout:
            url = child.stdout.readline().decode().strip()
        if not url:
            raise RuntimeError(f"{name} did not start: see {self.folder / name}.log")
        return url

    def alive(self, name):
        return self.children[name].poll() is None

    def kill(self, name):
        """As a power cut would: SIGKILL."""
        self.children[name].kill()
        self.children.pop(name).wait()
        self._write()

    def signal(self, name, number):
        self.children[name].send_signal(number)

    def _write(self):
        book = {name: [child.pid, born(child.pid)] for name, child in self.children.items()}
        self.book.write_text(json.dumps(book))

    def recorded(self):
        """{name: pid} of a run, this one or an earlier one, as far as they still live."""
        if not self.book.exists():
            return {}
        book = json.loads(self.book.read_text())
        return {name: pid for name, (pid, birth) in book.items() if birth and born(pid) == birth}

    def stop_all(self, order=(), patience=60):
        """SIGTERM one after the other, SIGKILL to those that stay. {name: left in time}."""
        found = self.recorded()
        names = [n for n in order if n in found] + [n for n in found if n not in order]
        return {name: self._stop(name, found[name], patience) for name in names}

    def _stop(self, name, pid, patience):
        with contextlib.suppress(ProcessLookupError), pid_handle(pid) as handle:
            signal.pidfd_send_signal(handle, signal.SIGCONT)
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            in_time = ended(handle, patience)
            if not in_time:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                ended(handle, patience)
            if name in self.children:
                return self.children[name].wait() == 0 and in_time
            return in_time
        return True


def born(pid):
    """When a process started, in the kernel's ticks since boot; None when there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


@contextlib.contextmanager
def pid_handle(pid):
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def ended(handle, patience):
    return bool(select.select([handle], [], [], patience)[0])
