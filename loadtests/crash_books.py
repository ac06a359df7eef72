"""What clients and workers saw of durable batches while weir was killed again and again, and the
rules that must hold: crash.py keeps these books, crash_books_test.py shows that each rule can fail.

A posting is what a client wants done once; its marker tells it from all others, in whatever batch,
attempt or effect it shows up. A posting with a key of its client is sent again until it is
accepted; one without is sent once, and is nobody's business when no 202 came back.
"""

import collections
import dataclasses
import typing

ENDS = ("succeeded", "failed", "cancelled")


@dataclasses.dataclass
class Posting:
    marker: str
    key: str = ""            # the client's own
    doomed: bool = False     # no worker can do it
    cancelled: bool = False  # its client asked for that
    batch: str = ""          # the id of its 202
    state: str = ""          # how that ended


@dataclasses.dataclass
class Attempt:
    number: int
    connected: typing.Callable   # whether weir still holds the connection that it came on
    over: bool = False           # answered, or given up by the worker


@dataclasses.dataclass
class Seen:
    """A batch as the workers saw it."""
    marker: str
    key: str
    attempts: list = dataclasses.field(default_factory=list)
    highest: int = 0


class Books:
    def __init__(self):
        self.postings = {}     # by marker
        self.accepted = {}     # marker, by batch id
        self.seen = {}         # Seen, by batch id
        self.unended = set()   # ids of batches not known to have ended
        self.problems = []
        self.totals = collections.Counter()

    def wrong(self, text):
        self.problems.append(text)

    def _rule(self, holds, text):
        if not holds:
            self.wrong(text)

    # --- clients ---------------------------------------------------------------------------------
    def posted(self, posting):
        self.postings[posting.marker] = posting

    def answered(self, posting, batch):
        """A 202, or another one for the same key."""
        self.totals["accepted"] += not posting.batch
        self._rule(bool(batch), f"a 202 without a batch for {posting.marker}")
        self._rule(posting.batch in ("", batch),
                   f"key {posting.key} is of batch {posting.batch} and of {batch}")
        self._rule(self.accepted.get(batch, posting.marker) == posting.marker,
                   f"batch {batch} is of {posting.marker} and of {self.accepted.get(batch)}")
        posting.batch = batch
        self.accepted[batch] = posting.marker
        self.unended.add(batch)

    # --- workers ---------------------------------------------------------------------------------
    def begun(self, batch, number, key, marker, connected):
        """An attempt's head has come. One whose weir is dead already may come behind one of the
        next weir: that is no order in which weir opened them."""
        self.totals["attempts"] += 1
        seen = self.seen.setdefault(batch, Seen(marker, key))
        attempt = Attempt(number, connected)
        posting = self.postings.get(marker)
        self._rule(posting is not None, f"batch {batch} has a marker that nobody sent: {marker}")
        self._rule(bool(key), f"batch {batch}, attempt {number}: no Idempotency-Key")
        self._rule(seen.key == key, f"batch {batch} came with key {seen.key} and with {key}")
        self._rule(seen.marker == marker, f"batch {batch} is {seen.marker} and {marker}")
        if posting and posting.key:
            self._rule(key == posting.key, f"batch {batch}: key {key}, not {posting.key}")
        self._rule(all(number != other.number for other in seen.attempts),
                   f"batch {batch}: attempt {number} came twice")
        if connected():
            self._in_order(batch, seen, attempt)
        else:
            self.totals["orphaned attempts"] += 1
        seen.attempts.append(attempt)
        seen.highest = max(seen.highest, number)
        return attempt

    def _in_order(self, batch, seen, attempt):
        self._rule(attempt.number > seen.highest,
                   f"batch {batch}: attempt {attempt.number} came behind {seen.highest}")
        for other in seen.attempts:
            self._rule(other.over or not other.connected(),
                       f"batch {batch}: attempts {other.number} and {attempt.number} at once")

    def ended(self, attempt):
        """To be told before the first byte of an answer."""
        attempt.over = True

    def body_was(self, batch, right):
        self._rule(right, f"batch {batch}: its body is not what was sent")

    # --- the end ---------------------------------------------------------------------------------
    def state_is(self, batch, state, result=""):
        """What weir says in the end; `result`: the body of the worker's answer."""
        self.unended.discard(batch)
        posting = self.postings[self.accepted[batch]]
        self.totals[state] += 1
        self._rule(state in ENDS, f"batch {batch} is {state}")
        if state == "succeeded":
            self._rule(result == posting.marker,
                       f"batch {batch}: result {result!r}, not {posting.marker}")
            self._rule(not posting.doomed, f"batch {batch} cannot succeed, but has")
        if state == "cancelled":
            self._rule(posting.cancelled, f"batch {batch} was cancelled by nobody")
        if state == "failed":
            seen = self.seen.get(batch)
            self._rule(seen is not None and len(seen.attempts) > 1,
                       f"batch {batch} failed without having been tried twice")
        posting.state = state

    def lost(self, batch, why):
        self.unended.discard(batch)
        self.wrong(f"batch {batch} is lost: {why}")

    def effects_are(self, effects):
        """Markers in the warehouse, each as often as it was loaded."""
        counted = collections.Counter(effects)
        for marker, times in counted.items():
            self._rule(marker in self.postings, f"an effect of nobody's: {marker}")
            self._rule(times == 1, f"{marker} took effect {times} times")
        for batch, marker in self.accepted.items():
            if self.postings[marker].state == "succeeded":
                self._rule(counted[marker] >= 1, f"batch {batch} succeeded without an effect")

    def idle(self):
        """No attempt is open any more."""
        for batch, seen in self.seen.items():
            for attempt in seen.attempts:
                self._rule(attempt.over or not attempt.connected(),
                           f"batch {batch} ended, but attempt {attempt.number} goes on")
