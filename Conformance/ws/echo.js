// Random messages over Node's ws, in random fragments; every echo must equal what was sent, in its order.
//
//   node echo.js URL COUNT SEED

const WebSocket = require('ws');

const [url, countText, seedText] = process.argv.slice(2);
const count = Number(countText);
const deflate = /\/wsdd?$/.test(url);
const WINDOW = 8;

// A small generator with a seed (mulberry32), so that a failure can be repeated.
let state = Number(seedText) >>> 0;
function random() {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (bound) => Math.floor(random() * bound);

function randomMessage() {
    const kind = random();
    const edges = [125, 126, 127, 1024, 4096, 16384, 65535, 65536];
    const size = kind < 0.55 ? below(200) : kind < 0.75 ? edges[below(edges.length)] + below(3) - 1
        : kind < 0.98 ? below(8000) : below(200000);
    if (random() < 0.5) {
        const data = Buffer.alloc(size, below(256));
        if (random() < 0.5) for (let i = 0; i < size; i++) data[i] = below(256);
        return { data, binary: true };
    }
    // Cut at a character: half of a surrogate pair would not survive the encoding.
    const text = Array.from('a word, é, 日本 and 🦊; '.repeat(size / 40 + 1)).slice(0, size).join('');
    return { data: Buffer.from(text), binary: false };
}

function fail(reason) {
    console.log(reason);
    process.exit(1);
}

const perMessageDeflate = deflate ? { threshold: 0 } : false;
// Only what is asked for is named: to ws a false means that the server may not choose it either.
if (deflate && random() < 0.3) perMessageDeflate.serverNoContextTakeover = true;
if (deflate && random() < 0.3) perMessageDeflate.clientNoContextTakeover = true;
if (deflate && random() < 0.7) perMessageDeflate.serverMaxWindowBits = [9, 12, 15][below(3)];
const socket = new WebSocket(url, { perMessageDeflate, maxPayload: 1 << 26 });
const waiting = [];
let sent = 0;
let received = 0;

function sendMore() {
    while (sent < count && waiting.length < WINDOW) {
        const { data, binary } = randomMessage();
        waiting.push({ data, binary });
        sent += 1;
        let start = 0;
        // ws sends each piece as a frame of its own; the last one carries the end of the message.
        for (let pieces = random() < 0.6 ? 0 : below(5); pieces > 0; pieces--) {
            const end = start + below(data.length - start + 1);
            socket.send(data.subarray(start, end), { binary, fin: false, compress: deflate });
            start = end;
        }
        socket.send(data.subarray(start), { binary, fin: true, compress: deflate });
    }
}

socket.on('open', () => {
    if (deflate && !socket.extensions.includes('permessage-deflate')) fail('deflate was not agreed on');
    sendMore();
});
socket.on('message', (data, binary) => {
    const expected = waiting.shift();
    if (!expected || binary !== expected.binary || !data.equals(expected.data)) {
        fail(`message ${received}: ${data.length} octets for ${expected && expected.data.length}`);
    }
    received += 1;
    if (received === count) socket.close(1000);
    else sendMore();
});
socket.on('error', (error) => fail(`error after ${received} messages: ${error.message}`));
socket.on('close', (code) => {
    if (received !== count) fail(`closed with ${code} after ${received} messages`);
    if (code !== 1000) fail(`closed with ${code}`);
    console.log(JSON.stringify({ messages: received }));
});
