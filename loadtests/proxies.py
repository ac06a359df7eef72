"""The proxies of a comparison: how each is configured and started. All the same: two workers, the
same health check interval, a log line a request, the same timeouts, and no limit that the load
reaches. Where one has settings that make it faster, it has them.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import machine

SLOTS = 512  # a worker


@dataclasses.dataclass(frozen=True)
class Variant:
    """One column of the table. `bodies`: buffers for large bodies."""
    name: str
    kind: str
    threads: int = 1
    tls: bool = False
    splice: bool = False
    streaming: bool = False
    bodies: bool = False

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


WEIR = Variant("weir", "weir")
HAPROXY = Variant("haproxy", "haproxy")
SPLICE = Variant("haproxy-splice", "haproxy", splice=True)
NGINX = Variant("nginx", "nginx")
STREAM = Variant("nginx-stream", "nginx", streaming=True)
FLOOR = Variant("floor", "floor")

WEIR_TOP = """\
threads: {threads}
access_log: {{file: access.log}}
listeners:
  - name: front
    bind: "127.0.0.1:0"{tls}
admin: {{bind: "127.0.0.1:0"}}
routes:
"""

WEIR_YAML = WEIR_TOP + """\
  - {{name: all, pool: loaders}}
pools:
  loaders:
    balance: least_loaded
    slow_start: 0s
    workers:
{workers}
    health_check: {{path: /healthz, interval: 2s}}
    queue: {{max_batches: 100000, max_bytes: 64GiB}}
"""

HAPROXY_CFG = """\
global
  nbthread {threads}
  no strict-limits
  maxconn {connections}
  log {folder}/log.sock len 1024 local0 info
{tuning}
defaults
  mode http
  log global
  option httplog
  http-reuse always
{splice}
  timeout connect 3s
  timeout client 60s
  timeout server 1h
  timeout http-request {head_timeout}
  timeout http-keep-alive 75s
  timeout queue 5m
frontend front
  bind 127.0.0.1:{port}{tls}
  default_backend loaders
backend loaders
  balance leastconn
  option httpchk GET /healthz
{workers}
"""

NGINX_CONF = """\
worker_processes {threads};
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections {connections}; accept_mutex off; multi_accept on; }}
http {{
  access_log {folder}/access.log combined buffer=64k flush=1s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/other;
  uwsgi_temp_path {folder}/other;
  scgi_temp_path {folder}/other;
  sendfile on;
  upstream loaders {{
    least_conn;
{workers}
    keepalive {keepalive};
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
  }}
  server {{
    listen 127.0.0.1:{port}{tls} reuseport backlog=4096;
{certificate}
    keepalive_requests 1000000000;
    keepalive_timeout 75s;
    client_max_body_size 0;
    client_header_timeout 10s;
    client_body_timeout 60s;
    location / {{
      proxy_pass http://loaders;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_connect_timeout 3s;
      proxy_read_timeout 1h;
      proxy_request_buffering {request_buffering};
      proxy_max_temp_file_size 0;
{tuning}
    }}
  }}
}}
"""


class Running:
    """A started proxy. `port` takes requests; stop() ends it and forgets its files."""
    weir_yaml = WEIR_YAML
    head_timeout = "10s"   # HAProxy's; it answers 408 on a connection that asked nothing

    def __init__(self, variant, folder, workers, cpus, tools, slots=SLOTS):
        self.variant = variant
        self.folder = folder
        self.workers = workers
        self.cpus = cpus
        self.tools = tools
        self.slots = slots
        self.helpers = contextlib.ExitStack()
        os.makedirs(folder)
        self.port = None
        self.process = None

    def __enter__(self):
        try:
            getattr(self, f"_start_{self.variant.kind}")()
            machine.until(self._answers, f"answer from {self.variant.name}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process:
            self.process.stop()
        self.helpers.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    def _answers(self):
        if self.process.child.poll() is not None:
            with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                raise machine.Failed(f"{self.variant.name} ended at once:\n{log.read()}")
        scheme = "https" if self.variant.tls else "http"
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(f"{scheme}://127.0.0.1:{self.port}/load", timeout=5,
                                        context=self.tools.trusting) as answer:
                return answer.status == 200
        return False

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _start(self, command):
        self.process = machine.Process(command, self.cpus, self.folder)

    def _reserve(self):
        kept = machine.Reservation()
        self.helpers.callback(kept.close)
        self.port = kept.port

    # --- weir ------------------------------------------------------------------------------------
    def _start_weir(self):
        certificate = self.tools.certificate
        tls = (f"\n    tls: {{certificate: {certificate}, private_key: {certificate}}}"
               if self.variant.tls else "")
        workers = "\n".join(f"      - {{id: w{i}, url: 'http://127.0.0.1:{port}', "
                            f"slots: {self.slots}}}"
                            for i, port in enumerate(self.workers))
        self._write("weir.yaml", self.weir_yaml.format(threads=self.variant.threads, tls=tls,
                                                       workers=workers))
        self._start([self.tools.weir, "serve", "--config", "weir.yaml"])
        self.port = machine.until(self._weir_port, "address from weir")

    def _weir_port(self, listener="front"):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
            for line in log:
                with contextlib.suppress(ValueError):
                    told = json.loads(line)
                    if told.get("message") == "listening" and told.get("name") == listener:
                        return int(told["address"].rpartition(":")[2])
        if self.process.child.poll() is not None:
            with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                raise machine.Failed(f"weir ended at once:\n{log.read()}")
        return None

    # --- HAProxy ---------------------------------------------------------------------------------
    def _start_haproxy(self):
        self._reserve()
        sink = machine.Process([self.tools.program("sink"), "log.sock"], self.tools.load_cpus,
                               self.folder, log="sink.log", pipe=True)
        self.helpers.callback(sink.stop)
        sink.line()
        tuning = "  tune.bufsize 65536" if self.variant.bodies else ""
        self._write("haproxy.cfg", HAPROXY_CFG.format(
            threads=self.variant.threads, folder=self.folder, port=self.port,
            connections=15000, tuning=tuning, head_timeout=self.head_timeout,
            splice="  option splice-auto" if self.variant.splice else "",
            tls=f" ssl crt {self.tools.certificate}" if self.variant.tls else "",
            workers="\n".join(f"  server w{i} 127.0.0.1:{port} check inter 2s maxconn {self.slots}"
                              for i, port in enumerate(self.workers))))
        self._start(["haproxy", "-db", "-f", "haproxy.cfg"])

    # --- nginx -----------------------------------------------------------------------------------
    def _start_nginx(self):
        self._reserve()
        certificate = (f"    ssl_certificate {self.tools.certificate};\n"
                       f"    ssl_certificate_key {self.tools.certificate};\n"
                       "    ssl_protocols TLSv1.2 TLSv1.3;" if self.variant.tls else "")
        tuning = ("      proxy_buffer_size 64k;\n      proxy_buffers 8 64k;\n"
                  "      client_body_buffer_size 64k;" if self.variant.bodies else "")
        self._write("nginx.conf", NGINX_CONF.format(
            threads=self.variant.threads, folder=self.folder, port=self.port,
            files=self.tools.files, connections=min(25000, self.tools.files),
            user="user root;" if os.geteuid() == 0 else "", keepalive=256,
            tls=" ssl" if self.variant.tls else "", certificate=certificate, tuning=tuning,
            request_buffering="off" if self.variant.streaming else "on",
            workers="\n".join(f"    server 127.0.0.1:{port};" for port in self.workers)))
        self._start(["nginx", "-p", self.folder, "-c", f"{self.folder}/nginx.conf",
                     "-e", f"{self.folder}/error.log", "-g", "daemon off;"])

    # --- the floor -------------------------------------------------------------------------------
    def _start_floor(self):
        self.process = machine.Process([self.tools.program("floor"), *self.workers], self.cpus,
                                       self.folder, pipe=True)
        self.port = int(self.process.line())


def version_of(command, pattern):
    """What a program calls itself, or why it is not there."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError as missing:
        return str(missing)
    found = re.search(pattern, told.stdout + told.stderr)
    return found.group(0) if found else "unknown"
