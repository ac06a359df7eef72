"""A certificate authority for a test, made by openssl(1): certificates and ready TLS contexts."""

import os
import ssl
import subprocess


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.file = self._path(f"{name}.pem")
        self._openssl("req", "-x509", *self._new_key(name), "-out", self.file, "-days", "2",
                      "-subj", f"/CN={name}")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                self._path(f"{name}.key")]

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def issue(self, name, alternative="DNS:weir.test,IP:127.0.0.1"):
        """(certificate, key) files."""
        certificate, key, ask = (self._path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        extensions = self._path(f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternative}\n")
        self._openssl("req", *self._new_key(name), "-out", ask, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", ask, "-CA", self.file, "-CAkey",
                      self._path(f"{self.name}.key"), "-CAcreateserial", "-out", certificate,
                      "-days", "2", "-extfile", extensions)
        return certificate, key

    def client_context(self, identity=None):
        """Trusts this authority; shows `identity` (certificate, key) when asked."""
        context = ssl.create_default_context(cafile=self.file)
        if identity:
            context.load_cert_chain(*identity)
        return context


def server_context(identity, on_name=None):
    """`on_name(server name)` is told what each client asked for (SNI)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    if on_name:
        context.sni_callback = lambda _socket, name, _context: on_name(name)
    return context
