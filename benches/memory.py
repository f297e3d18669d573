#!/usr/bin/env python3
"""Peak memory of `vitalog analyze` on logs that would fill it, and the bounds it keeps.

    benches/memory.py [SIZE]        SIZE of the first log, 1G unless given (K, M, G)

Needs `cargo build --release --bin vitalog --example generate`. Makes its logs in a temporary folder (twice SIZE is free there), prints a
row for each and exits 1 where one is over its bound. The bounds are of the largest log; a smaller SIZE has the same.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VITALOG = os.path.join(ROOT, "target", "release", "vitalog")
GENERATE = os.path.join(ROOT, "target", "release", "examples", "generate")
MIB = 1 << 20


def peak(*arguments):
    """Peak resident bytes, seconds, and the report."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([VITALOG, "analyze", "-o", "json", *arguments], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        report = json.load(out) if child.returncode == 0 else None
    return usage.ru_maxrss * 1024, time.monotonic() - began, report


def distinct(path, lines):
    """Requests to as many paths as lines: words nobody can learn, all answered, in a combined log."""
    draw = random.Random(1)
    with open(path, "w") as log:
        for n in range(lines):
            word = "".join(draw.choices("bcdfghklmnprstvz", k=3)) + "aeiou"[n % 5] + "".join(draw.choices("bcdfghklmnprstvz", k=4))
            status = 200 if n % 3 else 404
            stamp = f"17/Nov/2026:{n // 60_000:02}:{n // 1000 % 60:02}:{n // 17 % 60:02} +0000"
            log.write(f'10.0.0.1 - - [{stamp}] "GET /{word}/{n % 97}x{word[::-1]} HTTP/1.1" {status} 12 "-" "-" 0.00{n % 9}1\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", metavar="SIZE", nargs="?", default="1G", help="of each log: K, M, G [default: 1G]")
    size = parser.parse_args().size
    over = False
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "app.log")
        for form in ("combined", "json", "uvicorn", "paths"):
            if form == "paths":
                distinct(log, 1_000_000)
                what, bound, most = "1,000,000 distinct paths", 256 * MIB, 1_000_000
            else:
                subprocess.run([GENERATE, form, size, log], check=True)
                what, bound, most = f"{size} of {form}, 60 routes, six days", 64 * MIB, None
            for threads in ("1", "2"):
                options = ["--format", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\" %(D)s"] if form == "combined" else []
                resident, seconds, report = peak(log, "--threads", threads, *options)
                if report is None or most not in (None, report["input"]["requests"]):
                    sys.exit(f"{what}: no report, or not every request in it")
                bad = resident > bound
                over |= bad
                print(f"{what}, {threads} thread{'s' if threads > '1' else ''}: {resident / MIB:.1f} MiB of {bound // MIB} in {seconds:.1f} s"
                      f", {report['input']['requests']} requests, {len(report['routes'])} routes{'  OVER' if bad else ''}", flush=True)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
