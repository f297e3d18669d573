#!/usr/bin/env python3
"""Cuts the samples from the corpus of real captures, and counts what is in them.

`tests/samples/cut.py CORPUS` writes samples/, samples/README.md and tests/samples/*.json. The corpus (real servers under a
seeded load, with the truth from a layer inside the application) is not part of this repository; the samples are.

Nothing here knows vitalog. A form's reader is one regular expression or one key path, and it is trusted only because on the
whole capture it finds exactly the requests and statuses that the corpus's truth gives; then it counts the cut.
"""
import bz2
import collections
import gzip
import json
import os
import re
import sys

ANSI = re.compile(r"\x1b\[[0-9;]*m")
LINE = re.compile(r'"(?:[A-Z]+) \S*(?: \S+)*? (?:HTTP/)?\d(?:\.\d)?" (\d{3})(?: |$)')
WEBSOCKET = re.compile(r'"WebSocket \S+" (?:\[accepted\]|(\d{3}))')
HYPERCORN = re.compile(r" (?:[A-Z]+) \S.* 1\.1 (\d{3}) \S+ \d+ \"")
GRANIAN = re.compile(r'^time="[^"]*" addr=\S+ method=([A-Z]+) .* status=(\d+) dur_ms=')
DAPHNE = re.compile(r'^\S+ - - \[[^\]]+\] "(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) .*" (\d{3}) \S+$')
LOGFMT = re.compile(r"event=http_request .* status=(\d{3}) ")
TIMING = re.compile(r"^INFO:middleware:Request: ")
LOGURU = re.compile(r"log_middle:\d+ - [A-Z]+ .* -> \d{3} \(")


def by(pattern, group=1):
    return lambda text: (lambda found: found and found.group(group))(pattern.search(text))


def key(*names, where=lambda record: True):
    """The status at a key path of a JSON line."""

    def read(text):
        try:
            record = json.loads(text)
        except ValueError:
            return None
        if not isinstance(record, dict) or not where(record):
            return None
        for name in names:
            record = record.get(name) if isinstance(record, dict) else None
        return None if record is None else str(record)

    return read


def message(text):
    """The access line stands inside the JSON message."""
    try:
        return by(LINE)(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return None


line = by(LINE)


def after_prefix(pattern):
    compiled = re.compile(pattern, re.S)
    return lambda raw: compiled.sub("", raw, count=1)


def docker(lines):
    text = ""
    for raw in lines:
        text += json.loads(raw)["log"]
        if text.endswith("\n"):
            yield text[:-1]
            text = ""
        else:
            yield None


def cri(lines):
    text = ""
    for raw in lines:
        _, _, whole, piece = raw.split(" ", 3)
        text += piece
        if whole == "F":
            yield text
            text = ""
        else:
            yield None


def journald(lines):
    for raw in lines:
        said = json.loads(raw)["MESSAGE"]
        yield bytes(said).decode("utf8", "replace") if isinstance(said, list) else said


def bare(pattern=None):
    strip = after_prefix(pattern) if pattern else (lambda raw: raw)
    return lambda lines: (strip(raw) for raw in lines)


# name: (origin, requests to keep, reader of a status, how the wrapper comes off, options that vitalog needs, what it is)
SAMPLES = {
    "uvicorn": ("captures/uvicorn-default", 300, line, bare(), [], "uvicorn's default log: no time, no latency; tracebacks, exception groups, WebSockets"),
    "uvicorn-colors": ("captures/uvicorn-colors", 150, line, bare(), [], "the same with `--use-colors`"),
    "uvicorn-asctime": ("captures/uvicorn-logconfig-yaml", 200, line, bare(), ["--timezone", "Europe/Berlin"], "`--log-config logconf.yaml`: naive local time with milliseconds"),
    "uvicorn-isotime": ("captures/uvicorn-logconfig-json", 150, line, bare(), [], "`--log-config logconf.json`: ISO time with offset"),
    "uvicorn-ampm": ("captures/uvicorn-logconfig-ini", 150, line, bare(), ["--timezone", "America/New_York"], "`--log-config logconf.ini`: dd/mm/yyyy, 12-hour clock"),
    "uvicorn-json": ("captures/uvicorn-pythonjsonlogger", 150, message, bare(), [], "python-json-logger; the access line stands inside the message"),
    "gunicorn-uvicornworker": ("captures/gunicorn-uvicornworker", 200, line, bare(), [], "gunicorn with uvicorn workers and `--access-logfile -`"),
    "gunicorn": ("captures/gunicorn-wsgi-default", 200, line, bare(), [], "gunicorn's default (combined) access line"),
    "gunicorn-micros": ("captures/gunicorn-wsgi-D", 200, line, bare(), ["--format", "@samples/gunicorn.conf.py"], "combined with `%(D)s` microseconds; read with `--format @samples/gunicorn.conf.py`"),
    "gunicorn-json": ("captures/gunicorn-wsgi-json", 150, key("response_code"), bare(), [], "gunicorn's `access_log_format` written as JSON"),
    "hypercorn": ("captures/hypercorn-default", 150, line, bare(), [], "hypercorn's default line: protocol written `1.1`, no query"),
    "granian": ("captures/granian-default", 150, line, bare(), [], "granian's default line: milliseconds at the end"),
    "granian-custom": ("captures/granian-custom", 150, lambda text: (lambda f: f and f.group(2))(GRANIAN.search(text)), bare(), [], "granian's `--access-log-fmt` with key=value"),
    "daphne": ("captures/daphne", 150, by(DAPHNE), bare(), [], "daphne `--access-log -`"),
    "asgi-logger": ("captures/asgi-logger", 150, line, bare(), [], "asgi-logger's default line"),
    "structlog-json": ("captures/structlog-json", 200, key("status_code", where=lambda r: "method" in r), bare(), [], "structlog JSON from a middleware: `duration_ms`, exceptions as one string"),
    "structlog-logfmt": ("captures/structlog-logfmt", 150, by(LOGFMT), bare(), [], "structlog logfmt: duration in seconds"),
    "loguru-json": ("captures/loguru-json", 100, key("record", "extra", "status_code"), bare(), [], "loguru `serialize=True`; fields in `record.extra`"),
    "fastapi-run": ("captures/fastapi-run", 150, line, bare(), [], "`fastapi run`, not a terminal"),
    "honcho": ("captures/honcho", 150, line, bare(r"^\d\d:\d\d:\d\d \S+ +\| "), [], "`honcho start`: time and process name before each line"),
    "nginx": ("captures/nginx-combined", 250, line, bare(), [], "nginx combined"),
    "nginx-timing": ("captures/nginx-timing", 250, line, bare(), ["--format", '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $upstream_cache_status'], "combined, then `$request_time $upstream_response_time $upstream_cache_status`"),
    "nginx-json": ("captures/nginx-json", 150, key("status"), bare(), [], "nginx `log_format` with `escape=json`"),
    "docker-json": ("envelopes/docker-json", 60, key("status_code", where=lambda r: "method" in r), docker, [], "Docker's json-file driver around structlog JSON; lines over 16 KiB come in pieces"),
    "cri": ("envelopes/cri", 60, line, cri, [], "containerd's files (CRI) around uvicorn; long lines come in pieces"),
    "journald-json": ("envelopes/journald-json", 100, line, journald, [], "`journalctl -o json`; coloured lines come as arrays of bytes"),
    "syslog-rfc3164": ("envelopes/syslog-rfc3164", 150, line, bare(r"^<\d+>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \S+?: "), ["--timezone", "America/New_York"], "RFC 3164 with `<PRI>` around uvicorn"),
    "kubectl-timestamps": ("envelopes/kubectl-timestamps", 150, line, bare(r"^\S+ "), [], "`kubectl logs --timestamps` around gunicorn with uvicorn workers, one of them killed"),
    "compose": ("envelopes/compose", 150, line, bare(r"^\S+ +\| "), [], "`docker compose logs`, other services' lines between"),
}

# Forms whose every line is told apart here, by what begins a record; lifecycle lines and messages together are the rest.
STARTS = {
    "uvicorn": r"^(?:INFO|ERROR|WARNING|DEBUG|CRITICAL): {2,}|^[A-Z]+:\S+:|^\d{4}-",
    "uvicorn-colors": r"^(?:INFO|ERROR|WARNING|DEBUG|CRITICAL): {2,}|^[A-Z]+:\S+:|^\d{4}-",
    "uvicorn-asctime": r"^\d{4}-\d\d-\d\d ",
    "gunicorn": r"^\[\d{4}-|^127\.",
    "gunicorn-micros": r"^\[\d{4}-|^127\.",
    "nginx": r"^127\.",
    "nginx-timing": r"^127\.",
}
TRACEBACK = re.compile(r"(?:^|\s)(?:\+ Exception Group )?Traceback \(most recent call last\):$")
# The line with which a server or an application reports the traceback right below it: it belongs to the report.
HEAD = re.compile(r"Exception in (?:ASGI|WSGI) application|Error handling request|Exception on \S+ \[|nhandled exception")


def read(path):
    with open(path, encoding="utf8", errors="surrogateescape", newline="\n") as file:
        return file.read().split("\n")[:-1]


def count(raw, reader, unwrap):
    """Statuses of the access lines, WebSocket lines, logical lines."""
    statuses, sockets, lines = collections.Counter(), collections.Counter(), 0
    for text in unwrap(raw):
        if text is None:
            continue
        lines += 1
        text = ANSI.sub("", text)
        socket = WEBSOCKET.search(text)
        if socket:
            sockets[socket.group(1) or "101"] += 1
        elif status := reader(text):
            (sockets if status == "101" else statuses)[status] += 1
    return statuses, sockets, lines


def kinds(raw, name, reader):
    """Lines by kind, for the forms whose records can be told from a traceback's lines by their beginning."""
    start, found, inside, head = re.compile(STARTS[name]), collections.Counter(), False, False
    for text in raw:
        text = ANSI.sub("", text)
        if reader(text) or WEBSOCKET.search(text):
            kind, inside = "requests", False
        elif TRACEBACK.search(text):
            kind, inside = "traceback", True
            found["traceback"] += head
            found["rest"] -= head
        elif inside and not start.search(text):
            kind = "traceback"
        else:
            kind, inside = "rest", False
        head = kind == "rest" and bool(HEAD.search(text))
        found[kind] += 1
    return {kind: found[kind] for kind in ("requests", "companion", "traceback", "malformed", "rest")}


def check(name, origin, statuses, sockets, corpus):
    """The reader must find on the whole capture what the truth says. True if it sees WebSocket lines where there are any."""
    with open(os.path.join(corpus, origin + ".truth.json")) as file:
        truth = json.load(file)
    log = truth.get("log", truth)
    want = log.get("status_counts") or truth["status_counts"]
    if dict(statuses) != want:
        sys.exit(f"{name}: the reader finds {dict(statuses)}, the truth has {want}")
    lines = log.get("websocket_lines")
    if lines is not None and sum(sockets.values()) not in (0, lines):
        sys.exit(f"{name}: {sum(sockets.values())} WebSocket lines, the truth has {lines}")
    return not lines or bool(sockets)


def cut(raw, wanted, reader, unwrap):
    """Index behind the `wanted`-th request, moved on until no traceback and no piece is open."""
    seen, inside = 0, False
    for index, text in enumerate(unwrap(raw)):
        if text is None:
            continue
        text = ANSI.sub("", text)
        request = bool(reader(text)) and not WEBSOCKET.search(text)
        if TRACEBACK.search(text) or "Exception in " in text or "Traceback (most" in text:
            inside = True
        elif request:
            inside = False
        seen += request
        if seen >= wanted and not inside and request:
            return index + 1
    return len(raw)


def write(path, raw):
    with open(path, "w", encoding="utf8", errors="surrogateescape", newline="\n") as file:
        file.write("".join(text + "\n" for text in raw))


def expect(name, files, statuses, sockets, lines, options, extra=None):
    wanted = {"files": files, "options": options, "lines": lines, "requests": sum(statuses.values()), "status": dict(sorted(statuses.items())),
              "websockets": None if sockets is None else dict(sorted(sockets.items()))} | (extra or {})
    with open(f"tests/samples/{name}.json", "w") as file:
        json.dump(wanted, file, indent=1)
        file.write("\n")
    return wanted


def rotated(corpus):
    """One capture as a week of rotated files: plain, gzip, bzip2, a date in the name, and one file kept twice."""
    origin = "captures/nginx-combined"
    raw = read(os.path.join(corpus, origin + ".log"))[:900]
    os.makedirs("samples/week", exist_ok=True)
    share = [raw[i * 150 : (i + 1) * 150] for i in range(6)]
    data = [("".join(text + "\n" for text in part)).encode("utf8", "surrogateescape") for part in share]
    for name, content in (("access.log", data[5]), ("access.log.1", data[4]), ("access.log.1.gz", gzip.compress(data[4], 9, mtime=0)),
                          ("access.log.2.gz", gzip.compress(data[3], 9, mtime=0)), ("access.log.3.bz2", bz2.compress(data[2])),
                          ("access.log.4.gz", gzip.compress(data[1][:4000], 9, mtime=0) + gzip.compress(data[1][4000:], 9, mtime=0)),
                          ("access.log.5", data[0])):
        with open(f"samples/week/{name}", "wb") as file:
            file.write(content)
    statuses, sockets, lines = count(raw, line, bare())
    return expect("week", ["samples/week"], statuses, sockets, lines, [], {"duplicate_lines": 150})


def main():
    corpus = sys.argv[1]
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    table = []
    for name, (origin, wanted, reader, unwrap, options, words) in SAMPLES.items():
        raw = read(os.path.join(corpus, origin + ".log"))
        statuses, sockets, _ = count(raw, reader, unwrap)
        sees_sockets = check(name, origin, statuses, sockets, corpus)
        raw = raw[: cut(raw, wanted, reader, unwrap)]
        write(f"samples/{name}.log", raw)
        statuses, sockets, lines = count(raw, reader, unwrap)
        extra = {"kinds": kinds(raw, name, reader)} if name in STARTS else {}
        got = expect(name, [f"samples/{name}.log"], statuses, sockets if sees_sockets else None, lines, options, extra)
        table.append(f"| `{name}.log` | {words} | {len(raw)} | {got['requests']} | {os.path.basename(origin)} |")
    week = rotated(corpus)
    table.append(f"| `week/` | nginx combined as a rotated set: plain, gzip (one of two members), bzip2; `access.log.1` is there twice, plain and as `.gz` | {week['lines']} | {week['requests']} | nginx-combined |")
    with open(os.path.join(corpus, "openapi.json")) as file, open("samples/openapi.json", "w") as out:
        json.dump(json.load(file), out, indent=1)
        out.write("\n")
    with open(os.path.join(corpus, "captures/gunicorn_D.py")) as file, open("samples/gunicorn.conf.py", "w") as out:
        out.write(file.read())
    with open("samples/README.md", "w") as out:
        out.write(README.replace("TABLE", "\n".join(table)))


README = """# Samples

Logs of a real FastAPI service (a shop) and its WSGI twin, written by the real servers under a seeded load over loopback on
2026-11-23 (Python 3.11, FastAPI 0.165, uvicorn 0.54, gunicorn 27, hypercorn 0.18, granian 2.8, daphne 4.2, nginx 1.22). Nothing was written by hand: each is
the head of a longer capture, cut where no traceback is open. The wrapped ones (docker, cri, journald, syslog, kubectl, compose) are such
captures put into their wrapper by rule. Users, tokens and addresses are invented or loopback.

What must be found in each stands in `tests/samples/NAME.json`. `tests/samples/cut.py` made both: its readers are held against the
truth that a layer inside the application wrote down, not against vitalog.

| file | what | lines | requests | cut from |
|---|---|---|---|---|
TABLE

Beside them: `openapi.json`, the service's own document (for `--openapi`); `gunicorn.conf.py`, the configuration behind `gunicorn-micros.log`;
`shop/`, another FastAPI service to run yourself (`make shop`).
"""

if __name__ == "__main__":
    main()
