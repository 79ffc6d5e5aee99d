// A server over Node's ws for one conversation with an echo client; see converse.js.
//
//   node server.js DEFLATE COUNT SEED
//
// DEFLATE is the options of permessage-deflate in JSON, or false. The first line of output is the port. The last one is
// JSON with the negotiated parameters or the problem.

const { WebSocketServer } = require('ws');
const { converse, generator } = require('./converse.js');

const [deflateText, countText, seed] = process.argv.slice(2);
const perMessageDeflate = JSON.parse(deflateText);
const count = Number(countText);

function finish(problem, extensions) {
    console.log(problem || JSON.stringify({ messages: count, extensions }));
    process.exit(problem ? 1 : 0);
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate, maxPayload: 1 << 26 });
server.on('listening', () => console.log(server.address().port));
server.on('error', (error) => finish(`the server failed: ${error.message}`));
server.on('wsClientError', (error) => finish(`the handshake failed: ${error.message}`));
server.on('connection', (socket) => {
    if (perMessageDeflate && !socket.extensions.includes('permessage-deflate')) finish('deflate was not agreed on');
    if (!perMessageDeflate && socket.extensions) finish(`${socket.extensions} was agreed on`);
    converse(socket, count, generator(seed), Boolean(perMessageDeflate), (problem) => finish(problem, socket.extensions));
});
