// Deno.serve with its own WebSocket, which negotiates no permessage-deflate.
const options: Record<string, string> = { host: "127.0.0.1", port: "8080", static: "" };
for (let i = 0; i + 1 < Deno.args.length; i += 2) options[Deno.args[i].slice(2)] = Deno.args[i + 1];

const subscribers = new Set<WebSocket>();
const json = (value: unknown) =>
  new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });

// 500 messages of 100 bytes, 100 a second.
function publish() {
  const text = "0123456789".repeat(10);
  const start = Date.now();
  let round = 0;
  const timer = setInterval(() => {
    while (round < 500 && Date.now() - start >= (round + 1) * 10) {
      for (const socket of subscribers) socket.send(text);
      round += 1;
    }
    if (round >= 500) clearInterval(timer);
  }, 10);
}

function upgrade(request: Request, path: string): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  if (path === "/sub") {
    socket.onopen = () => subscribers.add(socket);
    socket.onclose = () => subscribers.delete(socket);
  } else {
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => socket.send(event.data);
  }
  socket.onerror = () => {};
  return response;
}

Deno.serve({
  hostname: options.host,
  port: Number(options.port),
  onListen: () => console.log(`listening on http://${options.host}:${options.port}`),
}, async (request) => {
  const path = new URL(request.url).pathname;
  switch (path) {
    case "/plaintext":
      return new Response("Hello, World!");
    case "/json":
      return json({ message: "Hello, World!" });
    case "/ws":
    case "/sub":
      return upgrade(request, path);
    case "/bcast":
      publish();
      return new Response("ok");
    case "/echo":
      // Streaming it back while it arrives would end the connection.
      return new Response(await request.arrayBuffer());
    case "/collect": {
      let count = 0;
      if (request.body) for await (const part of request.body) count += part.length;
      return new Response(String(count));
    }
  }
  const parts = path.split("/");
  if (parts[1] === "params" && parts.length === 4) {
    return json({ id: decodeURIComponent(parts[2]), name: decodeURIComponent(parts[3]) });
  }
  if (parts[1] === "static" && options.static) {
    try {
      const file = await Deno.open(`${options.static}/${parts[2]}`);
      const found = await file.stat();
      return new Response(file.readable, { headers: { "content-length": String(found.size) } });
    } catch {
      return new Response(null, { status: 404 });
    }
  }
  return new Response(null, { status: 404 });
});
