"""How the tests run `vitalog tail`: one folder each, waiting for conditions and never for luck. Holds no tests."""
import concurrent.futures
import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import traceback
import types
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VITALOG = os.path.abspath(os.environ.get("VITALOG", os.path.join(ROOT, "target", "release", "vitalog")))
# Longer than anything takes on a busy machine.
LONG = 30


class Skipped(Exception):
    """What the machine does not allow; said with its reason, and a failure of the whole: a test that was not made proves nothing."""


def wait(condition, what, most=LONG):
    """What `condition` gives once that is true."""
    deadline = time.monotonic() + most
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {most} s in vain: {what}")
        time.sleep(0.03)


def stamp(seconds=None):
    at = datetime.datetime.fromtimestamp(time.time() if seconds is None else seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def access(count=1, status=200, path="/items", method="GET", at=None, ms=12.5):
    """Access lines in JSON, with time and latency."""
    one = json.dumps({"time": stamp(at), "method": method, "path": path, "status": status, "duration_ms": ms})
    return (one + "\n") * count


def plain(count=1, status=200, path="/items", method="GET"):
    """Access lines of uvicorn: neither time nor latency."""
    return f'INFO:     127.0.0.1:52000 - "{method} {path} HTTP/1.1" {status} OK\n' * count


def get(url, headers=None, most=10):
    """Status, headers and body of a GET, whatever the status."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=most) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


class Folder:
    """A folder of its own, and the runs in it."""

    def __init__(self, where=None):
        self.kept = tempfile.TemporaryDirectory(dir=where)
        self.path = self.kept.name
        os.chmod(self.path, 0o755)
        self.runs, self.undo = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for run in self.runs:
            run.end()
        for undo in reversed(self.undo):
            undo()
        self.kept.cleanup()

    def at(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text, mode="a"):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), mode + "b") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read().decode(errors="replace")

    def tail(self, *arguments, **options):
        run = Tail(self, arguments, **options)
        self.runs.append(run)
        return run

    def run(self, *arguments, **options):
        """A command that ends by itself."""
        done = subprocess.run([VITALOG, *arguments], cwd=self.path, capture_output=True, timeout=LONG, check=False,
                              env=environment(options.pop("env", None)), **options)
        return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def environment(more=None):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("VITALOG")}
    return {**kept, "TZ": "UTC", "NO_COLOR": "1", **(more or {})}


class Tail:
    """A running `vitalog tail`; it listens unless told otherwise."""

    def __init__(self, folder, arguments, listen=True, before=(), stdin=subprocess.DEVNULL, stdout=None, stderr=None,
                 env=None, **options):
        number = len(folder.runs)
        self.folder = folder
        self.out_name, self.err_name = folder.at(f".out-{number}"), folder.at(f".err-{number}")
        listens = ["--listen", "127.0.0.1:0"] if listen else []
        with open(self.out_name, "wb") as out, open(self.err_name, "wb") as err:
            self.process = subprocess.Popen(
                [*before, VITALOG, "tail", *arguments, *listens], cwd=folder.path, stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr, env=environment(env), **options)

    @property
    def out(self):
        with open(self.out_name, "rb") as file:
            return file.read().decode(errors="replace")

    @property
    def err(self):
        with open(self.err_name, "rb") as file:
            return file.read().decode(errors="replace")

    def says(self, pattern, most=LONG, times=1):
        """Waits until standard error matches so often."""
        def found():
            matches = re.findall(pattern, self.err)
            if len(matches) >= times:
                return matches
            if self.process.poll() is not None:
                matches = re.findall(pattern, self.err)
                assert len(matches) >= times, f"ended with {self.process.returncode} and never said '{pattern}': {self.err}"
                return matches
            return None
        try:
            return wait(found, f"standard error says '{pattern}'", most)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {self.err[-2000:]}") from None

    def shows(self, pattern, most=LONG):
        """Waits until standard output matches."""
        try:
            return wait(lambda: re.search(pattern, self.out), f"standard output shows '{pattern}'", most)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows: {self.out[-2000:]}; it says: {self.err[-2000:]}") from None

    @property
    def url(self):
        return self.says(r"listening on (http://\S+)")[0]

    def get(self, path, **options):
        return get(self.url + path, **options)

    def report(self):
        status, _, body = self.get("/api/report")
        assert status == 200, (status, body)
        return json.loads(body)

    def requests(self):
        return self.report()["input"]["requests"]

    def counts(self, expected, most=LONG):
        """Waits until so many requests are counted, and holds that no more are."""
        try:
            wait(lambda: self.requests() >= expected, f"{expected} requests", most)
        except AssertionError as error:
            raise AssertionError(f"{error}; counted {self.requests()}; it says: {self.err[-2000:]}") from None
        equal(expected, self.requests(), "requests")
        return self.report()

    def ready(self):
        return self.get("/readyz")

    def metrics(self):
        status, _, body = self.get("/metrics")
        assert status == 200, status
        return body

    def stop(self, number=signal.SIGTERM, most=LONG):
        """Its exit code, and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=most), time.monotonic() - begun

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ends(self, most=LONG):
        return self.process.wait(timeout=most)

    def end(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()


def memory_mib(pid, kind="VmHWM"):
    with open(f"/proc/{pid}/status", encoding="utf8") as file:
        return int(re.search(rf"{kind}:\s+(\d+)", file.read())[1]) / 1024


def equal(expected, got, what):
    assert expected == got, f"{what}: expected {expected}, got {got}"


def contains(pattern, text, what):
    assert re.search(pattern, text), f"{what}: no '{pattern}' in: {text[-2000:]}"


def each(name, module, only=None, at_once=8):
    """Runs a module's tests, the functions of nothing but a folder, beside each other, each in a folder of its own; the
    exit code."""
    functions = [value for value in module.values() if isinstance(value, types.FunctionType) and value.__module__ == "__main__"]
    tests = [test for test in functions if test.__code__.co_varnames[:test.__code__.co_argcount] in (("folder",), ("_folder",))
             and (not only or any(word in test.__name__ for word in only))]

    def one(test):
        begun = time.monotonic()
        try:
            with Folder() as folder:
                test(folder)
            outcome = "passed"
        except Skipped as why:
            outcome = "skipped"
            print(f"skipped {test.__name__}: {why}", flush=True)
        except Exception:  # noqa: BLE001 (whatever it is, the others go on)
            outcome = "failed"
            print(f"FAILED {test.__name__}\n{traceback.format_exc(limit=3)}", flush=True)
        if os.environ.get("TIMES"):
            print(f"{time.monotonic() - begun:6.1f} s  {outcome}  {test.__name__}", flush=True)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        outcomes = list(pool.map(one, tests))
    counted = {word: outcomes.count(word) for word in ("passed", "failed", "skipped")}
    print(f"{name}: {counted['passed']} passed, {counted['failed']} failed, {counted['skipped']} skipped")
    return 1 if counted["failed"] or counted["skipped"] else 0
