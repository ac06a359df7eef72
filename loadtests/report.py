"""From rounds to a table: medians of the ratios round by round, bars, verdicts, JSON."""

import dataclasses
import statistics

from rows import UNITS

SUBJECT = "weir"


@dataclasses.dataclass
class Verdict:
    text: str
    value: float
    passed: bool


def values(rounds, variant, metric):
    """The metric of every round in which the variant was measured."""
    return [one[variant][metric] for one in rounds if variant in one and metric in one[variant]]


def ratio(rounds, metric, subject, reference):
    """Median over the rounds of subject / reference; None without a round that has both."""
    both = [one[subject][metric] / one[reference][metric] for one in rounds
            if subject in one and reference in one and one[reference][metric]]
    return statistics.median(both) if both else None


def judge(bar, rounds):
    """None when the round lacks what the bar is about."""
    if bar.reference:
        value = ratio(rounds, bar.metric, bar.subject, bar.reference)
        name = f"{bar.subject}/{bar.reference}"
    else:
        own = values(rounds, bar.subject, bar.metric)
        value = statistics.median(own) if own else None
        name = bar.subject
    if value is None:
        return None
    passed = value >= bar.limit if bar.at_least else value <= bar.limit
    sign = "≥" if bar.at_least else "≤"
    return Verdict(f"{UNITS[bar.metric]} {name} {value:.3g} {sign} {bar.limit:.4g}", value, passed)


def summary_of(row, rounds):
    """Medians by variant and metric, ratios to every other variant, and the bars."""
    names = [v.name for v in row.variants]
    medians = {name: {m: statistics.median(values(rounds, name, m))
                      for m in sorted({k for one in rounds if name in one for k in one[name]})}
               for name in names}
    ratios = {m: {name: ratio(rounds, m, SUBJECT, name) for name in names if name != SUBJECT}
              for m in row.metrics}
    verdicts = [v for v in (judge(bar, rounds) for bar in row.bars) if v]
    return {"title": row.title, "medians": medians, "ratios": ratios,
            "bars": [dataclasses.asdict(v) for v in verdicts], "rounds": rounds}


def number(value):
    return "–" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def lines_of(row, summary):
    """The row as text: one line a metric with weir's median and its ratio to each of the others."""
    yield f"{row.name}: {row.title}"
    for metric in row.metrics:
        own = summary["medians"].get(SUBJECT, {}).get(metric)
        others = "  ".join(f"/{name} {number(value)}"
                           for name, value in summary["ratios"][metric].items()
                           if value is not None)
        yield f"  {UNITS[metric]:16} {number(own):>10}   {others}"
    for bar in summary["bars"]:
        yield f"  {'pass' if bar['passed'] else 'MISS'}  {bar['text']}"


def markdown(summaries):
    """The bars of all rows as a table for README.md: ratios, no absolute times."""
    yield "| row | bar | measured | |"
    yield "|---|---|---|---|"
    for name, summary in summaries.items():
        for bar in summary["bars"]:
            what, _, limit = bar["text"].rpartition(" ")
            what, _, sign = what.rpartition(" ")
            what, _, value = what.rpartition(" ")
            verdict = "pass" if bar["passed"] else "**miss**"
            yield f"| {name} | {what} {sign} {limit} | {value} | {verdict} |"
