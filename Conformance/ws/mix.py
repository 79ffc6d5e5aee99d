"""Published and sent messages mixed on one socket with context takeover, read by Python's websockets.

A published message is compressed once for all subscribers, with an empty history. Its text is then added to each
subscriber's history, and messages sent to one subscriber refer back to it. The client's inflater fails if a single
byte in the history is wrong.
"""

import asyncio
import os
import random
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from server import Server

MESSAGES = int(os.environ.get("MESSAGES") or (12_000 if os.environ.get("CONFORMANCE_MODE") == "full" else 10_000))
WORDS = ["alpha", "beta", "gamma", "delta", "said again", '{"room":"lobby","name":"ann"}', "ünïcödé", "0123456789"]


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 60)))


async def mix(url, bits, seed):
    """One client requests published and direct messages, two others only listen. Returns a problem or None."""
    rng = random.Random(seed)
    factory = ClientPerMessageDeflateFactory(server_max_window_bits=bits, client_max_window_bits=True)
    options = {"compression": None, "extensions": [factory], "max_size": None, "ping_interval": None}
    async with (
        websockets.connect(url, **options) as writer,
        websockets.connect(url, **options) as second,
        websockets.connect(url, **options) as third,
    ):
        published, everything = [], []

        async def write():
            for number in range(MESSAGES):
                body = f"{number} {text(rng)}"
                is_published = rng.random() < 0.5 or number == MESSAGES - 1
                if is_published:
                    published.append(body)
                everything.append(body)
                await writer.send(("publish " if is_published else "send ") + body)

        async def read(socket, expected):
            number = 0
            while True:
                got = await asyncio.wait_for(socket.recv(), 60)
                if got != expected[number]:
                    return f"message {number} is {got[:60]!r}, not {expected[number][:60]!r}"
                number += 1
                if got.startswith(f"{MESSAGES - 1} "):
                    return None

        results = await asyncio.gather(
            read(writer, everything), read(second, published), read(third, published), write())
        return next((result for result in results if result), None)


async def main():
    failed = passed = 0
    with Server() as server:
        for bits in (9, 12, 15):
            try:
                problem = await mix(f"ws://{server.authority}/mix", bits, bits)
            except Exception as error:  # mainly errors of the inflater
                problem = f"{type(error).__name__}: {error}"
            if problem:
                failed += 1
                print(f"FAILED publish and send, {bits} window bits: {problem}")
            else:
                passed += 1
    print(f"ws-mix: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(asyncio.run(main()))
