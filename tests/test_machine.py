import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')


IMPORT = ('-c', 'import tsgan, torch')


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='torch has another OpenMP there')
@pytest.mark.parametrize(
    'program, said, spins',
    [
        (('tools/train.py', '--help'), {}, 0),
        (('tools/reproduce.py', '--help'), {}, 0),
        (IMPORT, {'GOMP_SPINCOUNT': '5000'}, 5000),
        (IMPORT, {'OMP_WAIT_POLICY': 'ACTIVE'}, 30_000_000_000),
    ],
)
def test_threads_sleep_while_they_wait_unless_the_environment_says_otherwise(program, said, spins):
    env = {name: value for name, value in os.environ.items() if name not in NAMES}
    env.update(said, OMP_DISPLAY_ENV='VERBOSE')  # GNU's OpenMP says what it goes by when it is loaded
    done = subprocess.run([sys.executable, *program], cwd=ROOT, env=env, capture_output=True, text=True)
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr
