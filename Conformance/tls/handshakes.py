"""What a handshake settles, asked by openssl and by Python's ssl module."""

import re
import socket
import ssl
import subprocess
import tempfile

import tls
from server import Server
from wire import read_response

GET = b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n"


def openssl(server, *flags, data=b"", timeout=20):
    """What `openssl s_client` prints."""
    finished = subprocess.run(
        ["openssl", "s_client", "-connect", server.authority, "-servername", "localhost", *flags],
        input=data, capture_output=True, timeout=timeout)
    return (finished.stdout + finished.stderr).decode(errors="replace")


def agreed(server, *flags, data=b""):
    """The version and the cipher that openssl agrees on; None if the handshake fails."""
    match = re.search(r"New, (TLSv[\d.]+), Cipher is (\S+)", openssl(server, *flags, data=data))
    return match.groups() if match and match.group(2) != "(NONE)" else None


def client_hello():
    """The first message of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = tls.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def versions(server):
    assert agreed(server, "-tls1_3")[0] == "TLSv1.3"
    assert agreed(server, "-tls1_2")[0] == "TLSv1.2"
    # The security level 0 lets openssl ask for what is old.
    for version in ("-tls1_1", "-tls1"):
        out = openssl(server, version, "-cipher", "ALL:@SECLEVEL=0")
        assert "alert protocol version" in out, f"{version}: {out[-300:]}"
    return None


def ciphers(server):
    """TLS 1.2: forward secrecy and authenticated encryption only (RFC 9113 §9.2.2)."""
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert agreed(server, "-tls1_2", "-cipher", cipher) == ("TLSv1.2", cipher), cipher
    for cipher in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM", "AES128-GCM-SHA256", "AES128-SHA",
                   "NULL-SHA256", "AECDH-AES128-SHA", "PSK-AES128-GCM-SHA256"):
        found = agreed(server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
        assert found is None, f"{cipher}: {found}"
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        assert agreed(server, "-tls1_3", "-ciphersuites", suite) == ("TLSv1.3", suite), suite
    return None


def protocols(server):
    """ALPN (RFC 7301): the server's choice, and none if there is none in common."""
    for offered, expected in ((["http/1.1", "h2"], "h2"), (["h2"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/3", "http/1.1"], "http/1.1"),
                              (["spdy/3"], None), ([], None), (["H2"], None), (["h2c"], None)):
        context = tls.client_context(offered)
        with tls.Connection(socket.create_connection(server.address, 10), context) as connection:
            chosen = connection.tls.selected_alpn_protocol()
            assert chosen == expected, f"{offered}: {chosen}"
            if expected != "h2":
                connection.sendall(GET)
                body = read_response(connection)[0].body
                assert b'"scheme":"https"' in body and b'"version":"HTTP/1.1"' in body, f"{offered}: {body!r}"
    return None


def resumption(server):
    """A second connection of a client goes on with the session of the first."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        with tls.Connection(socket.create_connection(server.address, 10), context) as first:
            first.sendall(GET)
            read_response(first)
            session = first.tls.session
            assert session is not None and session.has_ticket, f"{version.name}: no ticket"
        with tls.Connection(socket.create_connection(server.address, 10), context, session=session) as second:
            second.sendall(GET)
            read_response(second)
            assert second.tls.session_reused, f"{version.name}: not resumed"
    return None


def renegotiation(server):
    """A client's renegotiation is refused (RFC 5746 §4.5 of its kind), which ends the connection."""
    out = openssl(server, "-tls1_2", data=b"R\n" + GET)
    assert "RENEGOTIATING" in out, f"openssl did not ask: {out[-300:]}"
    assert "Hello" not in out and '"scheme"' not in out.split("RENEGOTIATING")[1], "the connection went on"
    return None


def compression(server):
    out = openssl(server, "-tls1_2", "-comp")
    return None if "Compression: NONE" in out else out[-300:]


def fragments(server):
    """A ClientHello in records of one byte and in segments of one byte each."""
    hello = client_hello()
    head, body = hello[:3], hello[5:]
    records = b"".join(head + (1).to_bytes(2, "big") + body[index:index + 1] for index in range(len(body)))
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(records)
        # The server answers with its own handshake or an alert: it does not wait for more, and does not stop.
        answer = connection.recv(5)
        assert answer[:1] in (b"\x16", b"\x15"), f"{answer!r}"
    with socket.create_connection(server.address, 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index in range(len(hello)):
            connection.sendall(hello[index:index + 1])
        assert connection.recv(1) == b"\x16", "no ServerHello"
    return None


def names():
    """SNI (RFC 6066 §3): the certificate for the name, and the first one without."""
    first, second = tls.certificate("first", subject="first.example"), tls.certificate("second", subject="*.second.example")
    flags = ["--tls-certificate", first[0], "--tls-key", first[1], "--tls-certificate", second[0], "--tls-key", second[1]]
    with Server(*flags) as server:
        for name, expected in (("first.example", "first"), ("FIRST.example", "first"), ("a.second.example", "second"),
                               ("a.b.second.example", "first"), ("other.example", "first"), (None, "first")):
            for version in ("-tls1_2", "-tls1_3"):
                flags = ["-servername", name] if name else ["-noservername"]
                out = subprocess.run(["openssl", "s_client", "-connect", server.authority, version, *flags],
                                     input=b"", capture_output=True, timeout=20).stdout.decode(errors="replace")
                assert f"CN = {'*.' if expected == 'second' else ''}{expected}.example" in out, f"{name} {version}: {out[:300]}"
    return None


def newest_only():
    with Server(*tls.flags(), "--tls-min-version", "1.3") as server:
        assert agreed(server, "-tls1_3") is not None
        return None if agreed(server, "-tls1_2") is None else "TLS 1.2 is spoken"


def client_certificates():
    with tempfile.TemporaryDirectory() as folder:
        authority = tls.certificate("authority", subject="authority", folder=folder)
        stranger = tls.certificate("stranger", subject="stranger", folder=folder)
        with Server(*tls.flags(), "--tls-client-ca", authority[0]) as server:
            def status(*flags):
                out = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", *flags, f"{server.url.replace('http:', 'https:')}/plaintext"],
                                     capture_output=True, timeout=30).stdout
                return out.decode()
            assert status("--cert", authority[0], "--key", authority[1]) == "200", "the right certificate"
            assert status() == "000", "no certificate"
            assert status("--cert", stranger[0], "--key", stranger[1]) == "000", "a certificate of another authority"
    return None


def checks():
    yield "versions", versions
    yield "ciphers", ciphers
    yield "ALPN", protocols
    yield "resumption", resumption
    yield "renegotiation", renegotiation
    yield "compression", compression
    yield "a ClientHello in pieces", fragments


def own_server_checks():
    yield "SNI", names
    yield "--tls-min-version 1.3", newest_only
    yield "--tls-client-ca", client_certificates
