// Requests with a large body that get a response before the body is sent. Prints the results as a JSON object.
//
//   node early.js URL fetch|http BYTES COUNT

const http = require('node:http');

const [url, client, size, count] = process.argv.slice(2);
const body = Buffer.alloc(Number(size), 97);

async function viaFetch() {
    const response = await fetch(url, { method: 'POST', body });
    await response.arrayBuffer();
    return response.status;
}

function viaHTTP() {
    return new Promise((resolve, reject) => {
        const request = http.request(url, { method: 'POST', agent: false, headers: { 'content-length': body.length } }, (response) => {
            response.on('error', reject);
            response.on('end', () => resolve(response.statusCode));
            response.resume();
        });
        request.on('error', reject);
        request.end(body);
    });
}

(async () => {
    const ends = {};
    for (let index = 0; index < Number(count); index++) {
        let end;
        try {
            end = await (client === 'fetch' ? viaFetch() : viaHTTP());
        } catch (error) {
            end = error.cause?.code ?? error.code ?? String(error);
        }
        ends[end] = (ends[end] ?? 0) + 1;
    }
    console.log(JSON.stringify(ends));
    process.exit(0);
})();
