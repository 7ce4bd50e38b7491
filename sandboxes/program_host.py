"""Inside the sandbox, in a scope's own process: loads the program, serves `write` and `read` until the link closes."""

import json
import linecache
import resource
import struct
import sys
import threading
import traceback
import types

LENGTH = struct.Struct("!I")
FILENAME = "program.py"
LOG_CHARS = 2_000
ERROR_CHARS = 4_000


class Link:
    """Frames to and from the runner; one request at a time, with callbacks to the worker in between."""

    def __init__(self, link, frame_bytes):
        self._link = link
        self._frame_bytes = frame_bytes
        self._callback = threading.Lock()
        self._sending = threading.Lock()

    def receive(self):
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        return json.loads(self._exactly(length))

    def send(self, message):
        payload = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        with self._sending:
            self._link.sendall(LENGTH.pack(len(payload)) + payload)

    def call_llm(self, messages, kwargs):
        """Ask the worker for a completion; raises RuntimeError with the worker's reason where there is none."""
        with self._callback:
            self.send({"call": "llm", "messages": messages, "kwargs": kwargs})
            reply = self.receive()
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["text"]

    def call_embed(self, texts):
        """Ask the worker for one vector a text, in frames of bounded length; raises as `call_llm` does."""
        rows = []
        for part in self._slices(texts):
            with self._callback:
                self.send({"call": "embed", "texts": part})
                reply = {"left": len(part)}
                while reply.get("left"):
                    reply = self.receive()
                    rows += reply.get("rows", [])
            if "error" in reply:
                raise RuntimeError(reply["error"])
        return rows

    def _slices(self, texts):
        part, size = [], 0
        for text in texts:
            length = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) + 2
            if length > self._frame_bytes // 2:
                raise ValueError(f"a text of {length} bytes is too long to embed")
            if size + length > self._frame_bytes // 2:
                yield part
                part, size = [], 0
            part.append(text)
            size += length
        yield part

    def log(self, message):
        self.send({"call": "log", "message": str(message)[:LOG_CHARS]})

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self._link.recv(count - len(data))
            if not piece:
                raise SystemExit(0)
            data += piece
        return bytes(data)


class Host:
    """One knowledge base."""

    def __init__(self, kit, call_embed):
        self._kit = kit
        self._call_embed = call_embed
        self._module = None
        self._base = None

    def load(self, request):
        source = request["source"]
        if request["embed"]:
            self._kit.embed_with(self._call_embed)
        linecache.cache[FILENAME] = (len(source), None, source.splitlines(keepends=True), FILENAME)
        self._module = types.ModuleType("program")
        self._module.__file__ = FILENAME
        sys.modules["program"] = self._module
        exec(compile(source, FILENAME, "exec"), self._module.__dict__)  # running it is what the sandbox is for
        self._base = self._module.KnowledgeBase(self._kit)

    def write(self, request):
        self._base.write(self._module.KnowledgeItem(**request["item"]), request["raw_text"])

    def read(self, request):
        text = self._base.read(self._module.Query(**request["query"]))
        if not isinstance(text, str):
            raise TypeError(f"read returned {type(text).__name__}, expected str")
        return text


def limit_memory(megabytes):
    """Let this process grow by so much and no more: beyond it, allocations fail."""
    with open("/proc/self/status") as file:
        used_kb = next(int(line.split()[1]) for line in file if line.startswith("VmData:"))
    ceiling = used_kb * 1024 + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))


def describe(error):
    """The error and the program's own frames: nothing of the runner, no path of this machine."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILENAME]
    last = "".join(traceback.format_exception_only(error)).strip()
    return ("".join(traceback.format_list(own)) + last)[-ERROR_CHARS:]


def serve(link, limits, warm):
    """Serve one scope; with `warm`, have a chromadb client ready before anything is asked."""
    import toolkit

    wire = Link(link, limits["frame_bytes"])
    kit = toolkit.Toolkit(call_llm=wire.call_llm, log=wire.log)
    if warm:
        kit.chroma  # noqa: B018  (made at first use)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["scratch_mb"] << 20,) * 2)
    limit_memory(limits["memory_mb"])
    host = Host(kit, wire.call_embed)
    operations = {"load": host.load, "write": host.write, "read": host.read}
    while True:
        request = wire.receive()
        try:
            value = operations[request["op"]](request)
            reply = {"id": request["id"], "value": value}
            wire.send(reply)
        except BaseException as error:  # whatever the program raises is its own fault, SystemExit included
            if isinstance(error, (BrokenPipeError, ConnectionError)):
                raise
            wire.send({"id": request["id"], "error": describe(error)})
