"""Durable batches survive kill -9: a few rounds of loadtests/crash.py, which runs hundreds; and
each rule of its books fails when it is broken.
"""

import os
import random
import sys
import unittest

from harness import HEAVY, SLOW, SOURCE, WeirCase

sys.path.insert(0, os.path.join(SOURCE, "loadtests"))

# pylint: disable=wrong-import-position
import crash
import crash_books
import crash_worker

ROUNDS = 60 if HEAVY else 12
PATIENCE = 300 if HEAVY else 12 * SLOW  # seconds after which no further round begins


class CrashTest(WeirCase):
    async def test_what_was_accepted_survives_every_kill(self):
        seed = random.randrange(1 << 31)
        books = await crash.run(self.folder, seed, ROUNDS, every=6, patience=PATIENCE)
        told = f"seed {seed}, {dict(books.totals)}\n" + "\n".join(books.problems[:20])
        self.assertFalse(books.problems, told)
        for name in ("accepted", "attempts", "succeeded"):
            self.assertGreater(books.totals[name], 0, told)


class WarehouseTest(unittest.TestCase):
    def setUp(self):
        self.warehouse = crash_worker.Warehouse(":memory:")
        self.addCleanup(self.warehouse.close)

    def test_a_key_takes_effect_once(self):
        for batch in ("b1", "b2"):
            self.warehouse.claim(batch, 1)
            self.assertTrue(self.warehouse.load(batch, 1, "k", "m"))
        self.assertEqual(self.warehouse.effects(), ["m"])

    def test_a_later_attempt_fences_off_the_ones_before(self):
        for attempt in (1, 3, 2):
            self.warehouse.claim("b", attempt)
        self.assertFalse(self.warehouse.load("b", 2, "k", "m"))
        self.assertEqual(self.warehouse.effects(), [])
        self.assertTrue(self.warehouse.load("b", 3, "k", "m"))
        self.assertEqual(self.warehouse.effects(), ["m"])

    def test_an_effect_under_another_key_shows(self):
        self.warehouse.claim("b", 1)
        for key in ("k1", "k2"):
            self.warehouse.load("b", 1, key, "m")
        self.assertEqual(self.warehouse.effects(), ["m", "m"])


def attempt(books, number=1, batch="b", key="k", marker="m", connected=True):
    return books.begun(batch, number, key, marker, lambda: connected)


def good(books):
    """Posted, accepted, failed once, succeeded."""
    posting = crash_books.Posting("m", key="k")
    books.posted(posting)
    books.answered(posting, "b")
    for number in (1, 2):
        books.ended(attempt(books, number))
    books.state_is("b", "succeeded", "m")
    books.effects_are(["m"])
    books.idle()
    return posting


# What is wrong: what is done to good books, and what they say then.
WRONG = [
    ("a key of two batches", lambda b, p: b.answered(p, "c"), "is of batch b and of c"),
    ("a batch of two postings", lambda b, _: b.answered(crash_books.Posting("n"), "b"), "is of n"),
    ("a 202 that names none", lambda b, p: b.answered(p, ""), "without a batch"),
    ("two at once", lambda b, _: (attempt(b, 3), attempt(b, 4)), "attempts 3 and 4 at once"),
    ("a number behind a higher one", lambda b, _: (b.ended(attempt(b, 5)), attempt(b, 3)),
     "attempt 3 came behind 5"),
    ("a number twice", lambda b, _: attempt(b, 2, connected=False), "attempt 2 came twice"),
    ("no key", lambda b, _: attempt(b, 3, key=""), "no Idempotency-Key"),
    ("a key that changes", lambda b, _: attempt(b, 3, key="x"), "with key k and with x"),
    ("another key than the client's", lambda b, _: attempt(b, batch="c", key="x"), "not k"),
    ("a marker that changes", lambda b, _: attempt(b, 3, marker="n"), "is m and n"),
    ("a marker from nowhere", lambda b, _: attempt(b, batch="c", marker="n"), "nobody sent: n"),
    ("a damaged body", lambda b, _: b.body_was("b", False), "not what was sent"),
    ("a batch that is not known", lambda b, _: b.lost("b", "404"), "is lost: 404"),
    ("a batch without an end", lambda b, _: b.state_is("b", "queued"), "is queued"),
    ("a result of another", lambda b, _: b.state_is("b", "succeeded", "n"), "result 'n'"),
    ("a cancel that nobody asked for", lambda b, _: b.state_is("b", "cancelled"), "by nobody"),
    ("two effects", lambda b, _: b.effects_are(["m", "m"]), "took effect 2 times"),
    ("no effect", lambda b, _: b.effects_are([]), "without an effect"),
    ("an effect of nobody's", lambda b, _: b.effects_are(["m", "n"]), "nobody's: n"),
    ("an attempt that goes on", lambda b, _: (attempt(b, 3), b.idle()), "attempt 3 goes on"),
]


class BooksTest(unittest.TestCase):
    def setUp(self):
        self.books = crash_books.Books()
        self.posting = good(self.books)

    def test_good_books_have_no_faults(self):
        self.assertEqual(self.books.problems, [])
        self.assertEqual(self.books.totals, {"accepted": 1, "attempts": 2, "succeeded": 1})
        self.assertFalse(self.books.unended)

    def test_each_rule_sees_its_fault(self):
        for name, spoil, said in WRONG:
            with self.subTest(name):
                self.setUp()
                spoil(self.books, self.posting)
                self.assertRegex("\n".join(self.books.problems), said)

    def test_a_batch_that_cannot_succeed_must_fail_after_some_tries(self):
        self.posting.doomed = True
        self.books.state_is("b", "failed")
        self.assertEqual(self.books.problems, [])
        self.books.state_is("b", "succeeded", "m")
        self.assertRegex(self.books.problems.pop(), "cannot succeed")
        del self.books.seen["b"].attempts[1]
        self.books.state_is("b", "failed")
        self.assertRegex(self.books.problems.pop(), "without having been tried twice")

    def test_what_a_killed_weir_left_is_no_attempt_of_the_next_one(self):
        there = [True]
        self.books.begun("b", 3, "k", "m", lambda: there[0])
        there[0] = False
        attempt(self.books, 5)
        attempt(self.books, 4, connected=False)
        self.assertEqual(self.books.problems, [])
        self.assertEqual(self.books.totals["orphaned attempts"], 1)

    def test_a_cancelled_batch_may_have_had_its_effect(self):
        self.posting.cancelled = True
        for effects in ([], ["m"]):
            self.books.state_is("b", "cancelled")
            self.books.effects_are(effects)
        self.assertEqual(self.books.problems, [])


if __name__ == "__main__":
    unittest.main()
