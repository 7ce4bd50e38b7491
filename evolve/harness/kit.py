"""The toolkit that programs are given: the one file that runs in the sandbox, so that reads are those measured there.

`evolve export` puts another module in this one's place, which imports the copy that the package carries.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from evolve.paths import sandboxes_dir

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def _loaded(path: Path) -> ModuleType:
    described = importlib.util.spec_from_file_location("evolve_toolkit", path)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


Toolkit: Any = _loaded(sandboxes_dir() / "toolkit.py").Toolkit
