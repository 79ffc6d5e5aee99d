"""The scenarios and the targets."""


class Scenario:
    """A load: arguments of the load client, and the feature that a server needs for it."""

    def __init__(self, name, title, feature, load, unit="CPU µs per request", kind="load", paths=None):
        self.name, self.title, self.feature, self.load = name, title, feature, load.split()
        self.unit, self.kind, self.paths = unit, kind, paths or {}


MESSAGE = "CPU µs per message"

SCENARIOS = [
    Scenario("plaintext", "Plaintext, keep-alive", "plaintext", "http --path /plaintext"),
    Scenario("browser", "Plaintext, a browser's request with 15 headers", "plaintext",
             "http --path /plaintext --browser 1"),
    Scenario("pipelined", "Plaintext, pipelined 16", "plaintext", "http --path /plaintext --pipeline 16"),
    Scenario("json", "JSON", "json", "http --path /json"),
    Scenario("params", "JSON with two path parameters", "params", "http --path /params/42/benchmark"),
    Scenario("half", "Plaintext at half of the floor's rate", "plaintext", "http --path /plaintext",
             kind="half"),
    Scenario("echo20", "WebSocket echo, 20 B text", "ws", "ws --path /ws --size 20", MESSAGE),
    Scenario("echo20h", "WebSocket echo, 20 B text, callback shape", "wsh", "ws --path /wsh --size 20", MESSAGE),
    Scenario("echo16k", "WebSocket echo, 16 KiB binary", "ws", "ws --path /ws --size 16384 --binary 1", MESSAGE),
    Scenario("echo16kh", "WebSocket echo, 16 KiB binary, callback shape", "wsh",
             "ws --path /wsh --size 16384 --binary 1", MESSAGE),
    Scenario("deflate", "WebSocket echo, 1 KiB JSON, deflate without takeover", "wsd",
             "ws --path /wsd --size 1024 --deflate 1", MESSAGE),
    Scenario("publish", "Publish of 100 B to 1,000 sockets", "sub", "publish --path /sub --connections 1000",
             "CPU µs per delivery", kind="publish"),
    Scenario("file1k", "File of 1 KB", "static", "http --path /static/1k.bin --body 1024"),
    Scenario("file100k", "File of 100 KB", "static", "http --path /static/100k.bin --body 102400"),
    Scenario("file10m", "File of 10 MB", "static",
             "http --path /static/10m.bin --body 10485760 --connections 8"),
    Scenario("collect", "Upload of 20 MB, counted", "upload", "http --path /collect --post 20971520 --connections 4"),
    Scenario("echo20m", "Upload of 20 MB, echoed", "upload",
             "http --path /echo --post 20971520 --body 20971520 --connections 4"),
    Scenario("idle", "Memory of an idle socket", "ws", "idle --path /ws --connections 10000 --seconds 2",
             "bytes per socket", kind="idle"),
    Scenario("idleh", "Memory of an idle socket, callback shape", "wsh",
             "idle --path /wsh --connections 10000 --seconds 2", "bytes per socket", kind="idle"),
    Scenario("idled", "Memory of an idle socket, deflate negotiated", "wsd",
             "idle --path /wsd --connections 10000 --seconds 2 --size 1024 --deflate 1", "bytes per socket", kind="idle"),
    Scenario("idlehd", "Memory of an idle socket, callback shape, deflate negotiated", "wshd",
             "idle --path /wshd --connections 10000 --seconds 2 --size 1024 --deflate 1", "bytes per socket", kind="idle"),
    Scenario("loops", "Two event loops, plaintext pipelined 64 (not pinned)", "plaintext",
             "http --path /plaintext --pipeline 64", kind="loops"),
    Scenario("loopsd", "Two event loops, deflate echo (not pinned)", "wsd",
             "ws --path /wsd --size 1024 --deflate 1", MESSAGE, kind="loops"),
]


class Target:
    """`scenario` of OnePort is at most `factor` times `base` of `peer` (or at most `factor`)."""

    def __init__(self, text, scenario, factor, peer=None, base=None, field="value", at_least=False):
        self.text, self.scenario, self.factor, self.peer = text, scenario, factor, peer
        self.base, self.field, self.at_least = base or scenario, field, at_least


TARGETS = [
    Target("Plaintext keep-alive to the floor", "plaintext", 1.15, "rawnio"),
    Target("Plaintext keep-alive to Hummingbird", "plaintext", 0.40, "hummingbird"),
    Target("A browser's request to the floor", "browser", 1.25, "rawnio"),
    Target("Pipelined 16 to the floor", "pipelined", 2.0, "rawnio"),
    Target("JSON with two parameters to Hummingbird", "params", 0.5, "hummingbird"),
    Target("Echo 20 B by callback to raw NIO echo", "echo20h", 1.10, "rawnio", "echo20"),
    Target("Echo 20 B by async sequence to raw NIO echo", "echo20", 1.20, "rawnio"),
    Target("Echo 16 KiB by callback to raw NIO echo", "echo16kh", 1.10, "rawnio", "echo16k"),
    Target("Echo 16 KiB by async sequence to raw NIO echo", "echo16k", 1.10, "rawnio"),
    Target("Deflate echo 1 KiB to Go with gorilla", "deflate", 0.85, "go"),
    Target("Deflate echo 1 KiB, stretch: µs", "deflate", 20.6),
    Target("Publish to 1,000 sockets to a prepared buffer", "publish", 1.15, "rawnio"),
    Target("File of 1 KB to nginx", "file1k", 1.3, "nginx"),
    Target("File of 100 KB to nginx", "file100k", 1.2, "nginx"),
    Target("File of 10 MB to nginx", "file10m", 1.2, "nginx"),
    Target("Idle socket by callback, bytes", "idleh", 6 * 1024),
    Target("Idle socket by task, bytes", "idle", 8 * 1024),
    Target("Idle socket by task with deflate, bytes", "idled", 8 * 1024),
    Target("Idle socket by callback with deflate, bytes", "idlehd", 6 * 1024),
    Target("Two loops, pipelined: requests of one loop", "loops", 1.8, field="rate_ratio", at_least=True),
    Target("Two loops, pipelined: CPU per request of one loop", "loops", 1.05, field="cpu_ratio"),
    Target("Two loops, deflate echo: messages of one loop", "loopsd", 1.8, field="rate_ratio", at_least=True),
    Target("Two loops, deflate echo: CPU per message of one loop", "loopsd", 1.05, field="cpu_ratio"),
    Target("p99 at half load to the floor", "half", 1.20, "rawnio", field="p99_us"),
    Target("Upload 20 MB, counted, to a raw NIO sink", "collect", 1.2, "rawnio"),
    Target("Upload 20 MB, echoed, to a raw NIO echo", "echo20m", 1.2, "rawnio"),
]
