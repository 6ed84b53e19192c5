"""A small nameserver for tests: what it answers is set by the test, over UDP and over TCP on the same port."""
import ipaddress
import socket
import struct
import threading

from processes import free_port

A, CNAME, AAAA, SRV = 1, 5, 28, 33
NXDOMAIN, REFUSED, SERVFAIL = 3, 5, 2


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(name, kind, data, ttl=1):
    return labels(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


class NameServer:
    """`names`: {(name, type): [data, …] | response code | None}: None is silence. SRV data: (weight, port, target)."""

    def __init__(self):
        self.names, self.additional, self.asked = {}, {}, []
        self.mangle = lambda message: message
        self.port = free_port()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port), backlog=64)
        for target in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def answer(self, question):
        parts, at = [], 12
        while question[at]:
            parts.append(question[at + 1:at + 1 + question[at]].decode())
            at += question[at] + 1
        name, kind = ".".join(parts), struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        what = self.names.get((name, kind), [])
        if what is None:
            return None
        code = what if isinstance(what, int) else 0
        records = b""
        for data in [] if code else what:
            if kind == SRV:
                weight, port, target = data
                records += record(name, SRV, struct.pack(">HHH", 0, weight, port) + labels(target))
            else:
                records += record(name, kind, ipaddress.ip_address(data).packed)
        extra = [record(target, A, ipaddress.ip_address(address).packed)
                 for target, address in (self.additional.items() if kind == SRV and not code else ())]
        head = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, 0 if code else len(what), 0, len(extra))
        return self.mangle(head + question[12:at + 5] + records + b"".join(extra))

    def serve_udp(self):
        while True:
            try:
                question, peer = self.udp.recvfrom(4096)
                if (message := self.answer(question)) is not None:
                    self.udp.sendto(message, peer)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                connection = self.tcp.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        stream = connection.makefile("rb")
        try:
            while len(size := stream.read(2)) == 2:
                message = self.answer(stream.read(int.from_bytes(size, "big")))
                if message is not None:
                    connection.sendall(len(message).to_bytes(2, "big") + message)
        except OSError:
            pass
        connection.close()

    def close(self):
        self.udp.close()
        self.tcp.close()
