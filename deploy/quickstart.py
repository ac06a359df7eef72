#!/usr/bin/env python3
"""The quickstart's course: three workers (one of them slow), weir and a scaler; the real data is
fed; a worker is killed in the middle of batches and comes back; the backlog makes weir call for
more workers, which join; it calms down and the idle ones are let go; the database is counted.
quickstart.sh installs and builds first, then calls this.
"""
import argparse
import base64
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from processes import Processes

HERE = pathlib.Path(__file__).resolve().parent
WORKER, SLOTS, ROW_DELAY_MS, AT_ONCE = HERE / "worker" / "worker.py", 4, 15, 300
KILL_AT, RETURN_AT = 0.1, 0.3      # of the rows
ROWS_MIN = 20000
STOP_ORDER = ("feed", "weir", "scaler", "w1", "w2", "slow")


class Failed(Exception):
    """The run cannot go on."""


def fetch(url, timeout=5):
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read().decode()


def until(condition, what, seconds, pause=0.05):
    """What the condition gives once it is true. Raises Failed after so many seconds."""
    pacer, end = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if result := condition():
                return result
        except (OSError, ValueError):
            pass
        pacer.wait(pause)
    raise Failed(f"not within {seconds} s: {what}")


def free_port(wished):
    """The port wished for when nobody has it, else one that the kernel picks."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise Failed("no free port")


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.processes = Processes(folder)
        self.started = time.monotonic()
        self.database = folder / "loaded.sqlite"
        self.checks, self.facts = [], {}

    def say(self, text):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def check(self, what, holds):
        self.checks.append((what, bool(holds)))

    # --- setting up ----------------------------------------------------------------------------

    def prepare(self):
        """Secrets, workers, scaler, configuration, weir: in the order in which they need each
        other's addresses."""
        wished = (0, 0, 0) if self.options.once else (8080, 9900, 9901)
        self.front, self.admin, self.registration = map(free_port, wished)
        self._secret("hook.secret", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
        self._secret("registration.token", secrets.token_urlsafe(32))
        self.urls = {name: self.start_worker(name) for name in ("w1", "w2", "slow")}
        self.scaler = self.start_scaler()
        self.say(f"three workers and the scaler are up; logs are in {self.folder}")
        self.start_weir()

    def _secret(self, name, text):
        with open(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def worker(self, name, listen="127.0.0.1:0"):
        return [sys.executable, WORKER, "--id", name, "--listen", listen, "--slots", SLOTS,
                "--database", self.database, "--delay", ROW_DELAY_MS]

    def start_worker(self, name, listen="127.0.0.1:0"):
        slow = ["--slow", 3] if name == "slow" else []
        return self.processes.start(name, self.worker(name, listen) + slow, says_url=True)

    def start_scaler(self):
        join = ["--register", f"http://127.0.0.1:{self.registration}", "--pool", "loaders",
                "--token-file", self.folder / "registration.token", "--ttl", "6s"]
        return self.processes.start("scaler", [
            sys.executable, HERE / "scaler.py", "--secret-file", self.folder / "hook.secret",
            "--static", 3, "--max", 5, "--", *self.worker("{id}"), *join], says_url=True)

    def start_weir(self):
        text = (HERE / "quickstart.yaml.in").read_text(encoding="utf-8")
        for name, value in {"DIR": self.folder, "FRONT_PORT": self.front,
                            "ADMIN_PORT": self.admin, "REGISTRATION_PORT": self.registration,
                            "SCALER_URL": self.scaler, "W1_URL": self.urls["w1"],
                            "W2_URL": self.urls["w2"], "SLOW_URL": self.urls["slow"]}.items():
            text = text.replace(f"@{name}@", str(value))
        config = self.folder / "weir.yaml"
        config.write_text(text, encoding="utf-8")
        subprocess.run([self.options.weir, "check", "--config", config], check=True)
        self.processes.start("weir", [self.options.weir, "serve", "--config", config])
        until(lambda: fetch(self.admin_url("/readyz")) and self.metric(
            "weir_worker_state", state="up") == 3, "weir is ready and its workers are up", 20)
        self.say("weir is ready")

    # --- looking -------------------------------------------------------------------------------

    def admin_url(self, path=""):
        return f"http://127.0.0.1:{self.admin}{path}"

    def metric(self, name, **labels):
        """The sum of a metric's series that carry these labels."""
        total = 0.0
        for line in fetch(self.admin_url("/metrics")).splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name and all(
                    f'{label}="{value}"' in (match[2] or "") for label, value in labels.items()):
                total += float(match[3])
        return total

    def scaler_state(self):
        return json.loads(fetch(self.scaler))

    # --- the course ----------------------------------------------------------------------------

    def feed(self):
        """Feeds everything; what happens meanwhile hangs on how many rows are through."""
        summary = self.folder / "feed.json"
        rows = ["--rows", self.options.rows] if self.options.rows else []
        self.say(f"feeding: {AT_ONCE} batches at once to http://127.0.0.1:{self.front}/load/...")
        command = [sys.executable, HERE / "feed.py", "--url", f"http://127.0.0.1:{self.front}",
                   "--at-once", AT_ONCE, "--summary", summary, *rows]
        feeder = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                                  text=True)
        try:
            for line in feeder.stdout:
                self.say(line.strip())
                _, done, _, total, _ = line.split()
                self.on_progress(int(done) / int(total))
            code = feeder.wait()
        finally:
            feeder.kill()
            feeder.wait()
        self.fed = json.loads(summary.read_text(encoding="utf-8"))
        self.check("every batch was answered as planned", code == 0)
        self.check("no client saw an error", not self.fed["errors_seen"])
        for failure in self.fed["failures"][:5]:
            self.say(f"not as planned: {failure}")

    def on_progress(self, share):
        if share >= KILL_AT and "killed_with" not in self.facts:
            self.kill_worker()
        if share >= RETURN_AT and "back" not in self.facts:
            self.facts["back"] = self.start_worker("w1", self.urls["w1"].removeprefix("http://"))
            self.say("w1 is started again; weir will probe it and give it work")
        state = self.scaler_state()
        if state["started"] and "out" not in self.facts:
            self.facts["out"] = state["decisions"]
            self.say(f"the backlog made weir call its hook: {state['desired']} workers desired,"
                     f" {', '.join(state['running'])} started and joining")

    def kill_worker(self):
        """SIGKILL in the middle of batches: it is held still first, so that weir's count of what
        it is doing is true when it dies."""
        for _ in range(100):
            self.processes.signal("w1", signal.SIGSTOP)
            in_flight = self.metric("weir_worker_in_flight", worker="w1")
            if in_flight:
                self.processes.kill("w1")
                self.facts["killed_with"] = int(in_flight)
                self.say(f"killed w1 with SIGKILL in the middle of {in_flight:.0f} batches")
                return
            self.processes.signal("w1", signal.SIGCONT)
            threading.Event().wait(0.02)
        raise Failed("w1 never had a batch to be killed in")

    def calm_down(self):
        """No more batches: weir drains idle workers and names them, the scaler stops them."""
        until(lambda: self.scaler_state()["started"], "the hook fired and workers were started", 15)
        self.say("fed; waiting until weir lets idle workers go")
        until(lambda: self.scaler_state()["stopped"], "scale-in removed an idle worker", 120, 0.2)
        state = self.scaler_state()
        self.facts["state"] = state
        self.facts["retries"] = int(self.metric("weir_retries_total"))
        self.say(f"scaled in: {state['stopped']} of {state['started']} stopped")

    def judge(self):
        state = self.facts["state"]
        rows = ["--rows", str(self.options.rows)] if self.options.rows else []
        done = subprocess.run([sys.executable, HERE / "count.py", "--database", self.database,
                               *rows], stdout=subprocess.PIPE, check=False)
        self.counted = json.loads(done.stdout)
        named = {name for decision in state["decisions"] for name in decision["stopped"]}
        self.check("every row is in the database exactly once, rejects as planned",
                   self.counted["ok"])
        self.check("w1 was killed in the middle of batches, which others then loaded",
                   self.facts.get("killed_with") and self.counted["later_attempts"])
        self.check("the hook fired and the workers it started joined and loaded batches",
                   any(name.startswith("auto-") for name in self.counted["workers"]))
        self.check("scale-in stopped workers that weir had drained and named, and no other",
                   named and state["died"] == 0)

    # --- the end -------------------------------------------------------------------------------

    def report(self):
        fed, tables = self.fed, self.counted["tables"]
        batches = sum(t["batches"] for t in fed["answered"]["tables"].values())
        state = self.facts["state"]
        print("\nWhat happened")
        print(f"  batches   {batches:,} loaded, {fed['answered']['broken_batches']} broken ones"
              f" refused with 422, {fed['answered']['repeated_batches']} sent twice and not loaded"
              f" twice; {batches / fed['seconds']:.0f}/s")
        for name, table in tables.items():
            print(f"  rows      {table['rows']:>7,} {name:<12} {table['missing']} missing,"
                  f" {table['double']} double, {table['rejects']} rejected with a reason")
        for name, did in self.counted["workers"].items():
            print(f"  worker    {name:<8} {did['batches']:>6,} batches {did['rows']:>8,} rows")
        print(f"  killed    w1, in the middle of {self.facts['killed_with']} batches;"
              f" {self.facts['retries']} retries, {self.counted['later_attempts']} batches loaded"
              f" by a later attempt, {sum(fed['errors_seen'].values())} errors seen by clients")
        for decision in state["decisions"]:
            moved = [f"{verb} {', '.join(decision[verb])}" for verb in ("started", "stopped")
                     if decision[verb]]
            if moved:
                print(f"  hook      {decision['direction']:<3} to {decision['desired']} workers:"
                      f" {'; '.join(moved)}")
        for wrong in self.counted["wrong"]:
            print(f"  WRONG     {wrong}")
        print("\nChecks")
        for what, holds in self.checks:
            print(f"  {'ok    ' if holds else 'FAILED'} {what}")

    def addresses(self):
        folder = "" if self.options.dir is None else f" --dir {self.options.dir}"
        print(f"""
Still running
  front door   http://127.0.0.1:{self.front}/load/airports   (zipcodes, birdstrikes)
  web page     {self.admin_url("/")}
  metrics      {self.admin_url("/metrics")}
  database     {self.database}
Try
  {self.options.weir} status --admin {self.admin_url()}
  /usr/bin/python3 deploy/feed.py --url http://127.0.0.1:{self.front} --seed 7 --summary /dev/null
Stop
  bash deploy/quickstart.sh --stop{folder}""")

    def stop(self):
        for name, in_time in self.processes.stop_all(STOP_ORDER).items():
            self.check(f"{name} left by itself when told to", in_time)

    def course(self):
        self.prepare()
        self.feed()
        self.calm_down()
        self.judge()
        if self.options.once:
            self.stop()
        self.report()
        return all(holds for _, holds in self.checks)


def arguments():
    parser = argparse.ArgumentParser(description="weir at work in front of real workers")
    parser.add_argument("--once", action="store_true", help="stop everything at the end")
    parser.add_argument("--rows", type=int, help="default: the real data's 55,425")
    parser.add_argument("--dir", type=pathlib.Path, help="default: state/quickstart")
    parser.add_argument("--stop", action="store_true", help="stop what an earlier run left")
    parser.add_argument("--weir", default="build/release/weir", help="the program")
    options = parser.parse_args()
    if options.rows is not None and options.rows < ROWS_MIN:
        parser.error(f"--rows {ROWS_MIN} at least: fewer make no backlog worth a scale-out")
    return options


def clean_folder(options):
    """The run's folder, empty; a temporary one with --once."""
    if options.once and options.dir is None:
        return pathlib.Path(tempfile.mkdtemp(prefix="weir-quickstart-"))
    folder = (options.dir or pathlib.Path("state/quickstart")).resolve()
    if Processes(folder).recorded():
        raise Failed(f"a quickstart still runs in {folder}; --stop ends it")
    if folder.exists() and any(folder.iterdir()) and not (folder / "processes.json").exists():
        raise Failed(f"{folder} holds something else")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))    # runs the clean-up below
    if options.stop:
        folder = (options.dir or pathlib.Path("state/quickstart")).resolve()
        stopped = Processes(folder).stop_all(STOP_ORDER)
        print(f"stopped {', '.join(stopped) or 'nothing: nothing was running'}")
        return 0
    run, good = None, False
    try:
        run = Run(options, clean_folder(options))
        good = run.course()
    except (Failed, RuntimeError, OSError, subprocess.CalledProcessError) as why:
        print(f"quickstart: {why}", file=sys.stderr)
    finally:
        if run and (options.once or not good):
            run.processes.stop_all(STOP_ORDER)
    if not good:
        print(f"quickstart: not everything held; logs are in {run.folder}" if run
              else "quickstart: nothing was started", file=sys.stderr)
    elif not options.once:
        run.addresses()
    elif options.dir is None:
        shutil.rmtree(run.folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
