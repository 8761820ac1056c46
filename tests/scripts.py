"""Scripts that lie in no package, as modules: of demo/ and docs/."""

import importlib.util
import sys
from pathlib import Path

REPO = Path(__file__).parents[1]


def load(script):
    """The module of a script, by its path in the checkout."""
    spec = importlib.util.spec_from_file_location(f'script_{Path(script).stem}', REPO / script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
