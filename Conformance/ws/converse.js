// Shared by the client and the server over Node's ws: sends random messages in random fragments with pings in
// between, and checks that every echo is equal and in order.

// Messages in flight on one socket.
const WINDOW = 8;
// Sizes around the boundaries of the length field and of typical buffers.
const EDGES = [125, 126, 127, 1024, 4096, 16384, 65535, 65536];

// A small random generator with a seed (mulberry32), so that a failure can be reproduced.
function generator(seed) {
    let state = Number(seed) >>> 0;
    const random = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const below = (bound) => Math.floor(random() * bound);
    return { random, below, choice: (list) => list[below(list.length)] };
}

function randomMessage({ random, below, choice }) {
    const kind = random();
    const size = kind < 0.55 ? below(200) : kind < 0.75 ? choice(EDGES) + below(3) - 1
        : kind < 0.98 ? below(8000) : below(200000);
    if (random() < 0.5) {
        const data = Buffer.alloc(size, below(256));
        if (random() < 0.5) for (let i = 0; i < size; i++) data[i] = below(256);
        return { data, binary: true };
    }
    // Cut between characters: half a surrogate pair would not survive the encoding.
    const text = Array.from('a word, é, 日本 and 🦊; '.repeat(size / 40 + 1)).slice(0, size).join('');
    return { data: Buffer.from(text), binary: false };
}

function send(socket, { data, binary }, { random, below }, compress) {
    let start = 0;
    // ws sends each piece as its own frame. The last one has the FIN bit.
    for (let pieces = random() < 0.6 ? 0 : below(5); pieces > 0; pieces--) {
        const end = start + below(data.length - start + 1);
        socket.send(data.subarray(start, end), { binary, fin: false, compress });
        if (random() < 0.05) socket.ping(Buffer.alloc(below(126), below(256)));
        start = end;
    }
    socket.send(data.subarray(start), { binary, fin: true, compress });
}

// Sends `count` messages over an open socket and closes it with 1000 after the last echo. `done` is called once, with
// the problem or null.
function converse(socket, count, chance, compress, done) {
    const waiting = [];
    let sent = 0;
    let received = 0;
    let ended = false;

    function end(problem) {
        if (ended) return;
        ended = true;
        if (problem) socket.terminate();
        done(problem);
    }
    function sendMore() {
        while (sent < count && waiting.length < WINDOW) {
            const message = randomMessage(chance);
            waiting.push(message);
            sent += 1;
            send(socket, message, chance, compress);
        }
    }

    socket.on('message', (data, binary) => {
        const expected = waiting.shift();
        if (!expected || binary !== expected.binary || !data.equals(expected.data)) {
            return end(`message ${received}: ${data.length} bytes for ${expected && expected.data.length}`);
        }
        received += 1;
        if (received === count) socket.close(1000);
        else sendMore();
    });
    socket.on('error', (error) => end(`error after ${received} messages: ${error.message}`));
    socket.on('close', (code) => {
        if (received !== count) end(`closed with ${code} after ${received} of ${count} messages`);
        else end(code === 1000 ? null : `closed with ${code}`);
    });
    sendMore();
}

module.exports = { converse, generator };
