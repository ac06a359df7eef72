"""Self-registration: a worker started by anybody joins a pool of weir by itself and stays as long
as it renews its lease. The pool's token lets it register; the lease's own secret, from the answer,
lets it renew. A worker that stops renewing is drained and removed by weir.
"""
import json
import sys
import threading
import urllib.error
import urllib.request


class Lease:
    def __init__(self, surface, pool, worker, token, ttl):
        """worker: {"id", "url", "slots"} as weir is to know it; ttl in seconds."""
        self.base = f"{surface.rstrip('/')}/v1/pools/{pool}/workers"
        self.worker, self.token, self.ttl = worker, token, ttl
        self.secret = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        """Says goodbye, so that nothing more is sent here. A lease that ran out would do too."""
        self.stopping.set()
        self.thread.join()
        if self.secret:
            try:
                self._send("DELETE", f"{self.base}/{self.worker['id']}", self.secret)
            except (OSError, ValueError) as why:
                print(f"left without a goodbye: {why}", file=sys.stderr, flush=True)

    def _run(self):
        """Registers, renews at a third of the lease, and registers anew when the lease is lost."""
        pause = 0
        while not self.stopping.wait(pause):
            try:
                self._renew() if self.secret else self._register()
                pause = self.ttl / 3
            except urllib.error.HTTPError as refusal:
                lost, self.secret = self.secret is not None, None
                pause = 0 if lost else self._say_and_back_off(f"{refusal.code} {refusal.reason}")
            except (OSError, ValueError, KeyError) as why:
                pause = self._say_and_back_off(why)

    def _register(self):
        body = {**self.worker, "ttl": f"{round(self.ttl * 1000)}ms"}
        self.secret = self._send("POST", self.base, self.token, body)["secret"]
        print(f"registered as {self.worker['id']}", file=sys.stderr, flush=True)

    def _renew(self):
        self._send("PUT", f"{self.base}/{self.worker['id']}/lease", self.secret)

    def _send(self, method, url, secret, body=None):
        headers = {"Content-Type": "application/json"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=max(1, self.ttl / 3)) as response:
            return json.loads(response.read() or b"{}")

    def _say_and_back_off(self, why):
        print(f"not registered at {self.base}: {why}", file=sys.stderr, flush=True)
        return min(1, self.ttl / 3)
