"""Checks that the packages `mmengine`, `mmcv` and `mmpretrain` come from the right distributions.

Several distributions install files under the same import name, so a wrong one fails late and far from its cause. Both
checks read installed metadata only: they import neither MMEngine nor torch.
"""

import re
from importlib import metadata

# The lower bounds of requirements/runtime.txt.
REQUIRED = {'onedl-mmengine': '0.10.8', 'onedl-mmcv': '2.3.1', 'onedl-mmpretrain': '1.3.0'}
ORIGINALS = ('mmengine', 'mmengine-lite', 'mmcv', 'mmcv-lite', 'mmcv-full', 'mmpretrain')


def check_mm() -> None:
    """Accepts the right distributions, or none at all: what runs without MMEngine stays usable.

    Raises:
        ImportError: If an original OpenMMLab distribution is installed, or a required one is too old.
    """
    originals = [name for name in ORIGINALS if _version(name)]
    required = {name: _version(name) for name in REQUIRED}
    if originals:
        # All of them go: what is uninstalled takes the shared files of the others with it.
        remove = originals + [name for name, version in required.items() if version]
        raise ImportError(
            f'tsgan needs onedl-mmengine, onedl-mmcv and onedl-mmpretrain, whose files {_listed(originals)} '
            f'would overwrite: run `pip uninstall -y {" ".join(remove)}`, then `{_install(REQUIRED)}`.'
        )
    old = [name for name, version in required.items() if version and _release(version) < _release(REQUIRED[name])]
    if old:
        found = _listed([f'{name} {required[name]}' for name in old])
        raise ImportError(f'tsgan found {found}, which is too old: run `{_install(old)}`.')


def require_mm() -> None:
    """Called where MMEngine is about to be imported.

    Raises:
        ImportError: If a required distribution is not installed.
    """
    missing = [name for name in REQUIRED if not _version(name)]
    if missing:
        raise ImportError(f'This part of tsgan needs {_listed(missing)}: run `{_install(missing)}`.')


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a release: '2.3.1.post1' -> (2, 3, 1)."""
    return tuple(int(number) for number in re.findall(r'\d+', version)[:3])


def _listed(names: list[str]) -> str:
    return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))


def _install(names: list[str]) -> str:
    return 'pip install ' + ' '.join(f'"{name}>={REQUIRED[name]}"' for name in names)
