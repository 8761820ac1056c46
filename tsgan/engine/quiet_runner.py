import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner


class QuietRunner(Runner):
    """MMEngine's runner, whose pages of environment, config and hooks go to the log file alone, not to the console."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(is_for_the_console)
        logger.info(f'environment, config and hooks are in {logger.log_file}')
        return logger


def is_for_the_console(record: logging.LogRecord) -> bool:
    page = record.module == 'runner' and '\n' in record.getMessage()
    # MMEngine's own use of its old parts, which no config mends
    own = record.levelno == logging.WARNING and 'deprecated in future' in record.getMessage()
    return not page and not own
