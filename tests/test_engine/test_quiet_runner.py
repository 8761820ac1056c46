import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

from tsgan.engine import QuietRunner

PAGE = 'Config:\na = 1\nb = 2'
OLD = '"FileClient" will be deprecated in future. Please use io functions'


def log(logger, message, level=logging.INFO, module='runner'):
    logger.handle(logging.LogRecord('mmengine', level, f'/x/{module}.py', 1, message, (), None))


def test_the_runners_pages_are_in_the_log_file_and_the_console_says_where(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        Runner, 'build_logger', lambda runner, *_, **__: MMLogger('quiet', log_file=str(tmp_path / 'a.log'))
    )
    logger = QuietRunner.build_logger(object.__new__(QuietRunner))
    log(logger, PAGE)
    log(logger, OLD, logging.WARNING)
    log(logger, 'a table\nR1 R5', module='metric')
    log(logger, 'Epoch(train) [1][2/2]')
    log(logger, 'look here', logging.WARNING)
    console, file = capsys.readouterr().out, (tmp_path / 'a.log').read_text()
    for shown in (f'are in {tmp_path}/a.log', 'a table\nR1 R5', 'Epoch(train) [1][2/2]', 'look here'):
        assert shown in console and shown in file
    for kept in (PAGE, OLD):
        assert kept not in console and kept in file
