#!/usr/bin/env python3
"""Fills tests/fuzz/corpus with what the samples hold: beginnings of logs, single tracebacks, format strings with lines."""
import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "samples")
FORMATS = [
    '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s', "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "{asctime} {levelname} {message}", "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent $request_time",
    '[%(time)s] %(addr)s - "%(method)s %(path)s %(protocol)s" %(status)d %(dt_ms).3f', '{"path":"%(U)s","status":%(s)s,"us":%(D)s}',
    r'/^(?P<method>[A-Z]+) (?P<path>\S+) (?P<status>\d+) (?P<latency_ms>[\d.]+)$',
]


def keep(target, name, content):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(content)


for path in sorted(glob.glob(os.path.join(SAMPLES, "*.log"))):
    name = os.path.basename(path)
    with open(path, "rb") as file:
        content = file.read()
    head = content[:4096].rpartition(b"\n")[0] + b"\n"
    keep("parse", name, head)
    keep("line", name, b"\x07" + head)
    found = re.search(rb"Traceback \(most recent call last\):(?:.|\n){0,3000}", content)
    if found:
        keep("traceback", name, found.group())
    for number, form in enumerate(FORMATS):
        keep("format", f"{number}-{name}", form.encode() + b"\n" + head[:600])
