"""An endpoint on loopback: as much of OpenAI's API as our client reads, answering what a test tells it to."""

import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace


@contextmanager
def chat_endpoint(answer, *, pause_s=0.0, asleep_s=0.0):
    """Serve until the block ends; ``answer(messages)`` gives the pieces of an answer, ``pause_s`` apart.

    It takes ``asleep_s`` to wake up, from when somebody first asks for its health.
    """
    told = SimpleNamespace(asked=[], left=0, url="", called=None)

    def is_awake():
        told.called = told.called or time.monotonic()
        return time.monotonic() - told.called >= asleep_s

    facts = {"told": told, "answer": staticmethod(answer), "pause_s": pause_s, "is_awake": staticmethod(is_awake)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), facts))
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._say(200 if self.is_awake() else 503, "application/json", b'{"model": "scripted v1"}')

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.told.asked.append(body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            self._stream([*self.answer(body["messages"])], body["max_tokens"])
        except OSError:
            self.told.left += 1

    def _stream(self, pieces, most):
        for piece in pieces[:most]:
            self._event({"choices": [{"delta": {"content": piece}}]})
            time.sleep(self.pause_s)
        ended = "length" if len(pieces) > most else "stop"
        self._event({"choices": [{"delta": {}, "finish_reason": ended}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event):
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def _say(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
