"""A TCP balancer between the telephone network and the ingests, which can lose a machine without a word.

    python balancer.py --listen 127.0.0.1:8443 --control 127.0.0.1:9000 --to 127.0.0.1:8444 --to …

A connection goes to the next backend in turn that takes it. What a kernel never does for a killed
process, and a machine without power always: `silence` keeps the sockets of a backend open towards
the telephone network, reads nothing from them and tells nobody that the other side is gone. What
comes later, when somebody's timer has run out, is `reset`.

    GET  /readyz               all backends were reached once, or it is not asked to care
    POST /silence?backend=0    its connections fall silent, it gets no new ones
    POST /reset?backend=0      its connections are reset towards the telephone network
    POST /take_out?backend=0   no new connections for it; those that stand go on
    POST /put_in?backend=0     new connections again
    POST /hang?backend=0       silence, and new connections go to it and hang too
    GET  /                     connections of each backend: {"open": [n, …], "silent": [n, …]}
"""
import argparse
import asyncio
import json
import signal
import socket
import struct
import urllib.parse

QUEUE_MAX = 4 << 20


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


class Side(asyncio.Protocol):
    """One of the two sockets of a connection."""

    def __init__(self, pair):
        self.pair = pair
        self.other = None
        self.transport = None
        self.waiting = bytearray()  # came before the other side was there

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(QUEUE_MAX)

    def attach(self, other):
        self.other = other
        if self.waiting:
            other.write(bytes(self.waiting))
            self.waiting.clear()

    def write(self, data):
        if self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data):
        if self.pair.is_silent:
            return
        if self.other:
            self.other.write(data)
        else:
            self.waiting += data

    def connection_lost(self, error):
        self.transport = None
        self.pair.lost(self, error)

    def reset(self):
        """RST instead of FIN."""
        if self.transport:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def close(self):
        if self.transport:
            self.transport.close()


class Pair:
    """A connection of the telephone network and the one to a backend behind it."""

    def __init__(self, balancer):
        self.balancer = balancer
        self.is_silent = False
        self.backend = None  # its number
        self.near, self.far = Side(self), Side(self)

    async def connect(self):
        """To the next backend that takes it; none: the caller's connection is closed."""
        for number in self.balancer.turn():
            self.backend = number
            self.balancer.pairs.add(self)
            if number in self.balancer.hanging:
                self.is_silent = True
                return
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda: self.far, *self.balancer.backends[number])
            except OSError:
                continue
            if not self.near.transport:  # left meanwhile
                self.far.close()
                return
            self.near.attach(self.far)
            self.far.attach(self.near)
            return
        self.balancer.pairs.discard(self)
        self.near.close()

    def lost(self, side, error):
        """One side is gone: so is the other, unless nobody is to hear of it."""
        other = self.near if side is self.far else self.far
        if side is self.near:
            self.balancer.pairs.discard(self)
        if self.is_silent:
            return
        self.balancer.pairs.discard(self)
        if error:
            other.reset()
        else:
            other.close()

    def silence(self):
        self.is_silent = True


class Balancer:
    def __init__(self, backends):
        self.backends = backends
        self.out = set()  # numbers that get no new connections
        self.hanging = set()  # numbers whose new connections hang
        self.pairs = set()
        self.next = 0

    def turn(self):
        """Numbers of the backends in the order in which this connection tries them."""
        self.next += 1
        numbers = [(self.next + i) % len(self.backends) for i in range(len(self.backends))]
        return [n for n in numbers if n not in self.out]

    def accept(self):
        pair = Pair(self)
        asyncio.get_running_loop().create_task(pair.connect())
        return pair.near

    def of(self, number):
        return [pair for pair in self.pairs if pair.backend == number]

    def silence(self, number):
        self.out.add(number)
        for pair in self.of(number):
            pair.silence()

    def hang(self, number):
        self.silence(number)
        self.out.discard(number)
        self.hanging.add(number)

    def reset(self, number):
        for pair in self.of(number):
            pair.near.reset()
            pair.far.reset()

    def take_out(self, number):
        self.out.add(number)

    def put_in(self, number):
        self.out.discard(number)
        self.hanging.discard(number)

    def counts(self):
        numbers = range(len(self.backends))
        return {"open": [sum(not p.is_silent for p in self.of(n)) for n in numbers],
                "silent": [sum(p.is_silent for p in self.of(n)) for n in numbers]}

    async def control(self, reader, writer):
        """One request of HTTP, just enough of it."""
        method, target, _ = (await reader.readline()).decode().split(" ", 2)
        while (await reader.readline()).strip():
            pass
        url = urllib.parse.urlsplit(target)
        status = "200 OK"
        if method == "POST":
            number = int(urllib.parse.parse_qs(url.query)["backend"][0])
            verbs = {f"/{f.__name__}": f for f in (self.silence, self.hang, self.reset,
                                                   self.take_out, self.put_in)}
            verbs[url.path](number)
        elif url.path not in ("/", "/readyz"):
            status = "404 Not Found"
        body = json.dumps(self.counts()).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def serve(args):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, done.set_result, None)
    balancer = Balancer([address(to) for to in args.to])
    await loop.create_server(balancer.accept, *address(args.listen), backlog=1024)
    await asyncio.start_server(balancer.control, *address(args.control))
    await done


def main():
    parser = argparse.ArgumentParser(description="TCP balancer that can lose a machine silently")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--to", action="append", required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
