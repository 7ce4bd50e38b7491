"""What each node of a cluster needs before a run: asked on the node itself, with a real box and a real way back."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import evolve
from evolve.config import Limits
from evolve.errors import EvolveError, PrerequisiteError, RequestRefused
from evolve.executors.cluster import Cluster
from evolve.executors.hosted import HostedBroker, last_line
from evolve.models.base import Note, Reply, Request, Spent, Vectors
from evolve.sandbox import Kind, open_sandbox
from evolve.sandbox.image import BUILD_FAILED

NODE_SECONDS = 300.0
"""A node that has not answered by then lacks something; the first build of an image takes minutes."""
PROBE = """
from dataclasses import dataclass

INSTRUCTION_KNOWLEDGE_ITEM = INSTRUCTION_QUERY = INSTRUCTION_RESPONSE = ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    text: str


@dataclass
class Query:
    text: str


class KnowledgeBase:
    def __init__(self, toolkit):
        self.texts = []

    def write(self, item, raw_text):
        self.texts.append(item.text)

    def read(self, query):
        return " ".join(self.texts)
"""
WORDS = "written on a node"
NO_MODEL = "the check of a cluster asks no model."


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is alive."""

    id: str
    address: str
    cpus: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a node has, or the first thing that it lacks."""

    node: Node
    version: str = ""
    """Of evolve."""
    python: str = ""
    sandbox: str = ""
    """Its own description."""
    image: str = ""
    """How the image came there, where there is one."""
    seconds: float = 0.0
    problem: str = ""
    """One line with the next step; "" where a run can use the node."""


class _Silent:
    """A broker that says nothing but that it was reached."""

    def __init__(self, note: Note) -> None:
        pass

    def complete(self, request: Request) -> Reply:
        raise RequestRefused(NO_MODEL)

    def embed(self, texts: Sequence[str]) -> Vectors:
        raise RequestRefused(NO_MODEL)

    def spent(self) -> Spent:
        return Spent(0, 0.0, 0.0)

    def preflight(self) -> None:
        """Nothing to ask."""

    def close(self) -> None:
        """Nothing to close."""


class _There:
    """Runs on the node that is looked at."""

    def versions(self) -> tuple[str, str]:
        return evolve.__version__, platform.python_version()

    def image(self, packed: bytes | None) -> str:
        """Have the sandbox image there: built, or unpacked where it is handed over."""
        from evolve.sandbox.docker import connect
        from evolve.sandbox.image import ensure_image, unpack

        with closing(connect()) as client:
            if packed is not None:
                unpack(client, packed)
                return "shipped"
            seconds = ensure_image(client).build_seconds
            return "was there" if seconds is None else f"built in {seconds:.0f} s"

    def sandbox(self, kind: Kind, limits: Limits) -> str:
        """Write to a program in a box and read from it; return what the sandbox says of itself."""
        with closing(open_sandbox(kind, limits, warm=0)) as sandbox:
            with closing(sandbox.start()) as box:
                memory = box.open(PROBE, call_llm=_no_model)
                memory.write({"text": WORDS}, WORDS)
                if (found := memory.read({"text": ""})) != WORDS:
                    raise PrerequisiteError(f"a program in the sandbox read {found!r} where it wrote {WORDS!r}.")
            return sandbox.describe()

    def reach(self, broker: HostedBroker) -> int:
        """Ask the broker something from here."""
        return broker.spent().calls


def _no_model(messages: object, kwargs: object) -> str:
    raise RequestRefused(NO_MODEL)


class _Freight:
    """The driver's image in the object store, put there when the first node asks for it."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._turn = threading.Lock()
        self._packed: Any = None

    def reference(self) -> Any:
        from evolve.sandbox.docker import connect
        from evolve.sandbox.image import pack

        with self._turn:
            if self._packed is None:
                with closing(connect()) as client:
                    self._packed = self._ray.put(pack(client))
            return self._packed


@dataclass(frozen=True, slots=True)
class _Survey:
    """Looks at one node after the other, or at several in threads."""

    ray: Any
    kind: Kind
    limits: Limits
    broker: HostedBroker
    freight: _Freight

    def look(self, node: Node) -> Look:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        began = time.monotonic()
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        actor = self.ray.remote(_There).options(num_cpus=0, scheduling_strategy=there).remote()
        found = Look(node)
        try:
            found = replace(found, **dict(zip(("version", "python"), self._ask(actor.versions), strict=True)))
            if wrong := differs(found):
                return replace(found, problem=wrong)
            if self.kind == "docker":
                found = replace(found, image=self._image(actor))
            found = replace(found, sandbox=self._ask(actor.sandbox, self.kind, self.limits))
            self._ask(actor.reach, self.broker)
            return replace(found, seconds=time.monotonic() - began)
        except EvolveError as error:
            return replace(found, problem=str(error))
        except self.ray.exceptions.GetTimeoutError:
            return replace(found, problem=f"no answer within {NODE_SECONDS:.0f} s; see what it is busy with.")
        except self.ray.exceptions.RayError as error:
            return replace(found, problem=f"{last_line(error)}; install evolve {evolve.__version__} there.")
        finally:
            self.ray.kill(actor)

    def _ask(self, method: Any, *arguments: object) -> Any:
        try:
            return self.ray.get(method.remote(*arguments), timeout=NODE_SECONDS)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, EvolveError) else error from None

    def _image(self, actor: Any) -> str:
        try:
            return str(self._ask(actor.image, None))
        except PrerequisiteError as error:
            if BUILD_FAILED not in str(error):
                raise
        return str(self._ask(actor.image, self.freight.reference()))


def survey(cluster: Cluster, kind: Kind, limits: Limits) -> Iterator[Look]:
    """Look at all nodes side by side and yield each as soon as it is done.

    `kind` is the sandbox of the driver's node: a run uses the same everywhere. Where its image cannot be built, it is
    shipped from here.
    """
    there = nodes(cluster.ray)
    eye = _Survey(cluster.ray, kind, limits, cluster.host(_Silent), _Freight(cluster.ray))
    with ThreadPoolExecutor(len(there), thread_name_prefix="evolve-node") as pool:
        for done in as_completed([pool.submit(eye.look, node) for node in there]):
            yield done.result()


def nodes(ray: Any) -> list[Node]:
    """Return the nodes that are alive, the driver's first."""
    here = ray.get_runtime_context().get_node_id()
    alive = [node for node in ray.nodes() if node["Alive"]]
    alive.sort(key=lambda node: (node["NodeID"] != here, node["NodeManagerAddress"], node["NodeID"]))
    return [Node(node["NodeID"], node["NodeManagerAddress"], node["Resources"].get("CPU", 0.0)) for node in alive]


def differs(look: Look) -> str:
    """Say which version is another one than the driver's; "" where none is."""
    for what, there, here in (
        ("evolve", look.version, evolve.__version__),
        ("Python", look.python, platform.python_version()),
    ):
        if there != here:
            return f"{what} {there}, and the driver has {here}: install the same there."
    return ""
