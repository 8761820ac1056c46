import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tsgan import machine

ROOT = Path(__file__).resolve().parents[1]
NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'OMP_NUM_THREADS')
linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='another OpenMP, and no /proc')


SPIN = 'import os; os.nice(19); print(flush=True)\nwhile True: pass'
FIRST = """
import os, runpy, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == 'torch':
            os._exit(0 if 'tsgan' in sys.modules else 1)
sys.meta_path.insert(0, Finder())
sys.argv = [sys.argv[1], '--help']
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
os._exit(2)
"""


@pytest.fixture
def busy():
    """A process a core that keeps it busy, but lets others go first."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count()):
            process = subprocess.Popen([sys.executable, '-c', SPIN], stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            process.stdout.readline()
        yield


@linux
def test_busy_processes_are_seen(busy):
    assert machine.others_running() >= os.cpu_count()


@linux
def test_threads_of_torch_sleep_beside_busy_processes(busy):
    env = {name: value for name, value in os.environ.items() if name not in NAMES}
    env['OMP_DISPLAY_ENV'] = 'VERBOSE'  # GNU's OpenMP says what it goes by when it is loaded
    command = [sys.executable, '-c', 'import tsgan, torch']
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert "GOMP_SPINCOUNT = '0'" in done.stderr


@pytest.mark.parametrize('tool', ['train', 'test', 'extract', 'reproduce'])
def test_tools_take_tsgan_before_torch_whose_threads_it_settles(tool):
    assert subprocess.run([sys.executable, '-c', FIRST, f'tools/{tool}.py'], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    'cores, others, said, found',
    [
        (2, 0, {}, None),  # alone
        (2, 1, {}, 'PASSIVE'),
        (8, 6, {'OMP_NUM_THREADS': '2'}, None),  # room for all
        (8, 7, {'OMP_NUM_THREADS': '2'}, 'PASSIVE'),
        (2, 9, {'OMP_NUM_THREADS': '1'}, None),  # no other thread to wait for
        (2, 9, {'OMP_WAIT_POLICY': 'ACTIVE'}, 'ACTIVE'),
        (2, 9, {'GOMP_SPINCOUNT': '5000'}, None),
    ],
)
def test_threads_sleep_where_there_are_more_than_cores(monkeypatch, cores, others, said, found):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, 'torch')  # it would be too late
    monkeypatch.setattr(os, 'cpu_count', lambda: cores)
    monkeypatch.setattr(machine, 'num_cores', lambda: cores)
    monkeypatch.setattr(machine, 'others_running', lambda: others)
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    machine.share_cores()
    assert os.environ.get('OMP_WAIT_POLICY') == found
