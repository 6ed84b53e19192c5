"""A TCP relay between a test's two ends; what it does to the bytes is the subclass's."""
import socket
import threading


class Relay(threading.Thread):
    """Listens on `port` and passes each connection on to `target`."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = self.server_socket()
            try:
                server.connect(("127.0.0.1", self.target))
            except OSError:
                client.close()
                server.close()
                continue
            self.pump(client, server, self.forth(client))
            self.pump(server, client, self.back(server))

    def pump(self, source, sink, pieces):
        threading.Thread(target=self.carry, args=(source, sink, pieces), daemon=True).start()

    @staticmethod
    def carry(source, sink, pieces):
        try:
            for piece in pieces:
                sink.sendall(piece)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def server_socket(self):
        return socket.socket()

    def forth(self, source):
        """What goes from the client to the server."""
        while data := source.recv(65536):
            yield data

    def back(self, source):
        """What goes from the server to the client."""
        return self.forth(source)

    def close(self):
        self.listener.close()
