"""The statistics of `vitalog compare`, by scipy.

Makes 200 random tables, 200 random pairs of samples and 40 lists of p values from a fixed seed, and asks scipy about
them. `expected.json` holds its answers, which `tests/integration/statistics.rs` holds against vitalog's own.

    twin.py            compares scipy's answers of today with the file: exit 1 where they differ by more than 1e-9
    twin.py --write    writes the file
"""

import json
import math
import pathlib
import random
import sys

from scipy.stats import chi2_contingency, false_discovery_control, fisher_exact, mannwhitneyu

FILE = pathlib.Path(__file__).with_name("expected.json")
ROUNDS = 200


def tables(draw):
    """[with before, all before, with after, all after, exact p, score p]: from a handful of requests to millions."""
    for _ in range(ROUNDS):
        before, after = (int(10 ** draw.uniform(0.3, 6.3)) for _ in range(2))
        share = 10 ** draw.uniform(-4, -0.05)
        shift = draw.choice([1.0, 1.0, 1.2, 2.0, 5.0])
        a = min(before, int(before * share + draw.gauss(0, 1) * math.sqrt(before * share)) if before * share > 9 else draw.randint(0, 9))
        b = min(after, int(after * min(share * shift, 1.0)) if after * share > 9 else draw.randint(0, 9))
        a, b = max(a, 0), max(b, 0)
        grid = [[a, before - a], [b, after - b]]
        exact = float(fisher_exact(grid).pvalue)
        possible = 0 < a + b < before + after
        score = float(chi2_contingency(grid, correction=False).pvalue) if possible else 1.0
        yield [a, before, b, after, exact, score]


def samples(draw):
    """[buckets before, buckets after, U of the side after, p]: few and many values, few and many ties."""
    for _ in range(ROUNDS):
        wide = draw.choice([1, 3, 20, 400])
        sides = []
        shift = draw.choice([0.0, 0.0, 0.1, 0.3, 1.0])
        for moved in (0.0, shift):
            values = [math.exp(draw.gauss(moved, 0.5)) * wide for _ in range(draw.randint(20, 120))]
            counts = {}
            for value in values:
                bucket = min(int(value), 60_000)
                counts[bucket] = counts.get(bucket, 0) + draw.choice([1, 1, 1, 2, 40])
            sides.append(sorted(counts.items()))
        plain = [[bucket for bucket, n in side for _ in range(n)] for side in sides]
        answer = mannwhitneyu(plain[1], plain[0], alternative="two-sided", method="asymptotic", use_continuity=True)
        p = 1.0 if math.isnan(answer.pvalue) else float(answer.pvalue)
        yield [*sides, float(answer.statistic), p]


def lists(draw):
    """[p values, adjusted ones]."""
    for _ in range(40):
        p = [10 ** draw.uniform(-6, 0) for _ in range(draw.randint(1, 30))]
        p += [draw.choice(p) for _ in range(draw.randint(0, 3))]
        yield [p, [float(q) for q in false_discovery_control(p, method="bh")]]


def answers():
    draw = random.Random(20_261_123)
    return {"tables": list(tables(draw)), "samples": list(samples(draw)), "lists": list(lists(draw))}


def near(a, b):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(near(x, y) for x, y in zip(a, b))
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-300)


def main():
    found = answers()
    if "--write" in sys.argv:
        rows = [f'"{key}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in found[key]) + "\n]" for key in found]
        FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
        return
    kept = json.loads(FILE.read_text())
    wrong = [f"{key}[{at}]" for key in found for at, (a, b) in enumerate(zip(found[key], kept[key], strict=True)) if not near(a, b)]
    if wrong:
        sys.exit(f"twin: scipy says otherwise than {FILE.name}: {', '.join(wrong[:10])}")
    print(f"twin: {FILE.name} is what scipy says ({', '.join(f'{len(found[key])} {key}' for key in found)})")


if __name__ == "__main__":
    main()
