"""Packaging: metadata, requirements, and the files that `mim` looks for under ``tsgan/.mim``."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('tools', 'configs', 'demo', 'model-index.yml')
EXTRAS = (
    *('all', 'calibration', 'demo', 'docs', 'milvus', 'onnx', 'openvino', 'optional', 'search', 'tests'),
    *('unsupervised', 'vis'),
)


def requirements(name: str) -> list[str]:
    """The requirement lines of ``requirements/<name>.txt``, and of the files that it names, without comments."""
    found = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines():
        if line.startswith('-r '):
            found += requirements(line[3:].removesuffix('.txt'))
        elif line and not line.startswith('#'):
            found.append(line)
    return found


def version() -> str:
    """``__version__`` of ``tsgan/version.py``, read without importing the package."""
    scope = {}
    exec((ROOT / 'tsgan' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


class BuildWithMim(build_py):
    """Adds ``tsgan/.mim``: links into the checkout for an editable install, copies in a wheel."""

    def run(self) -> None:
        super().run()
        target = ROOT / 'tsgan' / '.mim' if self.editable_mode else Path(self.build_lib) / 'tsgan' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_FILES:
            if self.editable_mode:
                try:
                    (target / name).symlink_to(os.path.relpath(ROOT / name, target))
                    continue
                except OSError:  # Windows gives links to administrators only
                    pass
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(ROOT / name, target / name)


setup(
    name='tsgan',
    version=version(),
    description='Visible-infrared person re-identification with a teacher-student GAN (TS-GAN), on MMEngine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The tsgan authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords=['person re-identification', 'visible-infrared', 'cross-modality', 'GAN', 'OpenMMLab'],
    classifiers=[
        'Development Status :: 5 - Production/Stable',
        'Environment :: Console',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['tsgan', 'tsgan.*']),
    package_data={'tsgan': ['weights/*.json', 'weights/*.safetensors']},
    entry_points={'console_scripts': ['tsgan = tsgan.__main__:main']},
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in EXTRAS},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
