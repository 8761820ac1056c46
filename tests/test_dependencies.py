import ast
import re
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import pytest

from tsgan._dependencies import REQUIRED, check_mm, require_mm

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def installed(monkeypatch):
    """Sets what is installed, as {distribution: version}."""

    def set_installed(versions):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(metadata, 'version', version)

    return set_installed


def one_sentence(error):
    text = str(error.value)
    return text.endswith('.') and '\n' not in text and len(re.findall(r'\.(\s|$)', text)) == 1


def test_right_distributions_pass(installed):
    installed(REQUIRED)
    check_mm()
    require_mm()


@pytest.mark.parametrize('original', ['mmengine', 'mmengine-lite', 'mmcv', 'mmcv-lite', 'mmcv-full', 'mmpretrain'])
@pytest.mark.parametrize('beside', [{}, REQUIRED])
def test_original_distribution_is_refused_beside_or_instead(installed, original, beside):
    installed({**beside, original: '2.2.0'})
    with pytest.raises(ImportError, match=f'pip uninstall -y {original}[ `].*pip install "onedl-mmengine>=') as error:
        check_mm()
    assert one_sentence(error)
    # what shares files with the original goes too, else it is left without them
    assert all(f' {name}' in str(error.value).split('pip install')[0].split('-y')[1] for name in beside)


def test_too_old_distribution_is_named_with_its_version(installed):
    installed({**REQUIRED, 'onedl-mmcv': '2.2.9'})
    with pytest.raises(ImportError, match=r'onedl-mmcv 2\.2\.9.*too old.*pip install "onedl-mmcv>=2\.3\.1"') as error:
        check_mm()
    assert one_sentence(error)


@pytest.mark.parametrize('version', ['2.3.1', '2.3.1.post1', '2.3.10', '2.10.0', '3.0'])
def test_versions_compare_as_numbers(installed, version):
    installed({**REQUIRED, 'onedl-mmcv': version})
    check_mm()


def test_missing_distributions_matter_where_mmengine_is_needed_only(installed):
    installed({'onedl-mmengine': '0.10.12'})
    check_mm()
    with pytest.raises(ImportError, match='needs onedl-mmcv and onedl-mmpretrain: run `pip install') as error:
        require_mm()
    assert one_sentence(error)


def test_bounds_are_those_of_the_requirements():
    lines = (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    assert {f'{name}>={version}' for name, version in REQUIRED.items()} <= set(lines)


def required(file):
    """The lines of a file in requirements/ that name a package."""
    lines = (ROOT / 'requirements' / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-r '))]


def direct_requirements():
    """Name -> lower bound."""
    files = [file.name for file in (ROOT / 'requirements').glob('*.txt') if not file.name.startswith('constraints')]
    return dict(line.split('>=') for file in files if file != 'optional.txt' for line in required(file))


def test_constraints_name_every_direct_requirement():
    assert direct_requirements().keys() <= {line.split('==')[0] for line in required('constraints.txt')}


def test_the_oldest_versions_that_are_tested_are_the_lower_bounds():
    tested = dict(line.split('==') for line in required('constraints-oldest.txt'))
    bounds = direct_requirements()
    assert bounds.keys() <= tested.keys()
    assert {name: tested[name] for name in bounds if not f'{tested[name]}.'.startswith(f'{bounds[name]}.')} == {}


@pytest.mark.parametrize('category', [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_in_tests_a_deprecated_call_of_ours_is_an_error_and_one_of_others_is_not(category):
    with pytest.raises(category):
        warnings.warn_explicit('old', category, 'losses.py', 1, module='tsgan.models.losses')
    with warnings.catch_warnings(record=True):
        warnings.warn_explicit('old', category, 'module.py', 1, module='torch.nn')


def test_extras_that_a_sentence_names_are_there():
    calls = [re.findall(r"need\('([\w.]+)', '(\w+)'\)", file.read_text()) for file in code()]
    asked = {(module.split('.')[0], extra) for found in calls for module, extra in found}
    extras = re.search(r'^EXTRAS = \((.+?)^\)', (ROOT / 'setup.py').read_text(), re.DOTALL | re.MULTILINE)[1]
    names = {'faiss': 'faiss-cpu', 'sklearn': 'scikit-learn', 'milvus_lite': 'milvus-lite'}
    for module, extra in asked:
        assert f"'{extra}'" in extras
        assert any(line.startswith(f'{names.get(module, module)}>=') for line in required(f'{extra}.txt')), module
    assert asked


def code():
    return [file for folder in ('tsgan', 'tools', 'demo', 'benchmarks') for file in (ROOT / folder).rglob('*.py')]


def test_import_pulls_in_neither_mmengine_nor_torch():
    code = 'import sys, tsgan; sys.exit(bool({"torch", "mmengine", "mmcv", "mmpretrain"} & set(sys.modules)))'
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_every_folder_of_modules_is_a_package_and_so_in_the_wheel():
    folders = {file.parent for file in (ROOT / 'tsgan').rglob('*.py') if '.mim' not in file.parts}
    assert [str(folder) for folder in folders if not (folder / '__init__.py').is_file()] == []


# What a room may import beside the ground floor; models, datasets, engine, evaluation meet in a config alone
BELOW = {
    'visualization': {'evaluation'},  # draws what was measured
    'unsupervised': {'evaluation'},  # clusters are of re-ranking's distances
    'search': {'datasets'},  # tables beside images are read as the lists of data sets are
    'experiments': {'datasets', 'engine', 'evaluation', 'models', 'visualization'},
    'apis': {'datasets', 'evaluation', 'models', 'search', 'visualization'},
    '': {'apis'},  # mmpretrain's hub is told of the models
}


def test_a_room_imports_only_rooms_below_it():
    package = ROOT / 'tsgan'
    rooms = {folder.name for folder in package.iterdir() if (folder / '__init__.py').is_file()}
    found = {}
    for file in package.rglob('*.py'):
        if '.mim' in file.parts:
            continue
        room = file.relative_to(package).parts[0] if file.parent != package else ''
        nodes = list(ast.walk(ast.parse(file.read_text())))
        names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
        names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        others = {name.split('.')[1] for name in names if name.startswith('tsgan.')} & rooms - {room}
        if others - BELOW.get(room, set()):
            found[str(file)] = others - BELOW.get(room, set())
    assert found == {} and rooms >= {'apis', 'models', 'search'}
