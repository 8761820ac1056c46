import pytest
from small_test_run import write_test_run


@pytest.fixture(scope='session')
def test_run(tmp_path_factory):
    """A small test run on disk; see :func:`write_test_run`."""
    return write_test_run(tmp_path_factory.mktemp('test_run'))
