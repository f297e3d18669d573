#!/usr/bin/env python3
"""Runs the shop under each server, and holds vitalog's report on its log against what the load did.

Needs the virtual environment that `make test` makes and the binary that `cargo test` builds. Each check prints a line when it
fails; the last line says how many passed.
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "samples", "shop"))
import run as shop  # noqa: E402

VITALOG = os.environ.get("VITALOG", os.path.join(ROOT, "target", "debug", "vitalog"))
# The router itself gives these: which operation they meant is not always to be known.
NOT_ROUTED = ("404", "405")
results = []


def check(what, expected, got):
    results.append(expected == got)
    if expected != got:
        print(f"FAILED {what}: expected {expected}, got {got}")


def report(log, *options):
    done = subprocess.run([VITALOG, "analyze", log, "-o", "json", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"FAILED analyze {log}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return None
    try:
        return json.loads(done.stdout)
    except ValueError:
        print(f"FAILED analyze {log}: no JSON on stdout")
        return None


def statuses(found):
    total = {}
    for route in found["routes"]:
        if route["method"] != "WEBSOCKET" and not route["probe"]:
            for status, count in route["status"].items():
                total[status] = total.get(status, 0) + count
    return dict(sorted(total.items()))


def compare(name, found, truth):
    check(f"{name}: statuses", truth["status"], statuses(found))
    check(f"{name}: probes", truth["probes"], found["input"]["probes"])
    with open(os.path.join(ROOT, "samples", "shop", "openapi.json")) as file:
        known = {(method.upper(), path) for path, operations in json.load(file)["paths"].items() for method in operations}
    routes = {(r["method"], r["route"]): r for r in found["routes"]}
    for want in truth["routes"]:
        key = want["method"], want["route"]
        if key not in known:
            continue
        got = routes.get(key, {"status": {}})["status"]
        served = lambda status: {code: n for code, n in status.items() if code not in NOT_ROUTED}
        check(f"{name}: {key[0]} {key[1]}", served(want["status"]), dict(sorted(served(got).items())))


def main():
    os.chdir(ROOT)
    for name in shop.SERVERS:
        log, truth = shop.run(name, 400, 7, os.path.join("target", "shop", "test", name))
        found = report(log, "--openapi", "samples/shop/openapi.json")
        if found is None:
            results.append(False)
        else:
            compare(name, found, truth)
    failed = results.count(False)
    print(f"shop: {len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
