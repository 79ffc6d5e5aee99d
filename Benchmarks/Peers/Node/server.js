// Node's http with ws, one process, as in their documentation.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const { WebSocketServer } = require('ws');

const options = { host: '127.0.0.1', port: '8080', static: '' };
for (let i = 2; i + 1 < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];

const subscribers = new Set();

function answer(response, type, body) {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function sendFile(response, name) {
  const file = path.join(options.static, path.basename(name));
  fs.stat(file, (error, found) => {
    if (error || !found.isFile()) {
      response.writeHead(404, { 'Content-Length': 0 });
      response.end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': found.size });
    fs.createReadStream(file).pipe(response);
  });
}

// 500 messages of 100 bytes, 100 a second.
function publish() {
  const text = '0123456789'.repeat(10);
  let round = 0;
  const start = Date.now();
  const timer = setInterval(() => {
    while (round < 500 && Date.now() - start >= (round + 1) * 10) {
      for (const socket of subscribers) socket.send(text);
      round += 1;
    }
    if (round >= 500) clearInterval(timer);
  }, 10);
}

const server = http.createServer((request, response) => {
  const url = request.url;
  if (url === '/plaintext') return answer(response, 'text/plain', 'Hello, World!');
  if (url === '/json') {
    return answer(response, 'application/json', JSON.stringify({ message: 'Hello, World!' }));
  }
  if (url.startsWith('/params/')) {
    const [id, name] = url.slice('/params/'.length).split('/').map(decodeURIComponent);
    return answer(response, 'application/json', JSON.stringify({ id, name }));
  }
  if (url === '/echo') {
    response.writeHead(200, { 'Content-Length': request.headers['content-length'] });
    return request.pipe(response);
  }
  if (url === '/collect') {
    let count = 0;
    request.on('data', (part) => { count += part.length; });
    return request.on('end', () => answer(response, 'text/plain', String(count)));
  }
  if (url === '/bcast') {
    answer(response, 'text/plain', 'ok');
    return publish();
  }
  if (url.startsWith('/static/') && options.static) return sendFile(response, url.slice('/static/'.length));
  response.writeHead(404, { 'Content-Length': 0 });
  response.end();
});

const plain = new WebSocketServer({ noServer: true });
const deflated = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
});

function echo(socket) {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

server.on('upgrade', (request, socket, head) => {
  const target = request.url === '/wsd' ? deflated : plain;
  target.handleUpgrade(request, socket, head, (ws) => {
    if (request.url !== '/sub') return echo(ws);
    subscribers.add(ws);
    ws.on('error', () => {});
    ws.on('close', () => subscribers.delete(ws));
  });
});

server.keepAliveTimeout = 60000;
server.listen({ host: options.host, port: Number(options.port), backlog: 4096 }, () => {
  console.log(`listening on http://${options.host}:${options.port}`);
});
