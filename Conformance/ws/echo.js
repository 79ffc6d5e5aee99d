// Random messages over Node's ws to an echo server; see converse.js.
//
//   node echo.js URL COUNT SEED

const WebSocket = require('ws');
const { converse, generator } = require('./converse.js');

const [url, countText, seed] = process.argv.slice(2);
const count = Number(countText);
const deflate = /\/wsdd?$/.test(url);
const chance = generator(seed);

function finish(problem) {
    console.log(problem || JSON.stringify({ messages: count }));
    process.exit(problem ? 1 : 0);
}

const perMessageDeflate = deflate ? { threshold: 0 } : false;
// Only requested options are set: in ws, false means that the server may not choose the option either.
if (deflate && chance.random() < 0.3) perMessageDeflate.serverNoContextTakeover = true;
if (deflate && chance.random() < 0.3) perMessageDeflate.clientNoContextTakeover = true;
if (deflate && chance.random() < 0.7) perMessageDeflate.serverMaxWindowBits = chance.choice([9, 12, 15]);
const socket = new WebSocket(url, { perMessageDeflate, maxPayload: 1 << 26 });

const refused = (error) => finish(`not connected: ${error.message}`);
socket.once('error', refused);
socket.on('open', () => {
    socket.off('error', refused);
    if (deflate && !socket.extensions.includes('permessage-deflate')) finish('deflate was not agreed on');
    converse(socket, count, chance, deflate, finish);
});
