// Node's fetch and ws against TestServer. Prints "ok" or the problem.
//
//   node node.js URL

const assert = require('node:assert/strict');
const WebSocket = require('ws');

const url = process.argv[2];
const socketURL = url.replace(/^http/, 'ws');

async function fetches() {
    for (let index = 0; index < 20; index++) {
        assert.equal(await (await fetch(`${url}/plaintext`)).text(), 'Hello, World!');
    }
    assert.deepEqual(await (await fetch(`${url}/json`)).json(), { message: 'Hello, World!' });
    const body = Buffer.alloc(2_000_000, 'abcdefg');
    const echoed = await fetch(`${url}/echo`, { method: 'POST', body, headers: { 'content-type': 'application/x-big' } });
    assert.equal(echoed.headers.get('content-type'), 'application/x-big');
    assert.ok(Buffer.from(await echoed.arrayBuffer()).equals(body));
    const stream = new ReadableStream({
        start(controller) {
            for (let index = 0; index < 50; index++) controller.enqueue(body.subarray(0, 1000));
            controller.close();
        },
    });
    const collected = await fetch(`${url}/collect`, { method: 'POST', body: stream, duplex: 'half' });
    assert.equal(await collected.text(), '50000');
    assert.equal((await fetch(`${url}/plaintext`, { method: 'HEAD' })).headers.get('content-length'), '13');
    assert.equal((await fetch(`${url}/no/such/path`)).status, 404);
    const form = new FormData();
    form.append('a', '1');
    form.append('file', new Blob(['bytes']), 'x.bin');
    assert.match(await (await fetch(`${url}/form`, { method: 'POST', body: form })).text(), /x\.bin/);
    assert.equal(await (await fetch(`${url}/static/app.js`)).text(), 'x'.repeat(2000));
}

function echo(path, options, messages) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(socketURL + path, ['echo.v2'], options);
        let index = 0;
        socket.on('open', () => {
            if (socket.protocol !== 'echo.v2') reject(new Error(`subprotocol ${socket.protocol}`));
            socket.send(messages[0]);
        });
        socket.on('message', (data, binary) => {
            const expected = messages[index];
            if (binary !== Buffer.isBuffer(expected) || !data.equals(Buffer.from(expected))) reject(new Error(`message ${index} of ${path}`));
            index += 1;
            if (index < messages.length) socket.send(messages[index]);
            else socket.close(4000, 'done');
        });
        socket.on('error', reject);
        socket.on('close', (code) => (code === 4000 ? resolve() : reject(new Error(`${path} closed with ${code}`))));
    });
}

(async () => {
    await fetches();
    const messages = ['', 'text', 'é日本🦊'.repeat(500), Buffer.alloc(0), Buffer.alloc(1_000_000, 7), 'x'.repeat(65536)];
    await echo('/ws', { perMessageDeflate: false }, messages);
    await echo('/wsh', { perMessageDeflate: false }, messages);
    await echo('/wsd', { perMessageDeflate: { threshold: 0 } }, messages);
    await echo('/wsdd', { perMessageDeflate: { threshold: 0 } }, messages);
    console.log('ok');
    process.exit(0);
})().catch((error) => {
    console.log(error.stack);
    process.exit(1);
});
