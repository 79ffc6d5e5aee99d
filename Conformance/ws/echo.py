"""Randomized echo test: independent clients against /ws, /wsd, /wsdd and /wsh.

Python's websockets and Node's ws send random messages, text and binary, of random sizes, in random fragments,
several at a time. Each must come back unchanged and in order. MESSAGES sets the total number (light: 5,000; full:
100,000), SEED the random sequence.
"""

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import time

import websockets
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from server import Server
from tally import Tally

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = "the quick brown fox jumps over Zoë's lazy dog 日本語 🦊 {\"key\": [1, 2, 3]} \n".split(" ")
#: Messages in flight on one socket.
WINDOW = 8


def random_size(random_):
    """Mostly small, around every boundary of the length field, sometimes large."""
    kind = random_.random()
    if kind < 0.55:
        return random_.randrange(0, 200)
    if kind < 0.75:
        return max(0, random_.choice([125, 126, 127, 1024, 4096, 16384, 65535, 65536]) + random_.randrange(-2, 3))
    if kind < 0.98:
        return random_.randrange(200, 8000)
    return random_.randrange(8000, 200_000)


def random_message(random_):
    size = random_size(random_)
    if random_.random() < 0.5:
        return random_.randbytes(size) if random_.random() < 0.5 else bytes([random_.randrange(256)]) * size
    text = " ".join(random_.choices(WORDS, k=size // 6 + 1))
    return text[:size]


def fragments(random_, message):
    """The message, or an iterator over its fragments, including empty ones and single bytes."""
    if random_.random() < 0.6 or not message:
        return message
    cuts = sorted(random_.randrange(len(message) + 1) for _ in range(random_.randrange(1, 6)))
    return [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)])]


async def run_python(uri, deflate, count, seed):
    """The first problem, or None."""
    try:
        return await connect_and_converse(uri, deflate, count, seed)
    except (websockets.WebSocketException, OSError, asyncio.TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def connect_and_converse(uri, deflate, count, seed):
    random_ = random.Random(seed)
    # Windows of random sizes, with and without takeover. zlib supports 9 to 15 bits.
    extensions = []
    if deflate:
        extensions = [ClientPerMessageDeflateFactory(
            server_no_context_takeover=random_.random() < 0.3, client_no_context_takeover=random_.random() < 0.3,
            server_max_window_bits=random_.choice([None, 9, 10, 12, 15]), client_max_window_bits=random_.choice([True, 9, 11, 15]),
            compress_settings={"level": random_.choice([1, 6])})]
    async with connect(uri, extensions=extensions, compression=None, max_size=None, ping_interval=None, proxy=None) as socket:
        if deflate and not socket.protocol.extensions:
            return "deflate was not agreed on"
        return await converse(socket, random_, count)


async def converse(socket, random_, count):
    """Sends `count` messages and compares every echo. Returns the first problem, or None."""
    waiting, gate = [], asyncio.Semaphore(WINDOW)

    async def read():
        for index in range(count):
            got = await asyncio.wait_for(socket.recv(), 30)
            if not waiting:
                return f"message {index}: {describe(got)}, which was not sent"
            expected = waiting.pop(0)
            gate.release()
            if got != expected or type(got) is not type(expected):
                return f"message {index}: {describe(got)} for {describe(expected)}"
        return None

    async def write():
        for _ in range(count):
            await gate.acquire()
            message = random_message(random_)
            waiting.append(message)
            await socket.send(fragments(random_, message))
            if random_.random() < 0.01:
                await asyncio.wait_for(await socket.ping(random_.randbytes(random_.randrange(125))), 30)

    reader, writer = asyncio.create_task(read()), asyncio.create_task(write())
    # A wrong echo ends the reader, and with it the writer, which would otherwise wait forever.
    problem = await reader
    writer.cancel()
    return problem


def describe(message):
    data = message.encode() if isinstance(message, str) else message
    return f"{type(message).__name__} of {len(data)} bytes ({hashlib.sha256(data).hexdigest()[:8]})"


def python_client(server, path, count, seed):
    sockets = max(1, min(10, count // 50))

    async def all_sockets():
        counts = [count // sockets + (index < count % sockets) for index in range(sockets)]
        return await asyncio.gather(*(
            run_python(f"ws://{server.authority}{path}", path in ("/wsd", "/wsdd"), each, seed * 1000 + index)
            for index, each in enumerate(counts)))

    problems = [problem for problem in asyncio.run(all_sockets()) if problem]
    return problems[0] if problems else None


def node_client(server, path, count, seed):
    finished = subprocess.run(["node", os.path.join(HERE, "echo.js"), f"ws://{server.authority}{path}", str(count), str(seed)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200)
    if finished.returncode != 0:
        return (finished.stdout + finished.stderr).strip()[-300:] or f"node ended with {finished.returncode}"
    response = json.loads(finished.stdout)
    return None if response["messages"] == count else f"{response['messages']} of {count} messages"


def main():
    tally = Tally("ws-echo")
    mode = os.environ.get("CONFORMANCE_MODE", "full")
    total = int(os.environ.get("MESSAGES", 5_000 if mode == "light" else 100_000))
    seed = int(os.environ.get("SEED", 6455))
    paths = ["/ws", "/wsd", "/wsdd", "/wsh"]
    each = -(-total // (len(paths) * 2))
    print(f"{each} messages for each of {len(paths) * 2} pairs, seed {seed}, websockets {websockets.__version__}")
    with Server() as server:
        for path in paths:
            for name, client in (("python", python_client), ("node", node_client)):
                started = time.monotonic()
                tally.run(f"{name} {path}: {each} messages", client, server, path, each, seed)
                print(f"{name} {path}: {time.monotonic() - started:.1f} s", flush=True)
        tally.check("the server is alive after all of it", None if server.alive() else server.tail())
    tally.finish()


if __name__ == "__main__":
    sys.exit(main())
