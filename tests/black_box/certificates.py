"""Certificates for tests, made with the openssl tool: an authority, what it issues, and contexts for Python's clients."""
import pathlib
import ssl
import subprocess


def openssl(*words, **options):
    return subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **options).stdout


class Certificate:
    def __init__(self, path, key):
        self.path, self.key = path, key
        self.pem = path.with_suffix(".pem")  # both in one file, as HAProxy wants them
        self.pem.write_bytes(path.read_bytes() + key.read_bytes())

    @property
    def serial(self):
        return openssl("x509", "-in", self.path, "-noout", "-serial").decode().strip().split("=")[1]


class Authority:
    def __init__(self, directory, name="authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True, parents=True)
        self.name = name
        self.path, self.key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/O=Test/CN={name}", "-keyout", self.key, "-out", self.path)

    def issue(self, name, file=None, rsa=False):
        """A certificate for the host `name`, good for servers and clients."""
        file = file or name
        key, request, path = (self.directory / f"{file}.{end}" for end in ("key", "csr", "crt"))
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/O=Test/CN={name}", "-keyout", key, "-out", request)
        extension = self.directory / f"{file}.ext"
        extension.write_text(f"subjectAltName=DNS:{name}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-extfile", extension, "-out", path)
        return Certificate(path, key)

    def client_context(self, certificate=None):
        """Trusts this authority, shows `certificate`; looks at no names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.path)
        if certificate is not None:
            context.load_cert_chain(certificate.path, certificate.key)
        return context
