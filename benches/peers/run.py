#!/usr/bin/env python3
"""vitalog beside its peers on the same generated logs: times, memory, answers. `make bench-peers` runs it.

Every tool runs in turn, each run with `wc -l` and vitalog on the same file right before it, so that a ratio is made from
neighbours and the median taken. Answers are compared with the generator's truth. Prints the table for README.md and the bars.

Settings, from the environment: VITALOG_BENCH_DIR (default target/bench), VITALOG_BENCH_SCALE (1 = 1 GiB; 0.0625 = a trial),
VITALOG_BENCH_ROUNDS (default 5), VITALOG_BENCH_ONLY (comma list of combined, json, uvicorn, packed, memory, growth, start).
VITALOG and VITALOG_GENERATE name binaries to take instead of building them: `target/release/vitalog` and its generator.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = "benches/peers"
DIR = os.environ.get("VITALOG_BENCH_DIR", "target/bench")
SCALE = float(os.environ.get("VITALOG_BENCH_SCALE", "1"))
ROUNDS = int(os.environ.get("VITALOG_BENCH_ROUNDS", "5"))
ONLY = [w for w in os.environ.get("VITALOG_BENCH_ONLY", "").split(",") if w]
PYTHON = ".venv-bench/bin/python"
VITALOG = os.environ.get("VITALOG", "target/release/vitalog")
GENERATE = os.environ.get("VITALOG_GENERATE", "target/release/examples/generate")
MICROSECONDS = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s'
MIB = 1 << 20


def size(mib):
    return max(1, int(mib * SCALE)) * MIB


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# ---- running one command ------------------------------------------------------------------------------------------

class Run:
    """One finished command: wall and CPU seconds, peak resident MiB of its largest process, what it printed."""

    def __init__(self, command):
        self.command = command
        out = os.path.join(DIR, "out")
        shell = isinstance(command, str)
        words = ["bash", "-c", "set -o pipefail; " + command] if shell else command
        # a process starts with the peak of whoever forked it, so a small one stands between
        words = ["/usr/bin/time", "-q", "-o", out + ".time", "-f", "%U %S %M", *words]
        with open(out, "wb") as file, open(out + ".err", "wb") as err:
            began = time.perf_counter()
            self.code = subprocess.run(words, stdout=file, stderr=err, stdin=subprocess.DEVNULL, check=False).returncode
            self.wall = time.perf_counter() - began
        user, system, peak = open(out + ".time").read().split()
        self.cpu, self.peak = float(user) + float(system), int(peak) / 1024
        self.output = open(out, errors="replace").read() if os.path.getsize(out) < 64 * MIB else ""
        self.error = open(out + ".err", errors="replace").read()


def query(tool, path):
    return [PYTHON, f"{HERE}/queries.py", tool, path]


def awk(path, at, timed):
    return ["mawk", "-v", f"at={at}", "-v", f"time={timed}", "-f", f"{HERE}/count.awk", path]


def goaccess(path):
    return ["goaccess", path, "--no-global-config", "--no-progress", "--date-format=%d/%b/%Y", "--time-format=%T",
            '--log-format=%h %^ %^ [%d:%t %^] "%r" %s %b "%R" "%u" %D', "-o", os.path.join(DIR, "goaccess.json")]


def vitalog(path, threads, form):
    words = [VITALOG, "analyze", path, "-o", "json", "--threads", str(threads)]
    return words + (["--format", MICROSECONDS] if form == "combined" else [])


# ---- answers ------------------------------------------------------------------------------------------------------

def shape(route):
    return re.sub(r"\{[^}]*\}", "{}", route)


def read_rows(run):
    """Answers of any tool as {(method, shape): (n, 4xx, 5xx, p50, p95, p99)}."""
    text = run.output
    rows = {}
    if text.startswith("[["):
        for method, route, *rest in json.loads(text):
            if route is not None:
                rows[method, shape(route)] = rest
    elif text.startswith("{"):
        for r in json.loads(text)["routes"]:
            q = r["latency_us"] or {}
            rows[r["method"], shape(r["route"])] = [r["requests"], r["classes"]["4xx"], r["classes"]["5xx"], q.get("p50"), q.get("p95"), q.get("p99")]
    else:
        for line in text.splitlines():
            method, route, n, c4, c5, _sum = line.split()
            rows[method, shape(route)] = [int(n), int(c4), int(c5), None, None, None]
    return rows


def judge(run, truth, slugs):
    """(counts exact, worst percentile error or None, words). `slugs`: the log names its routes, so these count too."""
    if run.code != 0:
        return False, None, f"exit {run.code}: {(run.error.strip().splitlines() or ['no message'])[-1][:120]}"
    if run.command[0] == "goaccess":
        general = json.load(open(os.path.join(DIR, "goaccess.json")))["general"]
        good = general["valid_requests"] == truth["requests"]
        return good, None, "total right; raw paths; no percentiles" if good else f"total {general['valid_requests']}"
    try:
        rows = read_rows(run)
    except (ValueError, KeyError, TypeError) as error:
        return False, None, f"no answer: {error}"
    wrong, checked, worst = [], 0, None
    for want in truth["routes"]:
        if want["route"] is None or ("{slug}" in want["route"] and not slugs):
            continue
        checked += 1
        got = rows.get((want["method"], shape(want["route"])))
        if got is None or got[:3] != [want["n"], want["4xx"], want["5xx"]]:
            wrong.append(f"{want['method']} {want['route']}")
        elif got[3] is not None:
            worst = max([worst or 0] + [abs(g - want[k]) / want[k] for g, k in zip(got[3:], ("p50", "p95", "p99"))])
    words = f"{checked} routes right" if not wrong else f"{len(wrong)} of {checked} routes wrong ({wrong[0]} …)"
    return not wrong, worst, words + ("; no percentiles" if worst is None else f"; percentiles within {worst:.2%}")


# ---- comparing ----------------------------------------------------------------------------------------------------

class Row:
    def __init__(self, name, command, ours=None):
        self.name, self.command, self.ours = name, command, ours
        self.runs, self.to_wc, self.to_ours = [], [], []

    def median(self, what):
        return statistics.median(getattr(r, what) for r in self.runs)


def compare(title, path, truth, rows, ours, slugs=False, pair=None):
    """Runs all rows in turn; fills their ratios to `wc -l` (or `pair`) and to vitalog's row `ours`."""
    say(f"== {title}: {path}, {os.path.getsize(path) / 1e6:.0f} MB, {ROUNDS} rounds of {len(rows)}")
    for turn in range(ROUNDS):
        for row in rows:
            base = Run(pair or ["wc", "-l", path])
            if row is not ours:
                # vitalog right before its peer
                near = Run(ours.command)
            row.runs.append(Run(row.command))
            row.to_wc.append(row.runs[-1].wall / base.wall)
            if row is not ours:
                row.to_ours.append(row.runs[-1].wall / near.wall)
        say(f"   round {turn + 1}: " + ", ".join(f"{r.name} {r.runs[-1].wall:.2f} s" for r in rows))
    megabytes = os.path.getsize(path) / 1e6
    lines = [f"**{title}**", "", "| tool | wall s | MB/s | CPU s | peak MiB | wall / `wc -l` | slower than vitalog | answers |", "|-|-|-|-|-|-|-|-|"]
    for row in rows:
        row.good, row.worst, words = judge(row.runs[-1], truth, slugs)
        ratio = f"{statistics.median(row.to_ours):.1f} ×" if row.to_ours else "1"
        lines.append(f"| {row.name} | {row.median('wall'):.2f} | {megabytes / row.median('wall'):.0f} | {row.median('cpu'):.2f} | {row.median('peak'):.0f} "
                     f"| {statistics.median(row.to_wc):.1f} | {ratio} | {words} |")
    print("\n".join(lines), "\n", flush=True)
    return {row.name: row for row in rows}


BARS = []


def bar(what, value, limit, at_most=True, unit="×"):
    good = value is not None and (value <= limit if at_most else value >= limit)
    shown = "no answer" if value is None else f"{value:.2f} {unit}"
    what = what.replace("|", "\\|")
    BARS.append((good, f"| {what} | {shown} | {'at most' if at_most else 'at least'} {limit:g} {unit} | {'pass' if good else '**fail**'} |"))


def bar_answers(what, row):
    bar(f"{what}: routes with wrong counts", 0 if row.good else 1, 0, unit="")
    if row.worst is not None:
        bar(f"{what}: worst percentile error", row.worst * 100, 0.1, unit="%")


def slower(row, ours):
    """How many times as long the peer takes; nothing where either answer is wrong."""
    return statistics.median(row.to_ours) if row.good and ours.good else None


def of_wc(row):
    return statistics.median(row.to_wc) if row.good else None


# ---- inputs -------------------------------------------------------------------------------------------------------

def make(form, mib):
    """The path of the generated log and its truth; made once."""
    bytes_ = size(mib)
    path = os.path.join(DIR, f"{form}-{bytes_ // MIB}M.log")
    if not os.path.exists(path + ".truth"):
        subprocess.run([GENERATE, form, str(bytes_), path, "--truth", path + ".truth.part"], check=True)
        os.replace(path + ".truth.part", path + ".truth")
    with open(path, "rb") as file:                     # into the page cache
        while file.read(8 * MIB):
            pass
    return path, json.load(open(path + ".truth"))


def wanted(part):
    return not ONLY or part in ONLY


def combined():
    path, truth = make("combined", 1024)
    ours = Row("vitalog, 2 threads", vitalog(path, 2, "combined"))
    rows = [ours, Row("vitalog, 1 thread", vitalog(path, 1, "combined")),
            Row("ClickHouse, split at blanks", query("clickhouse_combined", path)), Row("Polars, streaming", query("polars_combined", path)),
            Row("DuckDB `read_csv`, approximate", query("duckdb_combined_approx", path)), Row("DuckDB `read_csv`, exact", query("duckdb_combined", path)),
            Row("mawk, counts and mean", awk(path, 6, 1))]
    done = compare(f"Combined with microseconds, {size(1024) // MIB} MiB", path, truth, rows, ours)
    bar("combined, 2 threads / `wc -l`", of_wc(ours), 3.0)
    bar("combined, 1 thread / `wc -l`", of_wc(done["vitalog, 1 thread"]), 5.5)
    bar("ClickHouse / vitalog", slower(done["ClickHouse, split at blanks"], ours), 3.5, False)
    bar("DuckDB exact / vitalog", slower(done["DuckDB `read_csv`, exact"], ours), 10, False)
    bar_answers("combined", ours)

    path, truth = make("combined", 128)
    ours = Row("vitalog, 2 threads", vitalog(path, 2, "combined"))
    rows = [ours, Row("Python `re` + numpy", query("python_combined", path)), Row("GoAccess", goaccess(path))]
    done = compare(f"Combined with microseconds, the slow tools, {size(128) // MIB} MiB", path, truth, rows, ours)
    bar("GoAccess / vitalog", slower(done["GoAccess"], ours), 150, False)


def json_lines():
    path, truth = make("json", 1024)
    ours = Row("vitalog, 2 threads", vitalog(path, 2, "json"))
    one = Row("vitalog, 1 thread", vitalog(path, 1, "json"))
    only = path + ".only"
    rows = [ours, one, Row("DuckDB `read_json`, exact", query("duckdb_json", path)), Row("ClickHouse `JSONEachRow`", query("clickhouse_json", path)),
            Row("Polars after `grep '^{'`", f"LC_ALL=C grep '^{{' {shlex.quote(path)} > {shlex.quote(only)}; {shlex.join(query('polars_json', only))}")]
    done = compare(f"JSON lines, {size(1024) // MIB} MiB", path, truth, rows, ours, slugs=True)
    bar("DuckDB JSON exact / vitalog", slower(done["DuckDB `read_json`, exact"], ours), 3, False)
    bar_answers("json", ours)
    path, truth = make("json", 128)
    ours = Row("vitalog, 1 thread", vitalog(path, 1, "json"))
    done = compare(f"JSON lines, {size(128) // MIB} MiB", path, truth, [ours, Row("Python + orjson + numpy", query("python_json", path))], ours, slugs=True)
    bar("Python + orjson / vitalog, 1 thread", slower(done["Python + orjson + numpy"], ours), 8, False)


def uvicorn():
    path, truth = make("uvicorn", 512)
    ours = Row("vitalog, 2 threads", vitalog(path, 2, "uvicorn"))
    rows = [ours, Row("ClickHouse, split at blanks", query("clickhouse_uvicorn", path)), Row("mawk", awk(path, 4, 0)),
            Row("DuckDB, regexp", query("duckdb_uvicorn", path))]
    compare(f"uvicorn's default line, {size(512) // MIB} MiB (counts only: it holds no latency)", path, truth, rows, ours)
    bar("uvicorn, 2 threads / `wc -l`", of_wc(ours), 4)
    bar_answers("uvicorn", ours)


def packed():
    path, truth = make("combined", 1024)
    for suffix, pack, unpack, limit in ((".gz", "gzip -6 -k -f", "zcat", 0.40), (".zst", "zstd -3 -q -k -f", "zstd -dc", 1.0)):
        if not os.path.exists(path + suffix):
            subprocess.run(f"{pack} {shlex.quote(path)}", shell=True, check=True)
        ours = Row("vitalog", vitalog(path + suffix, 2, "combined"))
        compare(f"The same as {suffix}, beside `{unpack} | wc -l`", path + suffix, truth, [ours], ours, pair=f"{unpack} {shlex.quote(path + suffix)} | wc -l")
        bar(f"{suffix} / `{unpack} | wc -l`", of_wc(ours), limit)
        bar_answers(suffix, ours)


def memory():
    peaks = []
    for mib in (128, 1024):
        path, _ = make("combined", mib)
        runs = [Run(vitalog(path, 2, "combined")) for _ in range(ROUNDS)]
        good = all(r.code == 0 and r.output for r in runs)
        peaks.append(statistics.median(r.peak for r in runs) if good else None)
    bar(f"peak memory, {size(1024) // MIB} MiB", peaks[1], 64, unit="MiB")
    bar(f"peak memory, {size(1024) // MIB} against {size(128) // MIB} MiB", peaks[1] and peaks[0] and peaks[1] / peaks[0], 1.1)


def growth():
    """Read from a pipe: time for each GiB must not grow, and every request is counted. All sizes in turn, medians."""
    sizes = (1, 2, 4, 8)
    ours = shlex.join(vitalog("-", 2, "combined"))
    truths = {}
    for gib in sizes:
        # the truth takes memory for every request: it is made beforehand
        truth = os.path.join(DIR, "growth.truth")
        subprocess.run(f"{GENERATE} combined {size(1024 * gib)} - --truth {shlex.quote(truth)} > /dev/null", shell=True, check=True)
        truths[gib] = json.load(open(truth))["requests"]
    times = {gib: [] for gib in sizes}
    for _ in range(ROUNDS):
        for gib in sizes:
            run = Run(f"{GENERATE} combined {size(1024 * gib)} - | {ours}")
            counted = json.loads(run.output)["input"]["requests"] if run.code == 0 and run.output else None
            good = counted == truths[gib]
            times[gib].append(run.wall / gib if good else None)
            say(f"== growth: {gib} GiB (scaled) {run.wall:.2f} s, peak {run.peak:.0f} MiB, {counted} requests, {'right' if good else 'WRONG'}")
    medians = [None if None in times[gib] else statistics.median(times[gib]) for gib in sizes]
    spread = None if None in medians else (max(medians) / min(medians) - 1) * 100
    bar("growth 1, 2, 4, 8 GiB, spread of the time for each", spread, 5, unit="%")


def start():
    path, _ = make("combined", 10 / SCALE)
    median = lambda words: (lambda runs: statistics.median(r.wall for r in runs) * 1000 if all(r.code == 0 and r.output for r in runs) else None)([Run(words) for _ in range(21)])
    bar("a 10 MiB log", median(vitalog(path, 2, "combined")), 40, unit="ms")
    bar("`--version`", median([VITALOG, "--version"]), 5, unit="ms")
    bar("the binary", os.path.getsize(VITALOG) / MIB, 15, unit="MiB")


def prepare():
    """Debian's packages, PyPI's packages, our two binaries."""
    missing = [tool for tool in ("goaccess", "mawk", "zstd", "time") if not shutil.which(tool)]
    if missing:
        subprocess.run("apt-get update -q && apt-get install -y -q " + " ".join(missing), shell=True, check=True, stdout=sys.stderr)
    wants = open(f"{HERE}/requirements.txt").read()
    mark = ".venv-bench/installed"
    if not os.path.exists(mark) or open(mark).read() != wants:
        subprocess.run([sys.executable, "-m", "venv", ".venv-bench"], check=True)
        subprocess.run([".venv-bench/bin/pip", "-q", "install", "-r", f"{HERE}/requirements.txt"], check=True)
        open(mark, "w").write(wants)
    given = ("VITALOG", "VITALOG_GENERATE")
    if not all(name in os.environ for name in given):
        subprocess.run(["cargo", "build", "--release", "-q", "--bin", "vitalog", "--example", "generate"], check=True)
    os.makedirs(DIR, exist_ok=True)


def versions():
    first = lambda words: (subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip().splitlines() or ["?"])[0]
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    packages = ", ".join(line.replace("==", " ") for line in open(f"{HERE}/requirements.txt").read().split())
    return (f"{cpu.group(1) if cpu else 'unknown CPU'}, {os.cpu_count()} cores, Linux {os.uname().release}; {first([VITALOG, '--version'])}, "
            f"{first(['goaccess', '--version']).replace(' -', '').rstrip('.')}, {first(['mawk', '-W', 'version'])}, {packages}, Python {sys.version.split()[0]}. "
            f"Median of {ROUNDS}, inputs in the page cache; ratios are medians of neighbouring runs; MB = 10^6 bytes.")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    os.chdir(ROOT)
    prepare()
    for name, part in (("combined", combined), ("json", json_lines), ("uvicorn", uvicorn), ("packed", packed), ("memory", memory), ("growth", growth), ("start", start)):
        if wanted(name):
            part()
    print("**Bars**", "", "| what | measured | bar | |", "|-|-|-|-|", *(text for _, text in BARS), "", versions(), sep="\n")
    failed = sum(not good for good, _ in BARS)
    print(f"\n{len(BARS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
