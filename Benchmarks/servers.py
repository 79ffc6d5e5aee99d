"""The servers of the bench: how each is built, started and ended.

A server that cannot be built or found here is kept with the reason, and named in the report.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.path.join(HERE, ".build")
PEERS = os.path.join(BUILD, "peers")
STATIC = os.path.join(BUILD, "static")

HTTP = {"plaintext", "json", "upload"}
SOCKETS = {"ws", "sub"}

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {cache}
    server {{
        listen {host}:{port} backlog=4096;
        location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
        location = /json {{ default_type application/json; return 200 '{{"message":"Hello, World!"}}'; }}
        location /static/ {{ alias {static}/; }}
    }}
}}
"""


class Server:
    """A server: its command, its features, and the reason if it is missing."""

    def __init__(self, name, title, features, command=None, environment=None, missing=None):
        self.name, self.title, self.features = name, title, set(features)
        self.command, self.environment, self.missing = command, environment or {}, missing


def arguments(port, threads):
    return ["--host", "127.0.0.1", "--port", str(port), "--threads", str(threads), "--static", STATIC]


def oneport_like(name, title, binary):
    command = lambda port, threads: [binary, *arguments(port, threads), "--max-body", str(64 << 20)]
    features = HTTP | SOCKETS | {"params", "wsd", "wsdd", "wsh", "wshd", "static", "oneport"}
    missing = None if os.access(binary, os.X_OK) else f"{binary} is not there"
    return Server(name, title, features, command, missing=missing)


def run(command, **options):
    """Runs a build step. Returns None, or the end of its error output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:]


def debian(package, folder):
    """The folder of a Debian package's files, installed or unpacked in .build."""
    if os.path.isdir(folder):
        return folder
    unpacked = os.path.join(PEERS, "debian")
    wanted = unpacked + folder
    if not os.path.isdir(wanted) and shutil.which("apt-get") and shutil.which("dpkg"):
        os.makedirs(unpacked, exist_ok=True)
        if run(["apt-get", "download", package], cwd=unpacked) is None:
            for file in glob.glob(os.path.join(unpacked, package + "_*.deb")):
                run(["dpkg", "-x", file, unpacked])
    return wanted if os.path.isdir(wanted) else None


def build_c():
    os.makedirs(PEERS, exist_ok=True)
    load = os.path.join(HERE, "Load")
    sources = [os.path.join(load, name + ".c") for name in
               ("main", "driver", "http", "websocket", "many", "support")]
    compiler = ["cc", "-O2", "-Wall", "-Wextra"]
    failed = run([*compiler, "-o", os.path.join(PEERS, "load"), *sources, "-lz"]) or run(
        [*compiler, "-shared", "-fPIC", "-o", os.path.join(PEERS, "allocations.so"),
         os.path.join(load, "allocations.c")])
    if failed:
        raise SystemExit("the load client does not build: " + failed)


def swift_peer(name, title, product, features, build):
    binary = os.path.join(BUILD, "release", product)
    failed = run(["swift", "build", "-c", "release", "--product", product], cwd=HERE) if build else None
    if failed is None and not os.access(binary, os.X_OK):
        failed = "not built"
    return Server(name, title, features, lambda port, threads: [binary, *arguments(port, threads)],
                  missing=failed)


def go_peer(build):
    binary = os.path.join(PEERS, "go-gorilla")
    gorilla = "/usr/share/gocode/src/github.com/gorilla/websocket"
    source = debian("golang-github-gorilla-websocket-dev", gorilla) if build else None
    missing = None
    if not shutil.which("go"):
        missing = "go is not installed"
    elif build and source is None:
        missing = "golang-github-gorilla-websocket-dev is not installed"
    elif build:
        path = source[: -len("/src/github.com/gorilla/websocket")]
        missing = run(["go", "build", "-o", binary, os.path.join(HERE, "Peers/Go/main.go")],
                      env={**os.environ, "GO111MODULE": "off", "GOPATH": path})
    return Server("go", "Go net/http, gorilla", HTTP | SOCKETS | {"params", "wsd", "static"},
                  lambda port, threads: [binary, *arguments(port, threads)],
                  missing=missing or (None if os.path.exists(binary) else "not built"))


def node_peer():
    modules = debian("node-ws", "/usr/share/nodejs/ws")
    missing = None if shutil.which("node") else "node is not installed"
    if missing is None and modules is None:
        missing = "node-ws is not installed"
    script = os.path.join(HERE, "Peers/Node/server.js")
    return Server("node", "Node, ws", HTTP | SOCKETS | {"params", "wsd", "static"},
                  lambda port, threads: ["node", script, *arguments(port, threads)],
                  {"NODE_PATH": os.path.dirname(modules or "")}, missing)


def deno_peer(build):
    binary = shutil.which("deno") or os.path.join(PEERS, "deno/bin/deno")
    missing = None
    if not os.path.exists(binary):
        missing = run(["python3", "-m", "pip", "install", "-q", "--target", os.path.join(PEERS, "deno"),
                       "deno"]) if build else "deno is not installed"
    script = os.path.join(HERE, "Peers/Deno/server.ts")
    return Server("deno", "Deno", HTTP | SOCKETS | {"params", "static"},
                  lambda port, threads: [binary, "run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1",
                                         "--allow-read=" + STATIC, script, *arguments(port, threads)],
                  {"DENO_NO_UPDATE_CHECK": "1"}, missing)


def nginx_peer(name, title, cache):
    binary = shutil.which("nginx") or "/usr/sbin/nginx"

    def command(port, threads):
        folder = os.path.join(PEERS, name)
        os.makedirs(folder, exist_ok=True)
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w") as file:
            file.write(NGINX.format(folder=folder, host="127.0.0.1", port=port, static=STATIC, cache=cache))
        return [binary, "-e", os.path.join(folder, "error.log"), "-p", folder, "-c", configuration]

    missing = None if os.access(binary, os.X_OK) else "nginx is not installed"
    return Server(name, title, {"plaintext", "static"}, command, missing=missing)


def all_servers(wanted, build=True):
    """The requested servers, in order: known names, or `name=/path/to/a/TestServer`."""
    os.makedirs(STATIC, exist_ok=True)
    for file, size in (("1k.bin", 1 << 10), ("100k.bin", 100 << 10), ("10m.bin", 10 << 20)):
        path = os.path.join(STATIC, file)
        if not os.path.exists(path) or os.path.getsize(path) != size:
            with open(path, "wb") as out:
                out.write(os.urandom(size))
    if build or not os.path.exists(os.path.join(PEERS, "load")):
        build_c()
    makers = {
        "rawnio": lambda: swift_peer("rawnio", "raw NIO handler (floor)", "RawNIO",
                                     HTTP | SOCKETS | {"params", "static"}, build),
        "oneport": lambda: oneport(build),
        "niostock": lambda: swift_peer("niostock", "NIOHTTP1, NIOWebSocket", "NIOStock",
                                       HTTP | SOCKETS | {"params"}, build),
        "hummingbird": lambda: swift_peer("hummingbird", "Hummingbird", "HummingbirdPeer",
                                          HTTP | {"params", "static"}, build),
        "flyingfox": lambda: swift_peer("flyingfox", "FlyingFox", "FlyingFoxPeer",
                                        HTTP | {"params", "ws", "static"}, build),
        "go": lambda: go_peer(build),
        "node": node_peer,
        "deno": lambda: deno_peer(build),
        "nginx": lambda: nginx_peer("nginx", "nginx", ""),
        "nginx-cached": lambda: nginx_peer("nginx-cached", "nginx, open_file_cache",
                                           "open_file_cache max=1000 inactive=60s;"),
    }
    servers = []
    for name in wanted or list(makers):
        if "=" in name:
            label, path = name.split("=", 1)
            servers.append(oneport_like(label, label, os.path.abspath(path)))
        elif name in makers:
            servers.append(makers[name]())
        else:
            raise SystemExit(f"no server {name}; there are {', '.join(makers)}, and name=/path")
    return servers


def oneport(build):
    binary = os.path.join(ROOT, ".build/release/TestServer")
    failed = run(["swift", "build", "-c", "release", "--product", "TestServer"], cwd=ROOT) if build else None
    server = oneport_like("oneport", "OnePort", binary)
    server.missing = failed or server.missing
    return server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A running server, stopped by its pid at the end of the block."""

    def __init__(self, server, threads=1, core=None, counters=None):
        self.port = free_port()
        command = server.command(self.port, threads)
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        environment = {**os.environ, **server.environment}
        if counters:
            environment["LD_PRELOAD"] = os.path.join(PEERS, "allocations.so")
            environment["ALLOCATION_COUNTERS"] = counters
        self.log = open(os.path.join(PEERS, server.name.replace("/", "_") + ".log"), "wb")
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.pid = self.process.pid

    def __enter__(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}; see {self.log.name}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                time.sleep(0.2)
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("does not listen after 20 s")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
