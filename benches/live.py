#!/usr/bin/env python3
"""What following costs: 100,000 lines a second for a minute, in JSON and in combined form, and a hundred quiet files.

    live.py [--seconds N] [--rate N] [--idle-seconds N]

Runs the release binary (or $VITALOG) with a state and a server. A writer of its own process appends a tenth of a second's
lines at a time over 60 routes, each block stamped with the present, and renames the log every ten seconds. Printed are the
processor seconds used, the largest backlog as seconds of writing, how old the newest count in /metrics is, and the peak memory.
Ends with 1 where a bound is missed: one core, one second, 64 MiB; half a percent of a core when idle.
"""
import argparse
import bisect
import datetime
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VITALOG = os.path.abspath(os.environ.get("VITALOG", os.path.join(ROOT, "target", "release", "vitalog")))
TICK = os.sysconf("SC_CLK_TCK")
WORDS = ("orders", "items", "users", "carts", "search", "invoices", "stock", "prices", "mail", "reports")
STAMPS = {
    "json": (b"2026-01-01T00:00:00.000Z", lambda now: now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"),
    "combined": (b"01/Jan/2026:00:00:00 +0000", lambda now: now.strftime("%d/%b/%Y:%H:%M:%S +0000")),
}


def block(form, lines):
    """Lines of 60 routes, 1 % of them errors, with a stamp to be replaced."""
    stamp = STAMPS[form][0].decode()
    out = []
    for n in range(lines):
        route = n * 7919 % 60
        path = f"/api/v{route // 10}/{WORDS[route % 10]}/{n * 31 % 9973}"
        method, status = ("GET", "POST", "PUT")[route % 3], 500 if n % 100 == 7 else 404 if n % 50 == 3 else 200
        ms = 1 + n * 37 % 400
        if form == "json":
            out.append(f'{{"time":"{stamp}","level":"info","method":"{method}","path":"{path}","status":{status},"duration_ms":{ms}}}\n')
        else:
            out.append(f'10.0.{n % 256}.{n % 199} - - [{stamp}] "{method} {path}?page={n % 9} HTTP/1.1" {status} {n % 5000} "-" "curl/8.5" {ms * 1000}\n')
    return "".join(out).encode()


def write(form, log, rate, seconds, told):
    """Tells (time, lines written so far, bytes so far) after each block."""
    lines = rate // 10
    text, (old, stamp) = block(form, lines), STAMPS[form]
    begun, written, sent, file = time.monotonic(), 0, 0, open(log, "ab", buffering=0)
    for turn in range(seconds * 10):
        wait = begun + turn / 10 - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if turn % 100 == 99:
            os.rename(log, log + ".1")
            file.close()
            file = open(log, "ab", buffering=0)
        data = text.replace(old, stamp(datetime.datetime.now(datetime.timezone.utc)).encode())
        file.write(data)
        written, sent = written + lines, sent + len(data)
        told.send((time.monotonic(), written, sent))
    told.send(None)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf8") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024


class Tail:
    def __init__(self, folder, *arguments):
        self.errors = os.path.join(folder, "stderr")
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [VITALOG, "tail", *arguments, "--state", "state.db", "--listen", "127.0.0.1:0"], cwd=folder,
                stdout=subprocess.DEVNULL, stderr=errors)
        while not (found := re.search(r"listening on (http://\S+)", open(self.errors, encoding="utf8").read())):
            time.sleep(0.05)
        self.url = found[1]

    def metrics(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            return answer.read().decode()

    def figures(self):
        """Requests counted, and bytes unread."""
        page = self.metrics()
        counted = re.search(r'vitalog_input_lines_total\{[^}]*kind="request"[^}]*\} (\d+)', page)
        lag = re.search(r"vitalog_input_lag_bytes\{[^}]*\} (\d+)", page)
        return int(counted[1]) if counted else 0, int(lag[1]) if lag else 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def busy(form, rate, seconds):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "app.log")
        open(log, "wb").close()
        tail = Tail(folder, "app.log")
        pid = tail.process.pid
        hears, told = multiprocessing.Pipe(duplex=False)
        writer = multiprocessing.Process(target=write, args=(form, log, rate, seconds, told))
        before, begun = cpu_seconds(pid), time.monotonic()
        writer.start()
        times, written, sent, over, most, ages = [begun], [0], [0], False, 0, []
        while not over:
            while hears.poll(0.2):
                one = hears.recv()
                if one is None:
                    over = True
                    break
                for into, value in zip((times, written, sent), one):
                    into.append(value)
                if not hears.poll(0):
                    break
            counted, lag = tail.figures()
            # the newest line counted was written then
            ages.append(time.monotonic() - times[min(bisect.bisect_left(written, counted), len(times) - 1)])
            most = max(most, lag)
        used, span = cpu_seconds(pid) - before, time.monotonic() - begun
        deadline = time.monotonic() + 30
        while tail.figures()[0] < written[-1] and time.monotonic() < deadline:
            time.sleep(0.1)
        counted, peak, ended = tail.figures()[0], memory_mib(pid), tail.stop()
        writer.join()
    per_second = sent[-1] / span
    ages.sort()
    lag_s = most / per_second
    print(f"{form}: {written[-1]:,} lines in {span:.1f} s ({written[-1] / span:,.0f}/s, {per_second / 1e6:.1f} MB/s), counted {counted:,}; "
          f"{used:.1f} processor seconds ({used / span * 100:.0f} % of a core), unread at most {lag_s:.2f} s, "
          f"newest count {ages[len(ages) // 2]:.2f} s old (p95 {ages[int(len(ages) * 0.95)]:.2f} s), peak {peak:.1f} MiB")
    return counted == written[-1] and used <= span and lag_s < 1 and peak < 64 and ended == 0


def idle(seconds):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "logs"))
        for n in range(100):
            with open(os.path.join(folder, "logs", f"{n:03}.log"), "wb") as file:
                file.write(block("json", 50))
        tail = Tail(folder, "logs")
        time.sleep(6)
        before = cpu_seconds(tail.process.pid)
        time.sleep(seconds)
        used, peak = cpu_seconds(tail.process.pid) - before, memory_mib(tail.process.pid)
        ended = tail.stop()
    print(f"idle: 100 quiet files for {seconds} s: {used:.2f} processor seconds ({used / seconds * 100:.2f} % of a core), peak {peak:.1f} MiB")
    return used / seconds < 0.005 and ended == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--idle-seconds", type=int, default=60)
    options = parser.parse_args()
    results = [busy(form, options.rate, options.seconds) for form in STAMPS] + [idle(options.idle_seconds)]
    print(f"live: {sum(results)} of {len(results)} within their bounds")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
