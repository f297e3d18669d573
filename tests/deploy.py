#!/usr/bin/env python3
"""samples/deploy/: the files are valid, hold what they must, and what they start really runs.

    deploy.py [WORD]...    only the tests with such a word in their names

Runs the release binary (or $VITALOG). `systemd-analyze` is used where it is installed, and its absence said.
"""
import configparser
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from follower import ROOT, Skipped, VITALOG, access, contains, each, equal, stamp, wait  # noqa: E402

import yaml  # noqa: E402

DEPLOY = os.path.join(ROOT, "samples", "deploy")
UNIT = os.path.join(DEPLOY, "vitalog.service")


def settings():
    """The unit's sections; a name that stands several times keeps its last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str
    unit.read(UNIT)
    return unit


def documents(name):
    with open(os.path.join(DEPLOY, name), encoding="utf8") as file:
        return list(yaml.safe_load_all(file))


def workload(name, kind):
    return next(d for d in documents(name) if d["kind"] == kind)["spec"]["template"]["spec"]


def container(pod):
    return next(c for c in pod["containers"] if c["name"] == "vitalog")


def cri(text):
    return "".join(f"{stamp()} stdout F {line}\n" for line in text.splitlines())


def the_unit_is_hardened_and_stops_trying_where_that_cannot_help(_folder):
    service = settings()["Service"]
    wanted = {
        "Type": "notify", "Restart": "on-failure", "RestartPreventExitStatus": "2 4", "DynamicUser": "yes",
        "StateDirectory": "vitalog", "ProtectSystem": "strict", "ProtectHome": "read-only", "PrivateTmp": "yes",
        "PrivateDevices": "yes", "NoNewPrivileges": "yes", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "MemoryMax": "256M", "CapabilityBoundingSet": "", "WatchdogSec": "30",
    }
    equal(wanted, {key: service.get(key) for key in wanted}, "settings")
    contains("SystemCallFilter=@system-service", open(UNIT, encoding="utf8").read(), "system calls")


def systemd_takes_the_unit_and_finds_it_safe(folder):
    if not shutil.which("systemd-analyze"):
        raise Skipped("systemd-analyze is not installed")
    text = open(UNIT, encoding="utf8").read().replace("/usr/local/bin/vitalog", VITALOG)
    folder.write("vitalog.service", text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", folder.at("vitalog.service")], capture_output=True, text=True,
                          check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "vitalog.service" in line]
    equal((0, []), (done.returncode, told), f"systemd-analyze verify: {done.stderr}")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager",
                           folder.at("vitalog.service")], capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        raise Skipped("this systemd-analyze cannot judge a file")
    equal(0, done.returncode, f"systemd-analyze security: {done.stdout[-300:]}{done.stderr}")


def what_the_unit_starts_tells_systemd_how_it_is(folder):
    """READY when it reads, WATCHDOG while it lives, STOPPING at the end; its state lies where systemd says."""
    command = settings()["Service"]["ExecStart"].split()
    equal("/usr/local/bin/vitalog", command[0], "program")
    equal("tail", command[1], "command")
    folder.write("vitalog.toml", '[input]\npaths = ["logs"]\n')
    folder.write("logs/app.log", access(5))
    os.mkdir(folder.at("state"))
    arguments = [a.replace("/etc/vitalog/vitalog.toml", "vitalog.toml") for a in command[2:]]
    arguments[arguments.index("9100")] = "0"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(folder.at("notify"))
        manager.settimeout(0.1)
        told = []

        def hears(word):
            def heard():
                try:
                    told.append(manager.recv(4096).decode())
                except TimeoutError:
                    pass
                return any(word in one.split("\n") for one in told)
            wait(heard, f"it tells {word}")
        run = folder.tail(*arguments, listen=False,
                          env={"NOTIFY_SOCKET": folder.at("notify"), "STATE_DIRECTORY": folder.at("state")})
        hears("READY=1")
        hears("WATCHDOG=1")
        folder.write("logs/app.log", access(5))
        run.counts(5)
        told.clear()
        run.process.send_signal(signal.SIGHUP)
        hears("RELOADING=1")
        hears("READY=1")
        told.clear()
        equal(0, run.stop()[0], "exit code")
        hears("STOPPING=1")
    assert os.path.exists(folder.at("state/vitalog.db"))


def the_daemon_set_reads_chosen_containers_and_not_its_own_pod(folder):
    pod = workload("daemonset.yaml", "DaemonSet")
    own = container(pod)
    own_namespace = next(d for d in documents("daemonset.yaml") if d["kind"] == "DaemonSet")["metadata"]["namespace"]
    safe = own["securityContext"]
    equal((True, False, ["ALL"]),
          (safe["readOnlyRootFilesystem"], safe["allowPrivilegeEscalation"], safe["capabilities"]["drop"]), "security")
    mounts = {m["mountPath"]: m.get("readOnly", False) for m in own["volumeMounts"]}
    equal({"/var/log/pods": True, "/state": False, "/etc/vitalog": True}, mounts, "mounts")
    equal(("/healthz", "/readyz"), tuple(own[p]["httpGet"]["path"] for p in ("livenessProbe", "readinessProbe")), "probes")
    config = next(d for d in documents("daemonset.yaml") if d["kind"] == "ConfigMap")["data"]["vitalog.toml"]
    secret = next(d for d in documents("daemonset.yaml") if d["kind"] == "Secret")["stringData"]
    folder.write("vitalog.toml", config)
    os.mkdir(folder.at("state"))
    pods = folder.at("pods")
    shop = "pods/shop_shop-6d4cf56db6-x2x7p_1c0f/shop/0.log"
    folder.write(shop, cri(access(20)))
    folder.write(f"pods/{own_namespace}_vitalog-abcde_2d1e/vitalog/0.log", cri(access(99)))
    folder.write("pods/kube-system_coredns-0_3f/coredns/0.log", cri(access(99)))
    here = (("/var/log/pods", pods), ("/state", folder.at("state")), ("/etc/vitalog", folder.path), ("0.0.0.0:9100", "127.0.0.1:0"))

    def moved(argument):
        for old, new in here:
            argument = argument.replace(old, new)
        return argument
    arguments = [moved(a) for a in own["args"]]
    equal("tail", arguments[0], "command")
    run = folder.tail(*arguments[1:], "--from-start", listen=False, env=secret)
    run.counts(20)
    # kubelet rotates: renamed with a time, packed later; another pod comes
    os.rename(folder.at(shop), folder.at(shop + ".20261128-160000"))
    folder.write(shop, cri(access(7)))
    folder.write("pods/shop_shop-6d4cf56db6-zzzzz_77/shop/0.log", cri(access(5)))
    run.counts(32)
    equal(0, run.stop()[0], "exit code")


def the_sidecar_reads_what_the_service_writes_into_the_shared_volume(folder):
    pod = workload("sidecar.yaml", "Deployment")
    own, service = container(pod), next(c for c in pod["containers"] if c["name"] != "vitalog")
    volume = {m["mountPath"]: m["name"] for m in own["volumeMounts"]}["/logs"]
    assert volume in [m["name"] for m in service["volumeMounts"]], "both see the volume"
    assert "emptyDir" in next(v for v in pod["volumes"] if v["name"] == volume)
    equal((True, 65532), (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]), "not root")
    equal((True, ["ALL"]), (own["securityContext"]["readOnlyRootFilesystem"], own["securityContext"]["capabilities"]["drop"]),
          "security")
    os.mkdir(folder.at("state"))
    os.mkdir(folder.at("logs"))
    arguments = [a.replace("/logs", folder.at("logs")).replace("/state", folder.at("state")).replace("0.0.0.0:9100", "127.0.0.1:0")
                 for a in own["args"]]
    run = folder.tail(*arguments[1:], listen=False)
    run.says("listening")
    folder.write("logs/app.log", access(20))
    report = run.counts(20)
    equal(["shop"], [s["service"] for s in report["services"]], "services")
    equal(0, run.stop()[0], "exit code")


def the_image_is_one_static_binary_and_not_root(_folder):
    with open(os.path.join(DEPLOY, "Dockerfile"), encoding="utf8") as file:
        steps = [line.split(None, 1) for line in file if re.match("[A-Z]+ ", line)]
    bases = [rest.split()[0] for word, rest in steps if word == "FROM"]
    equal("scratch", bases[-1], "the last stage's base")
    with open(os.path.join(ROOT, "Cargo.toml"), encoding="utf8") as file:
        oldest = re.search(r'rust-version = "1\.(\d+)', file.read())[1]
    rust = re.fullmatch(r"rust:1\.(\d+)-alpine", bases[0])
    assert rust and int(rust[1]) >= int(oldest), bases[0]
    last = {word: rest.strip() for word, rest in steps}
    equal("65532:65532", last["USER"], "user")
    equal('["/vitalog"]', last["ENTRYPOINT"], "entry point")
    equal("/state", last["VOLUME"], "volume")
    for word, rest in steps:
        sources = rest.split()[:-1] if word == "COPY" and "--from" not in rest else []
        for source in sources:
            assert os.path.exists(os.path.join(ROOT, source)), f"COPY {source}"
    # the state must be found without an option
    equal("STATE_DIRECTORY=/state", last["ENV"], "environment")


if __name__ == "__main__":
    sys.exit(each("deploy", globals(), sys.argv[1:]))
