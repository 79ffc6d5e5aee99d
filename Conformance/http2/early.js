// Uploads of 5, 17 and 64 MiB to a path that refuses them: `node early.js URL COUNT` prints how many responses came.
const http2 = require("http2");
const [url, count] = [process.argv[2], Number(process.argv[3])];
const sizes = [5 << 20, 17 << 20, 64 << 20];
let ok = 0, lost = 0;

function upload(client, size) {
    return new Promise((resolve) => {
        const request = client.request({ ":method": "POST", ":path": "/nothing" });
        let status = 0, content = "";
        request.on("response", (headers) => { status = headers[":status"]; });
        request.on("data", (data) => { content += data; });
        request.on("error", () => {});
        request.on("close", () => {
            if (status === 404 && content.length > 0) ok += 1; else lost += 1;
            resolve();
        });
        request.end(Buffer.alloc(size));
    });
}

(async () => {
    for (const size of sizes) {
        // The content itself counts as memory of the session, of which Node allows 10 MiB otherwise.
        const client = http2.connect(url, { maxSessionMemory: 1000, rejectUnauthorized: false });
        client.on("error", () => {});
        for (let turn = 0; turn < count; turn += 1) await upload(client, size);
        client.close();
    }
    console.log(JSON.stringify({ ok, lost }));
})();
