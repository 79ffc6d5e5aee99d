"""Randomized echo test of WSKit's client against independent servers.

Servers over Python's websockets and Node's ws send random messages, text and binary, of random sizes, in random
fragments, several at a time. The client (AUTOBAHN_CLIENT, started as `PROGRAM echo URL MODE THRESHOLD`) echoes
them. Each must come back unchanged and in order, until the server closes with 1000. Every socket has its own
windows, takeover and threshold. MESSAGES sets the number for each server and mode (light: 3,000; full: 20,000),
SEED the random sequence.
"""

import asyncio
import json
import os
import random
import shlex
import sys
import time

import websockets
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from echo import HERE, converse
from tally import Tally

MODES = ["plain", "deflate", "takeover"]
#: Messages on one socket. Many sockets negotiate many parameters, long conversations fill the windows.
PER_SOCKET = 1_000
#: Concurrent conversations, each with a client and a server: right for a machine with two cores.
AT_ONCE = 2
START_TIMEOUT = 20
#: How soon a server must notice that its client has ended.
END_TIMEOUT = 5
#: The time limit for all messages of one socket.
CONVERSATION_TIMEOUT = 300


def client_arguments(mode, random_):
    """MODE and THRESHOLD of one client, and whether it requests a window size."""
    bits = random_.choice([None, None, None, 9, 12, 14]) if mode == "takeover" else None
    threshold = random_.choice([0, 0, 128])
    return [mode if bits is None else f"takeover:{bits}", str(threshold)], bits is not None


async def start(*arguments, **more):
    return await asyncio.create_subprocess_exec(*arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                                                stderr=asyncio.subprocess.STDOUT, **more)


async def end(process):
    """Stops a running process by its pid."""
    if process.returncode is None:
        process.kill()
    await process.wait()


async def run_client(command, port, arguments):
    """Waits until the client ends. Returns a problem or None."""
    client = await start(*command, "echo", f"ws://127.0.0.1:{port}/", *arguments)
    try:
        output, _ = await asyncio.wait_for(client.communicate(), CONVERSATION_TIMEOUT)
    except asyncio.TimeoutError:
        return f"the client was not done after {CONVERSATION_TIMEOUT} s"
    finally:
        await end(client)
    return None if client.returncode == 0 else f"the client ended with {client.returncode}: {output.decode(errors='replace').strip()[:300]}"


# Python's websockets

def python_extensions(mode, random_):
    if mode == "plain":
        return None
    # zlib's raw compressor supports 9 bits and more, its decompressor 8 and more.
    return [ServerPerMessageDeflateFactory(
        server_no_context_takeover=random_.random() < 0.3, client_no_context_takeover=random_.random() < 0.3,
        server_max_window_bits=random_.choice([None, 9, 10, 12, 15]), client_max_window_bits=random_.choice([None, 8, 9, 11, 15]),
        compress_settings={"level": random_.choice([1, 6, 9])})]


async def python_server(command, mode, count, random_):
    """The negotiated parameters, and the first problem or None."""
    outcome, agreed = asyncio.get_running_loop().create_future(), []

    async def talk(socket):
        try:
            agreed.extend(socket.protocol.extensions)
            problem = None if bool(agreed) == (mode != "plain") else f"agreed on {agreed}"
            problem = problem or await converse(socket, random_, count)
            await socket.close(1000)
            received = socket.protocol.close_rcvd
            if not problem and (not received or received.code != 1000):
                problem = f"the reply to the close was {received}"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if not outcome.done():
            outcome.set_result(problem)

    arguments, _ = client_arguments(mode, random_)
    async with serve(talk, "127.0.0.1", 0, extensions=python_extensions(mode, random_), compression=None,
                     max_size=None, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        client_problem = await run_client(command, port, arguments)
        # The client has ended, so a server that still waits for it notices at once.
        try:
            problem = await asyncio.wait_for(outcome, END_TIMEOUT)
        except asyncio.TimeoutError:
            problem = "the server saw no end"
    return f"{arguments}, {agreed}", "; ".join(filter(None, [problem, client_problem])) or None


# Node's ws

def node_deflate(mode, random_, has_own_window):
    if mode == "plain":
        return False
    options = {"threshold": 0, "zlibDeflateOptions": {"level": random_.choice([1, 6, 9])}}
    # Only requested options are set: in ws, false means that the client may not choose the option either.
    for name in ("serverNoContextTakeover", "clientNoContextTakeover"):
        if random_.random() < 0.3:
            options[name] = True
    if random_.random() < 0.7:
        options["serverMaxWindowBits"] = random_.choice([9, 12, 15])
    # ws replies with its own number even if the client requested less, which the client must reject.
    if not has_own_window and random_.random() < 0.7:
        options["clientMaxWindowBits"] = random_.choice([9, 12, 15])
    return options


async def node_server(command, mode, count, random_):
    arguments, has_own_window = client_arguments(mode, random_)
    options = node_deflate(mode, random_, has_own_window)
    server = await start("node", os.path.join(HERE, "server.js"), json.dumps(options), str(count), str(random_.randrange(1 << 32)))
    client_problem = None
    try:
        line = (await asyncio.wait_for(server.stdout.readline(), START_TIMEOUT)).decode()
        if line.strip().isdigit():
            client_problem = await run_client(command, line.strip(), arguments)
        output = line + (await asyncio.wait_for(server.stdout.read(), END_TIMEOUT)).decode(errors="replace")
        await asyncio.wait_for(server.wait(), END_TIMEOUT)
        problem = None if server.returncode == 0 else f"the server: {output.strip()[-300:]}"
        if not problem and json.loads(output.splitlines()[-1])["messages"] != count:
            problem = output
    except asyncio.TimeoutError:
        problem = "the server saw no end"
    finally:
        await end(server)
    return f"{arguments}, {options}", "; ".join(filter(None, [problem, client_problem])) or None


# All of it

async def all_sockets(server, command, mode, count, seed):
    sockets, gate = max(2, -(-count // PER_SOCKET)), asyncio.Semaphore(AT_ONCE)

    async def one(index):
        async with gate:
            messages = count // sockets + (index < count % sockets)
            agreed, problem = await server(command, mode, messages, random.Random(f"{seed} {mode} {index}"))
            return problem and f"socket {index} ({agreed}): {problem}"

    return await asyncio.gather(*(one(index) for index in range(sockets)))


def check(server, command, mode, count, seed):
    problems = [problem for problem in asyncio.run(all_sockets(server, command, mode, count, seed)) if problem]
    return f"{problems[0]} (and {len(problems) - 1} more sockets)" if problems else None


def main():
    tally = Tally("ws-client")
    command = shlex.split(os.environ.get("AUTOBAHN_CLIENT", ""))
    if not command:
        sys.exit("error: AUTOBAHN_CLIENT does not name the client to test")
    full = os.environ.get("CONFORMANCE_MODE", "full") == "full"
    count = int(os.environ.get("MESSAGES", 20_000 if full else 3_000))
    seed = int(os.environ.get("SEED", 7692))
    print(f"{count} messages for each of {2 * len(MODES)} pairs, seed {seed}, websockets {websockets.__version__}", flush=True)
    for mode in MODES:
        for name, server in (("python", python_server), ("node", node_server)):
            started = time.monotonic()
            tally.run(f"{name} {mode}: {count} messages", check, server, command, mode, count, seed)
            print(f"{name} {mode}: {time.monotonic() - started:.1f} s", flush=True)
    tally.finish()


if __name__ == "__main__":
    main()
