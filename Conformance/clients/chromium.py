"""Chromium as a client of static files: media by ranges, precompressed assets, revalidation."""

import json
import os
import re
import shutil
import subprocess
import time
import wave

#: 96 s of sound are 17 MB. A browser does not buffer that much, so seeking to the end needs another range request.
SECONDS, RATE, FRAME = 96, 44_100, 4
#: A date that is a minute old is a strong validator (RFC 9110 §8.8.2.2), so a browser caches parts of such a file.
DAY_AGO = time.time() - 86_400
#: How long after a change the server may still serve the old file.
FRESH = 1.2


# The files

def make_folder(root):
    folder = os.path.join(root, "browser")
    os.mkdir(folder)
    make_sound(os.path.join(folder, "new.wav"))
    shutil.copyfile(os.path.join(folder, "new.wav"), os.path.join(folder, "old.wav"))
    os.utime(os.path.join(folder, "old.wav"), (DAY_AGO, DAY_AGO))
    for name in ("new", "old"):
        write(folder, f"{name}.html", f"<!doctype html><title>{name}</title><audio id=sound preload=metadata src={name}.wav></audio>")
    write(folder, "assets.html", "<!doctype html><title>assets</title><link rel=stylesheet href=style.css><p id=text>text</p><script src=script.js></script>")
    write_assets(folder, 1)


def make_sound(path):
    with wave.open(path, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        period = b"".join((12_000 if index < 50 else -12_000).to_bytes(2, "little", signed=True) * 2 for index in range(100))
        sound.writeframes(period * (RATE * SECONDS // 100))


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def script(version):
    return f"window.version = {version};\nwindow.text = '" + "ü日本🦊 " * 400 + f"{version}';\n"


def style(version):
    return "".join(f".rule-{index} {{ color: rgb(1, 2, 3) }}\n" for index in range(200)) + f"#text {{ color: rgb(10, 20, {version}) }}\n"


def write_assets(folder, version):
    """script.js has both siblings, of which br is preferred. style.css has gzip only."""
    write(folder, "script.js", script(version))
    write(folder, "style.css", style(version))
    # Node is already one of the clients, and supports both codings.
    code = """const fs = require('fs'), zlib = require('zlib'), [folder] = process.argv.slice(1);
              for (const [name, coding, pack] of [['script.js', 'br', zlib.brotliCompressSync], ['script.js', 'gz', zlib.gzipSync], ['style.css', 'gz', zlib.gzipSync]])
                  fs.writeFileSync(`${folder}/${name}.${coding}`, pack(fs.readFileSync(`${folder}/${name}`)));"""
    subprocess.run(["node", "-e", code, folder], check=True, timeout=30)


# Media

def plays_and_seeks(name):
    return lambda browser, server, root: play(name, browser, f"{server.url}/static/browser", os.path.join(root, "browser"))


def play(name, browser, url, folder):
    size = os.path.getsize(os.path.join(folder, f"{name}.wav"))
    with browser.tab() as tab:
        tab.load(f"{url}/{name}.html")
        state = tab.evaluate(PLAY)
        assert not state["error"], f"the media element: {state}"
        assert abs(state["duration"] - SECONDS) < 0.1 and state["time"] > 0, f"before seeking: {state}"
        assert abs(state["seekable"] - SECONDS) < 0.1, f"seekable to {state['seekable']}, expected {SECONDS}"
        state = tab.evaluate(SEEK)
        assert not state["error"], f"the media element: {state}"
        assert SECONDS - 2.1 < state["time"] < SECONDS, f"after seeking: {state}"
        assert state["ready"] >= 2 and abs(state["seekable"] - SECONDS) < 0.1, f"after seeking: {state}"
        state = tab.evaluate(UNTIL_ENDED)
        assert state["ended"] and abs(state["time"] - SECONDS) < 0.1, f"at the end: {state}"
        # A request that the page cancelled, because it needed no more data, has a response too.
        exchanges = [exchange for exchange in tab.exchanges(f"{url}/{name}.wav") if exchange.status]
        return range_problem(exchanges, size)


#: Each is a promise of the element's state. An error of the element also settles it.
STATE = """const sound = document.getElementById('sound');
const state = () => ({ time: sound.currentTime, duration: sound.duration, ready: sound.readyState, ended: sound.ended,
    seekable: sound.seekable.length ? sound.seekable.end(sound.seekable.length - 1) : 0, error: sound.error && sound.error.message });
const until = (name, test) => new Promise((resolve) => {
    for (const each of [name, 'error']) sound.addEventListener(each, () => { if (sound.error || test()) resolve(state()); });
    if (test()) resolve(state());
});"""
PLAY = f"(() => {{ {STATE} sound.play(); return until('timeupdate', () => sound.currentTime > 0.2); }})()"
SEEK = f"(() => {{ {STATE} let seeked = false; sound.addEventListener('seeked', () => seeked = true);" \
       " sound.currentTime = sound.duration - 2; return until('seeked', () => seeked); })()"
UNTIL_ENDED = f"(() => {{ {STATE} return until('ended', () => sound.ended); }})()"


def range_problem(exchanges, size):
    """Every request of a media element has a Range. Each must get 206, one of them for the end of the file."""
    far = 0
    for exchange in exchanges:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.sent.get("range", ""))
        if not asked:
            return f"a request with Range {exchange.sent.get('range')}"
        first, last = int(asked[1]), int(asked[2]) if asked[2] else size - 1
        far += first > size * 3 // 4
        # For parts that it has cached, a browser sends a conditional request.
        if exchange.status == 304 and exchange.sent.get("if-none-match"):
            continue
        # RFC 9110 §13.1.5: a weak tag never matches in If-Range, so the whole file is the right response.
        if exchange.status == 200 and exchange.sent.get("if-range", "").startswith("W/"):
            print(f"note: {asked[0]} with If-Range: {exchange.sent['if-range']} was answered with the whole file")
            continue
        if exchange.status != 206:
            return f"{asked[0]} was answered {exchange.status}"
        if exchange.received.get("content-range") != f"bytes {first}-{last}/{size}":
            return f"{asked[0]} was answered {exchange.received.get('content-range')}, the file has {size} bytes"
        if exchange.received.get("content-length") != str(last - first + 1):
            return f"{asked[0]}: Content-Length is {exchange.received.get('content-length')}"
    if not any(exchange.status == 206 for exchange in exchanges):
        return "no response was 206"
    return None if far else f"no range near the end was asked for: {[exchange.sent.get('range') for exchange in exchanges]}"


# Precompressed assets

def expect_assets(tab, url, version, status):
    """Checks that the page is at `version`, and that its assets got `status`."""
    for name, coding, text in (("script.js", "br", script(version)), ("style.css", "gzip", style(version))):
        exchange = tab.settled(f"{url}/{name}")
        assert exchange.status == status, f"{name} was answered {exchange.status}, expected {status}"
        assert "br" in exchange.sent.get("accept-encoding", ""), f"Accept-Encoding is {exchange.sent.get('accept-encoding')}"
        if status == 200:
            assert exchange.received.get("content-encoding") == coding, f"{name}: Content-Encoding is {exchange.received.get('content-encoding')}, expected {coding}"
            assert exchange.encoded_size < len(text.encode()), f"{name}: {exchange.encoded_size} bytes were received for {len(text.encode())}"
        else:
            assert exchange.sent.get("if-none-match"), f"{name} was asked for without If-None-Match"
            assert exchange.received.get("etag") == exchange.sent["if-none-match"], f"{name}: 304 with ETag {exchange.received.get('etag')}"
    seen = tab.evaluate("[window.version, getComputedStyle(document.getElementById('text')).color]")
    assert seen == [version, f"rgb(10, 20, {version})"], f"the page shows {seen}, expected version {version}"


def precompressed(browser, server, root):
    url = f"{server.url}/static/browser"
    with browser.tab() as tab:
        tab.load(f"{url}/assets.html")
        expect_assets(tab, url, 1, 200)
        for name, text in (("script.js", script(1)), ("style.css", style(1))):
            fetched = tab.evaluate(f"fetch({json.dumps(name)}, {{ cache: 'reload' }}).then((response) => response.text())")
            assert fetched == text, f"{name}: {len(fetched)} characters, expected {len(text)}"
    return None


# Revalidation

def revalidates(browser, server, root):
    url = f"{server.url}/static/browser"
    with browser.tab() as tab:
        page = f"{url}/assets.html"
        for version in (1, 2):
            if version > 1:
                write_assets(os.path.join(root, "browser"), version)
                time.sleep(FRESH)
            tab.load(page)
            expect_assets(tab, url, version, 200)
            # The page has not changed, so the browser has it cached from the first visit.
            assert tab.settled(page).status == (200 if version == 1 else 304), f"{tab.settled(page)}"
            tab.load("about:blank")
            tab.load(page)
            expect_assets(tab, url, version, 304)
            assert tab.settled(page).status == 304, f"{tab.settled(page)}"
    return None


def checks(browser, root):
    for name, body in [("a new sound of 17 MB plays and seeks by ranges", plays_and_seeks("new")),
                       ("a sound of yesterday plays and seeks by ranges", plays_and_seeks("old")),
                       ("precompressed assets", precompressed), ("304 until a file changes", revalidates)]:
        yield f"chromium: {name}", lambda server, body=body: body(browser, server, root)
