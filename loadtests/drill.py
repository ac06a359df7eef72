"""Rehearses recovery: fills weir with waiting batches, copies its state while more are accepted,
kills it, throws the state away, restores the copy and starts. Everything that was accepted before
the copy was asked for must be there, and the copy must not have held up accepting for long."""

import argparse
import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import durable_weir
import machine

ASYNC = {"Prefer": "respond-async"}
LONG_ONES = 4


class Poster(threading.Thread):
    """Hands batches over one after the other until it is told to end, or weir is gone."""

    def __init__(self, port, body, most=None):
        super().__init__(daemon=True)
        self.port, self.body, self.most = port, body, most
        self.taken, self.slowest, self.ends = [], 0.0, False

    def run(self):
        door = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.ends and (self.most is None or len(self.taken) < self.most):
            began = time.monotonic()
            try:
                door.request("POST", "/load", self.body, ASYNC)
                answer = door.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 202:
                raise machine.Failed(f"expected 202, weir said {answer.status}")
            self.taken.append(answer.getheader("Location"))
            self.slowest = max(self.slowest, time.monotonic() - began)


def post_all(port, body, count, at_once=16):
    posters = [Poster(port, body, -(-count // at_once)) for _ in range(at_once)]
    for one in posters:
        one.start()
    for one in posters:
        one.join()
    return [at for one in posters for at in one.taken]


def command(options, weir, *words):
    """Runs a verb of the command line; seconds that it took and what it said."""
    began = time.monotonic()
    done = subprocess.run([os.path.abspath(options.weir), *words], cwd=weir.folder, text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise machine.Failed(f"weir {' '.join(words)}: {done.stdout}{done.stderr}")
    return time.monotonic() - began, done.stdout.strip()


def missing(weir, addresses):
    """Those that weir does not know."""
    door = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=60)
    lost = []
    for at in addresses:
        door.request("GET", at)
        answer = door.getresponse()
        answer.read()
        if answer.status != 200:
            lost.append(at)
    return lost


@contextlib.contextmanager
def loaded_weir(options, folder):
    """One whose batches all wait; a worker that gets nothing makes it ready."""
    cpus = os.sched_getaffinity(0)
    spare = machine.Process([os.path.abspath(os.path.join(options.programs, "worker")),
                             "--slots", 64], cpus, folder, log="worker.log", pipe=True)
    try:
        with durable_weir.Weir(options.weir, os.path.join(folder, "weir"), cpus,
                               int(spare.line())) as weir:
            yield weir
    finally:
        spare.stop()


def drill(options, folder):
    copy, tell = os.path.join(folder, "copy"), []
    with loaded_weir(options, folder) as weir:
        before = post_all(weir.port, os.urandom(1024), options.batches)
        before += post_all(weir.port, os.urandom(options.mib << 20), LONG_ONES, LONG_ONES)
        meanwhile = Poster(weir.port, os.urandom(1024))
        meanwhile.start()
        took, _ = command(options, weir, "backup", copy, "--admin",
                          f"http://127.0.0.1:{weir.admin}")
        tell.append(("copy of a running weir", took))
        machine.until(lambda: len(meanwhile.taken) > 100, "batches after the copy")
        weir.kill()
        gone = time.monotonic()
        meanwhile.join()
        shutil.rmtree(os.path.join(weir.folder, "state"))
        took, said = command(options, weir, "restore", copy, "--config", "weir.yaml")
        tell.append(("restore, all checksums read", took))
        weir.start()
        tell.append(("start until ready", weir.took))
        tell.append(("from the kill until ready", time.monotonic() - gone))
        lost = missing(weir, before)
        after = len(meanwhile.taken) - len(missing(weir, meanwhile.taken))
    print(re.sub(r"^restored to \S+: ", "", said))
    for what, seconds in tell:
        print(f"{what:32} {seconds:8.2f} s")
    print(f"slowest 202 while it was copied  {meanwhile.slowest:8.2f} s")
    print(f"accepted before the copy: {len(before)}, lost {len(lost)}; while and after it: "
          f"{len(meanwhile.taken)}, of which the copy has {after}")
    return not lost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", default="build/release/weir", help="the binary")
    parser.add_argument("--programs", default="build/loadtests", help="folder of worker")
    parser.add_argument("--folder", default="build", help="where its folders are made")
    parser.add_argument("--batches", type=int, default=100_000, help="of 1 KiB")
    parser.add_argument("--mib", type=int, default=16, help=f"of each of {LONG_ONES} long ones")
    options = parser.parse_args()
    machine.raise_limits()
    with tempfile.TemporaryDirectory(prefix="drill-", dir=options.folder) as folder:
        whole = drill(options, folder)
    print("recovered whole" if whole else "LOST what had been accepted before the copy")
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
