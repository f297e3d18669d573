#!/usr/bin/env python3
"""The chaos writer: a server's log and everything that happens to logs, with the truth written down.

    writer.py LOG --truth FILE [--plan PLAN] [--format FORM] [--rate N] [--seconds N | --lines N] [--seed N] ...

Appends numbered access lines to LOG at a rate, and performs a plan of disturbances. Knows nothing of vitalog. At the end the
truth is one JSON object: how many lines there are for each route and status, how many of each kind of event, and which lines
were at risk by nature (written between a copy and its truncation, or deleted before anybody could have read them).

FORM      uvicorn (no time, no latency), combined (nginx and gunicorn), json (time and duration_ms), mix
PLAN      `;` between steps, `AT:KIND[:ARGUMENT]`; AT is a line number (`500`), every so many lines (`*500`), or a moment in
          seconds (`2.5s`, `*1.5s`). `all` is every quiet kind in turn, once a second.

Kinds, quiet ones first (nothing is lost):
  rename            LOG is renamed to LOG.1 (LOG.1 to LOG.2 and so on), a new LOG is written
  rename-nocreate:S the same, LOG comes S seconds later (lines go into the renamed file until then)
  rename-late:N     the same, N more lines go into the renamed file before the new one
  double-rename:N   two renames, N lines between them
  copytruncate      LOG is copied to LOG.1, then emptied; nothing is written in between
  copytruncate-regrow:N  the same, and N lines are written at once, so that LOG is longer than before when N is large
  gzip              rename, and LOG.1 is packed after --settle seconds (LOG.1.gz)
  gzip-quiet        the same: packed at once, the writer holds still until then
  symlink:N         LOG is a link (only with --link): it is turned to a new file N times, with a line in each
  partial:S         half a line, S seconds of nothing, the other half
  pause:S           nothing is written for S seconds
  chmod:S           LOG loses its read permission for S seconds
  blank  noise  badutf8  nul:N  crlf  ansi  torn  giant:N  forged     lines that are no requests, or look like others
Not quiet (the truth names what is at risk):
  copytruncate-busy:N    N lines are written between the copy and the truncation
  recreate          LOG is deleted and made anew (what nobody had read is gone)
  replace-smaller  replace-larger   another file is renamed over LOG
  exec:COMMAND      a command; CHAOS_LINES holds how many lines were written

Waits before what would destroy unread lines until --quiet-cmd COMMAND ends with 0 (at most --quiet-wait seconds), if given;
then they are not counted as at risk.
"""
import argparse
import collections
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

ROUTES = (
    ("GET", "/items/{n}", 40), ("GET", "/items", 20), ("POST", "/items", 8), ("GET", "/users/{n}", 10),
    ("POST", "/checkout", 7), ("GET", "/search?q={n}&token=CANARY", 10), ("DELETE", "/items/{n}", 2), ("GET", "/slow", 3),
)
STATUSES = ((200, 88), (201, 3), (304, 2), (404, 2), (422, 2), (500, 2), (503, 1))
REASONS = {200: "OK", 201: "Created", 304: "Not Modified", 404: "Not Found", 422: "Unprocessable Entity",
           500: "Internal Server Error", 503: "Service Unavailable"}
QUIET = ("rename", "rename-late:20", "copytruncate", "double-rename:7", "gzip", "partial:0.1", "rename-nocreate:0.3",
         "copytruncate-regrow:200", "gzip-quiet", "crlf", "badutf8", "ansi")


class Lines:
    """Numbered access lines, and how many there were of each route and status."""

    def __init__(self, form, seed, first):
        self.form, self.random, self.number = form, random.Random(seed), first
        self.counts = collections.Counter()
        self.first = first
        self.routes = self.random.choices([r[:2] for r in ROUTES], [r[2] for r in ROUTES], k=4096)
        self.statuses = self.random.choices([s[0] for s in STATUSES], [s[1] for s in STATUSES], k=4093)
        self.stamp = (0, "", "")

    def key(self, number):
        method, path = self.routes[number % 4096]
        return f"{method} {path.split('?')[0].replace('{n}', '{id}')} {self.statuses[number % 4093]}"

    def take(self, count=1):
        """The next lines, counted."""
        now = time.time()
        if int(now * 1000) != self.stamp[0]:
            moment = time.gmtime(now)
            iso = time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{int(now * 1000) % 1000:03d}Z"
            self.stamp = (int(now * 1000), iso, time.strftime("%d/%b/%Y:%H:%M:%S +0000", moment))
        out = []
        for _ in range(count):
            number = self.number
            self.number += 1
            self.counts[self.key(number)] += 1
            out.append(self.text(number))
        return "".join(out).encode()

    def text(self, number):
        method, path = self.routes[number % 4096]
        status, path = self.statuses[number % 4093], path.replace("{n}", str(number))
        form = self.form
        if form == "mix":
            form = ("uvicorn", "combined", "json")[number // 200 % 3]
        host = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        if form == "uvicorn":
            return f'INFO:     {host}:{40000 + number % 20000} - "{method} {path} HTTP/1.1" {status} {REASONS[status]}\n'
        if form == "combined":
            return f'{host} - - [{self.stamp[2]}] "{method} {path} HTTP/1.1" {status} {number % 5000} "-" "chaos/{number}"\n'
        return (f'{{"time":"{self.stamp[1]}","level":"info","method":"{method}","path":"{path}","status":{status},'
                f'"duration_ms":{number % 997 / 10},"request_id":"{number:012d}"}}\n')


class Log:
    """The file that is written, and what is done to it."""

    def __init__(self, options, lines):
        self.path, self.options, self.lines = options.log, options, lines
        self.events = collections.Counter()
        self.junk = collections.Counter()
        self.at_risk = collections.Counter()
        self.at_risk_lines = 0
        self.generation = 0
        self.packing = []
        self.unsaved = lines.number
        self.file = None
        self.open()

    def open(self):
        if self.file:
            self.file.close()
        if self.options.link and not os.path.islink(self.path):
            self.turn()
        mode = os.O_WRONLY | os.O_CREAT | (0 if self.options.no_append else os.O_APPEND)
        self.file = os.fdopen(os.open(self.path, mode, 0o644), "wb", buffering=0)
        if self.options.no_append:
            self.file.seek(0, os.SEEK_END)

    def write(self, data):
        """All of it; split in the middle now and then, as servers do that write through small buffers."""
        if self.options.split_prob and self.lines.random.random() < self.options.split_prob:
            cut = self.lines.random.randrange(len(data) + 1)
            self.all(data[:cut])
            time.sleep(0.001)
            data = data[cut:]
        self.all(data)

    def all(self, data):
        while data:
            data = data[self.file.write(data):]

    def append(self, count=1):
        self.write(self.lines.take(count))

    def shift(self):
        """Makes LOG.1 free."""
        names = os.listdir(os.path.dirname(self.path) or ".")
        pattern = re.compile(re.escape(os.path.basename(self.path)) + r"\.(\d+)((?:\.gz)?)$")
        found = sorted(((int(m[1]), m[2]) for m in map(pattern.match, names) if m), reverse=True)
        for number, end in found:
            if number >= self.options.keep:
                os.unlink(f"{self.path}.{number}{end}")
            else:
                os.rename(f"{self.path}.{number}{end}", f"{self.path}.{number + 1}{end}")

    def rename(self):
        self.pack(wait=True)
        self.shift()
        os.rename(self.path, self.path + ".1")

    def pack(self, wait=False):
        """Packs what is due."""
        for due in list(self.packing):
            if wait or due <= time.monotonic():
                self.packing.remove(due)
                name = self.path + ".1"
                with open(name, "rb") as plain, gzip.open(name + ".gz", "wb", compresslevel=1) as packed:
                    shutil.copyfileobj(plain, packed)
                os.unlink(name)

    def turn(self):
        self.generation += 1
        target = f"{os.path.basename(self.path)}-target-{self.generation}"
        folder = os.path.dirname(self.path) or "."
        with open(os.path.join(folder, target), "ab"):
            os.symlink(target, self.path + ".new")
            os.replace(self.path + ".new", self.path)

    def quiet(self):
        """True once everything written so far has been read by whoever is asked."""
        if not self.options.quiet_cmd:
            return False
        end = time.monotonic() + self.options.quiet_wait
        environment = {**os.environ, "CHAOS_LINES": str(self.lines.number - self.lines.first)}
        while time.monotonic() < end:
            if subprocess.run(self.options.quiet_cmd, shell=True, env=environment, check=False).returncode == 0:
                return True
            time.sleep(0.05)
        return False

    def risk(self, first):
        """Lines from this number on may be lost."""
        for number in range(first, self.lines.number):
            self.at_risk[self.lines.key(number)] += 1
        self.at_risk_lines += self.lines.number - first

    def destroying(self):
        """Before the current file goes: what is in it is at risk unless it was read."""
        if not self.quiet():
            self.risk(self.unsaved)

    def copy(self):
        self.pack(wait=True)
        self.shift()
        shutil.copyfile(self.path, self.path + ".1")

    def do(self, kind, argument):
        self.events[kind] += 1
        getattr(self, "do_" + kind.replace("-", "_"))(argument)

    def fresh(self):
        self.open()
        self.unsaved = self.lines.number

    def do_rename(self, _):
        self.rename()
        self.fresh()

    def do_rename_nocreate(self, seconds):
        self.rename()
        end = time.monotonic() + float(seconds or 1)
        while time.monotonic() < end:
            self.append()
            time.sleep(0.01)
        self.fresh()

    def do_rename_late(self, count):
        self.rename()
        for _ in range(int(count or 100)):
            self.append()
        old = self.file
        self.file = None
        self.fresh()
        self.append(3)
        new, self.file = self.file, old
        self.append()
        old.close()
        self.file = new

    def do_double_rename(self, count):
        self.do_rename(None)
        self.append(int(count or 5))
        self.do_rename(None)

    def do_copytruncate(self, _):
        self.copy()
        os.truncate(self.path, 0)
        self.unsaved = self.lines.number

    def do_copytruncate_regrow(self, count):
        self.do_copytruncate(None)
        self.append(int(count or 1000))

    def do_copytruncate_busy(self, count):
        self.copy()
        first = self.lines.number
        self.append(int(count or 5))
        if not self.quiet():
            self.risk(first)
        os.truncate(self.path, 0)
        self.unsaved = self.lines.number

    def do_gzip(self, _):
        self.do_rename(None)
        self.packing.append(time.monotonic() + self.options.settle)

    def do_gzip_quiet(self, _):
        self.do_rename(None)
        self.packing.append(0)
        self.pack()

    def do_recreate(self, _):
        self.destroying()
        inode = os.stat(self.path).st_ino
        os.unlink(self.path)
        self.file.close()
        self.file = None
        self.fresh()
        self.events["inode-reused"] += os.stat(self.path).st_ino == inode

    def do_symlink(self, count):
        for _ in range(int(count or 1)):
            self.turn()
            self.fresh()
            self.append()

    def replace(self, count):
        self.destroying()
        new = self.path + ".replacement"
        self.file.close()
        self.file = open(new, "ab", buffering=0)
        self.unsaved = self.lines.number
        self.append(count)
        self.file.close()
        self.file = None
        os.replace(new, self.path)
        self.open()

    def do_replace_smaller(self, _):
        self.replace(1)

    def do_replace_larger(self, _):
        self.replace(os.path.getsize(self.path) // 60 + 100)

    def do_partial(self, seconds):
        line = self.lines.take()
        cut = self.lines.random.randrange(1, len(line))
        self.all(line[:cut])
        time.sleep(float(seconds or 1))
        self.all(line[cut:])

    def do_pause(self, seconds):
        time.sleep(float(seconds or 1))

    def do_chmod(self, seconds):
        os.chmod(self.path, 0)
        time.sleep(float(seconds or 1))
        os.chmod(self.path, 0o644)

    def do_exec(self, command):
        environment = {**os.environ, "CHAOS_LINES": str(self.lines.number - self.lines.first)}
        subprocess.run(command, shell=True, env=environment, check=False)

    def junk_line(self, kind, data, count=1):
        self.junk[kind] += count
        self.all(data)

    def do_blank(self, _):
        self.junk_line("blank", b"\n")

    def do_noise(self, _):
        self.junk_line("message", b"INFO:     Application startup complete.\n")

    def do_nul(self, count):
        self.all(b"\0" * int(count or 4096))

    def do_giant(self, count):
        size = int(count or 50_000_000)
        self.junk["giant"] += 1
        while size > 0:
            self.all(b"x" * min(size, 1 << 20))
            size -= 1 << 20
        self.all(b"\n")

    def do_badutf8(self, _):
        self.junk_line("message", b"caf\xe9 \xff\xfe \xc3( is no text\n")

    def do_crlf(self, _):
        self.all(self.lines.take().replace(b"\n", b"\r\n"))

    def do_ansi(self, _):
        if self.lines.form == "uvicorn":
            self.all(self.lines.take().replace(b"INFO:", b"\x1b[32mINFO\x1b[0m:"))
        else:
            self.junk_line("message", b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J text\n")

    def do_torn(self, _):
        line = self.lines.text(self.lines.number)
        self.junk_line("torn", line[: len(line) // 3].encode() + b"\n")

    def do_forged(self, _):
        self.junk_line("message", b'WARNING:  client said "GET /forged HTTP/1.1" 500 and more\n')

    def truth(self):
        total = collections.Counter()
        for key, count in self.lines.counts.items():
            total[key] += count
        return {
            "lines": sum(total.values()),
            "requests": dict(sorted(total.items())),
            "at_risk_lines": self.at_risk_lines,
            "at_risk": dict(sorted(self.at_risk.items())),
            "events": dict(sorted(self.events.items())),
            "junk": dict(sorted(self.junk.items())),
            "first": self.lines.first,
            "next": self.lines.number,
        }


class Plan:
    """When what is due."""

    def __init__(self, text, link):
        if text == "all":
            quiet = QUIET + (("symlink:3",) if link else ())
            text = "; ".join(f"*{len(quiet)}s+{at}:{kind}" for at, kind in enumerate(quiet, 1))
        self.steps = [self.step(part.strip()) for part in text.split(";") if part.strip()]

    @staticmethod
    def step(text):
        form = re.match(r"(\*?)(\d+(?:\.\d+)?)(s?)(?:\+(\d+(?:\.\d+)?))?:([a-z0-9-]+)(?::(.*))?$", text)
        if not form or not hasattr(Log, "do_" + form[5].replace("-", "_")):
            sys.exit(f"writer.py: no such step: '{text}'")
        again, at, seconds, offset = bool(form[1]), float(form[2]), bool(form[3]), form[4]
        return {"next": float(offset) if offset else at, "every": at if again else None, "timed": seconds,
                "kind": form[5], "argument": form[6]}

    def due(self, lines, seconds):
        for step in self.steps:
            if step["next"] is not None and (seconds if step["timed"] else lines) >= step["next"]:
                step["next"] = step["next"] + step["every"] if step["every"] else None
                yield step

    def until(self):
        """The line number of the next step that waits for one."""
        return min((step["next"] for step in self.steps if step["next"] is not None and not step["timed"]), default=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("--truth", required=True)
    parser.add_argument("--plan", default="")
    parser.add_argument("--format", default="json", choices=("uvicorn", "combined", "json", "mix"))
    parser.add_argument("--rate", type=float, default=1000.0, help="lines a second, up to 20000 and more; 0: as fast as it goes")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--lines", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seq-base", type=int, default=1, help="the first line's number")
    parser.add_argument("--start-delay", type=float, default=0.0)
    parser.add_argument("--split-prob", type=float, default=0.0, help="how often a piece is written in two")
    parser.add_argument("--keep", type=int, default=8, help="rotated files kept")
    parser.add_argument("--settle", type=float, default=0.3, help="seconds before a renamed file is packed")
    parser.add_argument("--no-append", action="store_true")
    parser.add_argument("--link", action="store_true", help="LOG is a symbolic link")
    parser.add_argument("--quiet-cmd")
    parser.add_argument("--quiet-wait", type=float, default=5.0)
    options = parser.parse_args()
    if options.seconds is None and options.lines is None:
        parser.error("how long? --seconds or --lines")
    time.sleep(options.start_delay)
    lines = Lines(options.format, options.seed, options.seq_base)
    log, plan = Log(options, lines), Plan(options.plan, options.link)
    start = time.monotonic()
    while True:
        seconds, written = time.monotonic() - start, lines.number - lines.first
        if options.seconds is not None and seconds >= options.seconds:
            break
        if options.lines is not None and written >= options.lines:
            break
        for step in plan.due(written, seconds):
            log.do(step["kind"], step["argument"])
        log.pack()
        written = lines.number - lines.first
        wanted = int((time.monotonic() - start) * options.rate) - written if options.rate else 1000
        border = min((b for b in (plan.until(), options.lines) if b is not None), default=None)
        if border is not None:
            wanted = min(wanted, int(border) - written)
        if wanted > 0:
            log.append(min(wanted, 1000))
        else:
            time.sleep(0.002)
    log.pack(wait=True)
    temporary = options.truth + ".new"
    with open(temporary, "w", encoding="utf-8") as out:
        json.dump({**log.truth(), "seconds": round(time.monotonic() - start, 3)}, out, indent=1)
        out.write("\n")
    os.replace(temporary, options.truth)


if __name__ == "__main__":
    main()
