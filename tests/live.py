#!/usr/bin/env python3
"""A live run under a writer that rotates its log in every way, killed again and again: exact counts at the end.

    live.py [--seconds N] [--rate N] [--kills N] [--seed N] [--mode watch|poll] [--format FORM] [--plan PLAN|all|junk]

Starts tests/chaos/writer.py on a log, follows it with the release binary, and kills that with SIGKILL at random moments; each
time it is started again on the same state. At the end its report must name every route and status as often as the writer wrote
them, and lines read must be the sum of their kinds. Prints what was measured, ends with 1 where anything differs.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.environ.get("VITALOG", os.path.join(HERE, "..", "target", "release", "vitalog")))


# Lines that are none, or look like others; beside them rotations and half lines.
JUNK = ("*1.5s+0.5:giant:3000000; *1.5s+0.7:badutf8; *1s+0.3:nul:5000; *2s+0.9:torn; *1s+0.6:forged; *1.3s+0.1:crlf; "
        "*2s+1.1:ansi; *1s+0.2:blank; *3s+1.9:rename; *3s+0.4:partial:0.2")


class Tail:
    """One life of the follower after the other, on one state."""

    def __init__(self, folder, mode):
        self.folder, self.mode, self.lives, self.port = folder, mode, 0, None
        self.errors = open(os.path.join(folder, "stderr"), "ab")
        self.process = None

    def start(self):
        args = [BINARY, "tail", "app.log", "--from-start", "--state", "state.db", "--listen", "127.0.0.1:0", "--every", "5s"]
        args += ["--poll"] if self.mode == "poll" else []
        self.seen = os.path.getsize(self.errors.name)
        self.process = subprocess.Popen(args, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=self.errors)
        self.lives += 1

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def address(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(self.errors.name, "rb") as f:
                f.seek(self.seen)
                found = re.search(rb"listening on (http://\S+)", f.read())
            if found:
                return found[1].decode()
            if self.process.poll() is not None:
                raise SystemExit(f"vitalog ended with {self.process.returncode}")
            time.sleep(0.02)
        raise SystemExit("vitalog does not listen")

    def report(self):
        with urllib.request.urlopen(self.address() + "/api/report", timeout=20) as answer:
            return json.load(answer)

    def caught_up(self, lines, most):
        """The report, once it holds so many lines, or stands still for two seconds."""
        deadline, last, since = time.monotonic() + most, None, time.monotonic()
        while time.monotonic() < deadline:
            report = self.report()
            now = report["input"]["lines"]
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > (0.5 if now >= lines else 6):
                break
            time.sleep(0.2)
        return report


def counts(report):
    found = collections.Counter()
    for route in report["routes"]:
        for status, n in route["status"].items():
            found[f"{route['method']} {route['route']} {status}"] += n
    return found


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("watch", "poll"), default="watch")
    parser.add_argument("--format", default="json")
    parser.add_argument("--plan", default="all")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        tail = Tail(folder, args.mode)
        tail.start()
        writer = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "chaos", "writer.py"), "app.log", "--truth", "truth.json",
             "--plan", JUNK if args.plan == "junk" else args.plan,
             "--format", args.format, "--rate", str(args.rate), "--seconds", str(args.seconds), "--seed", str(args.seed)],
            cwd=folder, stdout=subprocess.DEVNULL)
        moments = sorted(chance.uniform(0.5, args.seconds) for _ in range(args.kills))
        begun, peak = time.monotonic(), 0
        for moment in moments:
            wait = begun + moment - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            peak = max(peak, rss_kib(tail.process.pid))
            tail.kill()
            tail.start()
        if writer.wait(timeout=args.seconds + 120) != 0:
            raise SystemExit("the writer failed")
        truth = json.load(open(os.path.join(folder, "truth.json")))
        report = tail.caught_up(truth["lines"], 60)
        peak = max(peak, rss_kib(tail.process.pid))
        tail.process.send_signal(signal.SIGTERM)
        ended = tail.process.wait(timeout=10)
        errors = open(tail.errors.name, encoding="utf8", errors="replace").read()
    wanted = collections.Counter(truth["requests"])
    found = counts(report)
    problems = [f"{key}: written {wanted[key]}, counted {found[key]}" for key in sorted(wanted | found) if wanted[key] != found[key]]
    read = report["input"]
    kinds = sum(read[k] for k in ("requests", "companion", "lifecycle", "traceback", "message", "malformed"))
    if kinds != read["lines"]:
        problems.append(f"{read['lines']} lines, but their kinds add up to {kinds}")
    if ended != 0:
        problems.append(f"SIGTERM ended it with {ended}")
    if "panicked" in errors:
        problems.append("it panicked")
    for line in problems[:20]:
        print("  " + line)
    print(f"live ({args.mode}, {args.format}): {sum(wanted.values())} requests written, {sum(found.values())} counted, "
          f"{tail.lives - 1} kills, lost {read['lost_bytes']} bytes, peak {peak / 1024:.1f} MiB")
    if problems:
        print(errors[-3000:])
    print(f"{1 if not problems else 0} passed, {1 if problems else 0} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
