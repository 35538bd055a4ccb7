"""Rows of figures held against their limits, and the table they make."""

from statistics import median

DIGITS = {"s": 3, "x": 2, "MiB": 1, "": 0}
SHOWN_FAILURES = 10


def row(name, unit, values, limit=None, judge=None, middle=None, at_least=False) -> dict:
    """One line; `judge` picks the figure held against the limit, else it is the middle one."""
    middle = median(values) if middle is None else middle
    judged = judge(values) if judge else middle
    verdict = None
    if limit is not None:
        verdict = "PASS" if (judged >= limit if at_least else judged <= limit) else "MISS"
    return {"name": name, "unit": unit, "median": middle, "min": min(values), "max": max(values),
            "judged": judged, "limit": limit, "at_least": at_least, "verdict": verdict}


def missed(rows: list[dict]) -> bool:
    return any(line["verdict"] == "MISS" for line in rows)


def print_table(title: str, rows: list[dict], failures: list[str]) -> None:
    print(title)
    width = max(len(line["name"]) for line in rows) + 2
    print(f"{'':{width}}{'median':>10}{'min':>10}{'max':>10}{'limit':>12}")
    for line in rows:
        unit = line["unit"]
        figures = "".join(f"{_show(line[key], unit):>10}" for key in ("median", "min", "max"))
        limit = "" if line["limit"] is None else _limit(line)
        print(f"{line['name']:{width}}{figures}{limit:>12} {unit:4}{line['verdict'] or ''}".rstrip())
    for text in failures[:SHOWN_FAILURES]:
        print(f"  {text}")
    if len(failures) > SHOWN_FAILURES:
        print(f"  and {len(failures) - SHOWN_FAILURES} more")


def _limit(line: dict) -> str:
    return f"{'>=' if line['at_least'] else '<='} {_show(line['limit'], line['unit'])}"


def _show(value: float, unit: str) -> str:
    return f"{value:.{DIGITS[unit]}f}"
