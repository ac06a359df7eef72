"""Takes scale hooks as an autoscaler would: checks each signature, keeps what was said."""

import base64
import hashlib
import hmac
import json
import time

KEY = b"0123456789abcdef0123456789abcdef"
SECRET_TEXT = "whsec_" + base64.b64encode(KEY).decode() + "\n"


class Receiver:
    """A worker's script. `status`: what it answers with."""

    def __init__(self):
        self.decisions = []    # bodies of deliveries, in order
        self.ids = []
        self.faults = []       # what was wrong with signatures
        self.status = 204

    async def __call__(self, request, reply):
        body = await request.body()
        fault = self.check(request, body)
        if fault:
            self.faults.append(fault)
        self.ids.append(request.field("webhook-id"))
        if self.status < 300:
            self.decisions.append(json.loads(body))
        await reply.send(self.status)

    def check(self, request, body):
        """Standard Webhooks: HMAC-SHA256 over id.timestamp.body."""
        identity, stamp, signature = (request.field(f"webhook-{n}")
                                      for n in ("id", "timestamp", "signature"))
        if not (identity and stamp and signature):
            return f"fields missing: {request.head.raw!r}"
        if abs(time.time() - int(stamp)) > 60:
            return f"an old timestamp: {stamp}"
        signed = f"{identity}.{stamp}.".encode() + body
        wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        return None if f"v1,{wanted}" in signature.split() else f"bad signature: {signature}"

    def real(self):
        """Data of decisions, tests of the hook left out."""
        return [d["data"] for d in self.decisions if d["type"] == "weir.scale"]
