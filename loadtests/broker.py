"""RabbitMQ for durable.py: a broker of its own, started from Debian's package in a given folder,
with its own node name, cookie, ports and epmd, its limits raised; gone with the context.
"""

import contextlib
import os
import socket

import machine

HOME = "/usr/lib/rabbitmq/bin"

CONF = """\
listeners.tcp.1 = 127.0.0.1:{port}
vm_memory_high_watermark.relative = 0.8
vm_memory_high_watermark_paging_ratio = 0.9
disk_free_limit.absolute = 50MB
log.file.level = warning
"""


def free_port():
    """A port that the kernel picks. Erlang listens without SO_REUSEPORT, so it cannot be kept."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A running RabbitMQ; `port` takes AMQP connections of guest/guest."""

    def __init__(self, folder, cpus):
        self.folder = folder
        self.cpus = cpus
        self.stack = contextlib.ExitStack()
        self.port = None
        self.process = None

    def __enter__(self):
        try:
            self._start()
            machine.until(self._listens, "RabbitMQ", 60)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    @property
    def pid(self):
        return self.process.pid

    def _start(self):
        os.makedirs(self.folder)
        self.port, epmd_port = free_port(), free_port()
        for name, text in {"rabbitmq.conf": CONF.format(port=self.port), "plugins": "[].\n",
                           "environment": ""}.items():
            with open(self._path(name), "w", encoding="ascii") as file:
                file.write(text)
        environment = self._environment(epmd_port)
        # In the foreground, so that it ends with us; the broker finds it instead of starting one.
        epmd = machine.Process(["epmd", "-port", epmd_port, "-address", "127.0.0.1"], self.cpus,
                               self.folder, log="epmd.log", environment=environment)
        self.stack.callback(epmd.stop)
        self.process = machine.Process([os.path.join(HOME, "rabbitmq-server")], self.cpus,
                                       self.folder, environment=environment)
        self.stack.callback(self.process.stop)

    def _environment(self, epmd_port):
        return {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder,
            "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"weir-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": self._path("rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": self._path("environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self._path("plugins"),
            "RABBITMQ_MNESIA_BASE": self._path("data"), "RABBITMQ_LOG_BASE": self._path("logs"),
            "RABBITMQ_PID_FILE": self._path("pid"),
        }

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _listens(self):
        if self.process.child.poll() is not None:
            with open(self._path("log"), encoding="utf-8") as log:
                raise machine.Failed(f"RabbitMQ ended at once:\n{log.read()[:1000]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
