"""Brings clients that speak WebSocket over HTTP/1.1 to a server over TLS and HTTP/2 (RFC 8441).

    python bridge.py SERVER-PORT        prints the port that it listens on, and ends with its standard input

Each connection of a client gets a connection of HTTP/2 of its own. The handshake is translated, and everything behind it
is passed on as it comes, byte by byte, so that the frames are those of the client.
"""

import asyncio
import base64
import hashlib
import sys

import h2.config
import h2.connection
import h2.events
import h2.exceptions

import tls

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Fields that a translated handshake does not have (RFC 8441 §5, RFC 9113 §8.2.2).
DROPPED = {"host", "connection", "upgrade", "sec-websocket-key"}


class Bridge:
    def __init__(self, port):
        self.port = port

    async def serve(self, reader, writer):
        try:
            await Passage(self.port, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, h2.exceptions.ProtocolError):
            pass
        finally:
            writer.close()


class Passage:
    """One client and its stream."""

    def __init__(self, port, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.may_send = asyncio.Event()
        self.answered = asyncio.Event()
        self.stream = None

    async def run(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        request, *lines = head.decode("latin-1").split("\r\n")[:-2]
        fields = [(name.strip().lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines)]
        named = dict(fields)
        self.far_reader, self.far_writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls.client_context(["h2"]))
        try:
            self.http.initiate_connection()
            # Streams may send much before they hear of it, so that large messages flow.
            self.http.increment_flow_control_window(1 << 24)
            self.flush()
            while not self.http.remote_settings.enable_connect_protocol:
                self.take(await self.more())
            self.stream = self.http.get_next_available_stream_id()
            self.http.send_headers(self.stream, [
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", request.split(" ")[1]),
                (":authority", named["host"])] + [(name, value) for name, value in fields if name not in DROPPED])
            self.flush()
            accept = base64.b64encode(hashlib.sha1(named["sec-websocket-key"].encode() + GUID).digest()).decode()
            down = asyncio.create_task(self.down(accept))
            up = asyncio.create_task(self.up())
            await down
            up.cancel()
        finally:
            self.far_writer.close()

    def flush(self):
        self.far_writer.write(self.http.data_to_send())

    async def more(self):
        data = await self.far_reader.read(65536)
        if not data:
            raise ConnectionError("the server has closed")
        return data

    def take(self, data, accept=None):
        """What the server has sent. Returns whether its stream goes on."""
        goes_on = True
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                fields = dict(event.headers)
                if fields[":status"] == "200":
                    lines = [f"{name}: {value}" for name, value in event.headers if name.startswith("sec-websocket-")]
                    status = "101 Switching Protocols"
                    lines += ["connection: Upgrade", "upgrade: websocket", f"sec-websocket-accept: {accept}"]
                else:
                    status, lines = f"{fields[':status']} Refused", ["connection: close"]
                self.writer.write(("\r\n".join([f"HTTP/1.1 {status}", *lines]) + "\r\n\r\n").encode("latin-1"))
                self.answered.set()
            elif isinstance(event, h2.events.DataReceived):
                self.writer.write(event.data)
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                goes_on = False
            elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
                self.may_send.set()
        self.flush()
        return goes_on

    async def down(self, accept):
        while self.take(await self.more(), accept):
            await self.writer.drain()
        if self.writer.can_write_eof():
            self.writer.write_eof()

    async def up(self):
        await self.answered.wait()
        while data := await self.reader.read(65536):
            while data:
                room = min(self.http.local_flow_control_window(self.stream), self.http.max_outbound_frame_size, len(data))
                if room <= 0:
                    self.may_send.clear()
                    await self.may_send.wait()
                    continue
                self.http.send_data(self.stream, data[:room])
                self.flush()
                data = data[room:]
            await self.far_writer.drain()
        self.http.end_stream(self.stream)
        self.flush()


async def main():
    server = await asyncio.start_server(Bridge(int(sys.argv[1])).serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
