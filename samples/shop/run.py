"""Runs the shop under a real server, drives load against it, and leaves the log and the truth about it in a folder.

`run.py [default|yaml|json|gunicorn] [--requests N] [--seed N] [--folder DIR]`; the folder is target/shop/SERVER unless
named. The server listens on a free port of the loopback interface and is stopped at the end.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = {
    "default": ["uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"],
    "yaml": ["uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}", "--log-config", "logging.yaml"],
    "json": ["uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}", "--log-config", "logging.json"],
    "gunicorn": ["gunicorn", "main:app", "--bind", "127.0.0.1:{port}", "--config", "gunicorn.conf.py"],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(port, server):
    """How many health probes it took until the server answered."""
    for _ in range(200):
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode}; its log says why")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health")
            connection.getresponse().read()
            connection.close()
            return 1
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not start within 20 s")


def run(name, requests, seed, folder):
    os.makedirs(folder, exist_ok=True)
    log, port = os.path.join(folder, "shop.log"), free_port()
    command = [word.format(port=port) for word in SERVERS[name]]
    with open(log, "wb") as out:
        server = subprocess.Popen([sys.executable, "-m", *command], cwd=HERE, stdout=out, stderr=subprocess.STDOUT,
                                  env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            probes = wait(port, server)
            sys.path.insert(0, HERE)
            sys.dont_write_bytecode = True
            from load import drive

            truth = drive(port, requests, seed) | {"probes": probes, "server": name}
        finally:
            server.terminate()
            server.wait(20)
    with open(os.path.join(folder, "truth.json"), "w") as out:
        json.dump(truth, out, indent=1)
    return log, truth


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", nargs="?", default="default", choices=SERVERS)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    folder = asked.folder or os.path.join("target", "shop", asked.server)
    log, truth = run(asked.server, asked.requests, asked.seed, folder)
    print(f"{truth['requests']} requests, {sum(n for s, n in truth['status'].items() if s >= '500')} failed")
    print(f"log    {log}")
    print(f"truth  {os.path.join(folder, 'truth.json')}")
    print(f"try    cargo run --release -- analyze {log} --openapi samples/shop/openapi.json")


if __name__ == "__main__":
    main()
