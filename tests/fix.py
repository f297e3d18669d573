#!/usr/bin/env python3
"""Pastes what `vitalog explain --fix` prints into a copy of the shop, drives load, and sees every figure in the report.

Needs the virtual environment that `make test` makes and the binary that `cargo test` builds. A server that is not installed is a
failure. Each check prints a line when it fails; the last line says how many passed.
"""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "samples", "shop"))
import run as shop  # noqa: E402
from load import drive  # noqa: E402

VITALOG = os.environ.get("VITALOG", os.path.join(ROOT, "target", "debug", "vitalog"))
VERSION = "1.4.2"
REQUESTS = 400
BIND = ["--bind", "127.0.0.1:{port}"]
# name: whose change, the file it is pasted into, the command, what the line can tell beside method, path and status
SERVERS = {
    "uvicorn": ("uvicorn", "access_log.py", ["uvicorn", "access_log:app", "--no-access-log", "--port", "{port}"],
                {"route", "latency", "time", "bytes", "auth", "version"}),
    "gunicorn with uvicorn workers": ("uvicorn", "access_log.py", ["gunicorn", "access_log:app", "-k", "uvicorn_worker.UvicornWorker", *BIND],
                                      {"route", "latency", "time", "bytes", "auth", "version"}),
    "gunicorn": ("gunicorn", "gunicorn.conf.py", ["gunicorn", "main:app", "-k", "asgi", *BIND], {"latency", "time", "bytes", "version"}),
    "hypercorn": ("hypercorn", "hypercorn.toml", ["hypercorn", "--config", "hypercorn.toml", "main:app", *BIND],
                  {"latency", "time", "bytes", "version"}),
    "granian": ("granian", None, ["granian", "--interface", "asgi", "--access-log", "main:app", "--port", "{port}"], {"latency", "time"}),
}
results = []


def check(what, expected, got):
    results.append(expected == got)
    if expected != got:
        print(f"FAILED {what}: expected {expected}, got {got}")


def fix(server):
    """The part to paste and the command that dumps openapi.json, as printed."""
    page = subprocess.run([VITALOG, "explain", f"--fix={server}"], capture_output=True, text=True, check=True).stdout
    change, _, routes = page.partition("\n# Routes by their names")
    return change, routes.strip().splitlines()[-1]


def serve(folder, command):
    """The log of the server under load, and what the load did."""
    log, port = os.path.join(folder, "shop.log"), shop.free_port()
    words = [word.format(port=port) for word in command]
    around = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "APP_VERSION": VERSION}
    with open(log, "wb") as out:
        server = subprocess.Popen([sys.executable, "-m", *words], cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=around)
        try:
            probes = shop.wait(port, server)
            truth = drive(port, REQUESTS, 7)
        finally:
            server.terminate()
            server.wait(20)
    return log, truth, probes


def dumped(folder, command):
    """openapi.json as the printed command makes it."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    subprocess.run(command, shell=True, cwd=folder, check=True, env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    with open(os.path.join(folder, "openapi.json")) as file:
        return json.load(file)


def report(log):
    done = subprocess.run([VITALOG, "analyze", log, "-o", "json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}


def compare(name, tells, found, truth, probes):
    if "error" in found:
        check(f"{name}: report", None, found["error"])
        return
    missing = {u["figure"] for u in found["unavailable"]}
    for figure, word in (("latency", "latency"), ("time", "time"), ("bytes", "bytes"), ("auth", "logged_in"), ("version", "version")):
        if figure in tells:
            check(f"{name}: {word} is there", False, word in missing)
    # a slow start may have been asked for its health more often than it answered in time
    check(f"{name}: probes", True, found["input"]["probes"] >= probes)
    plain = [r for r in found["routes"] if not r["probe"] and r["method"] != "WEBSOCKET" and "101" not in r["status"] and not r["route"].startswith("/ws")]
    total = {}
    for route in plain:
        for status, count in route["status"].items():
            total[status] = total.get(status, 0) + count
    check(f"{name}: statuses", truth["status"], dict(sorted(total.items())))
    check(f"{name}: every request has its latency", truth["requests"], sum((r["latency_us"] or {"count": 0})["count"] for r in plain))
    check(f"{name}: times", "line", found["period"]["time_source"])
    if "version" in tells:
        versions = [(v["version"], v["requests"] >= truth["requests"]) for v in found["versions"]]
        check(f"{name}: version", [(VERSION, True)], versions)
    if "route" in tells:
        routes = {(r["method"], r["route"]): r for r in plain if r["named_by"] == "log"}
        for want in truth["routes"]:
            if want["method"] != "WEBSOCKET" and want["route"]:
                key = want["method"], want["route"]
                check(f"{name}: {key[0]} {key[1]} by the log's own name", want["status"], routes.get(key, {"status": {}})["status"])
    if "auth" in tells:
        auth = found["total"]["auth"] or {"authenticated": {"requests": 0}, "anonymous": {"requests": 0}}
        cart = next(r for r in plain if (r["method"], r["route"]) == ("GET", "/cart"))
        check(f"{name}: logged in at GET /cart", cart["status"]["200"], cart["auth"]["authenticated"]["requests"])
        check(f"{name}: both kinds", (True, True), (auth["authenticated"]["requests"] > 0, auth["anonymous"]["requests"] > 0))
    slow = [r["latency_us"]["min"] for r in plain if (r["method"], r["route"]) == ("GET", "/search") and r["latency_us"] and "200" in r["status"]]
    check(f"{name}: a latency is of the right size", True, bool(slow) and 0 < slow[0] < 5_000_000)


def main():
    for name, (server, file, command, tells) in SERVERS.items():
        if importlib.util.find_spec(command[0]) is None:
            check(f"{name}: installed", True, False)
            continue
        with tempfile.TemporaryDirectory() as above:
            folder = os.path.join(above, "shop")
            shutil.copytree(os.path.join(ROOT, "samples", "shop"), folder, ignore=shutil.ignore_patterns("__pycache__", "gunicorn.conf.py"))
            change, dump = fix(server)
            if file:
                with open(os.path.join(folder, file), "w") as out:
                    out.write(change)
            log, truth, probes = serve(folder, command)
            compare(name, tells, report(log), truth, probes)
            if os.environ.get("KEEP"):
                shutil.copy(log, os.path.join(os.environ["KEEP"], name.replace(" ", "-") + ".log"))
            if name == "uvicorn":
                with open(os.path.join(ROOT, "samples", "shop", "openapi.json")) as served:
                    check("openapi.json is dumped as it is served", json.load(served)["paths"], dumped(folder, dump)["paths"])
    failed = results.count(False)
    print(f"fix: {len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
