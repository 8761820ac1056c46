"""What a library says against the values that a config gives its classes, in one sentence with the part's name."""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from mmengine.config import Config
from mmengine.registry import build_functions
from mmengine.runner import loops, runner

from tsgan.config_files import why
from tsgan.engine import train_loop
from tsgan.places import PACKAGE

from .arguments import UNTYPED, typed_parts

LOOPS = [(file, 'run') for file in (loops.__file__, train_loop.__file__)]


@contextmanager
def parts_named(cfg: Config) -> Iterator[None]:
    """While what a config describes is built, and perhaps run.

    Raises:
        ValueError: Where a class of a library refuses what the config gives it. What this package raises, and whatever
            goes wrong once a loop is running, is raised as it is.
    """
    try:
        yield
    except OSError:  # says itself which file
        raise
    except Exception as error:
        part = refused(error, cfg)
        if part is None:
            raise
        raise ValueError(f'{part} cannot be built: {why(error)}') from error


def refused(error: Exception, cfg: Config) -> str | None:
    """The part of a config that was being built in a library's own code when the error came."""
    frames = [(frame, frame.f_code.co_filename, frame.f_code.co_name) for frame, _ in walk_tb(error.__traceback__)]
    if frames[-1][1].startswith(str(PACKAGE)) or any((file, name) in LOOPS for _, file, name in frames):
        return None
    for frame, file, name in reversed(frames):
        if file == build_functions.__file__ and 'cfg' in frame.f_locals:
            return name_of(frame.f_locals['cfg'], cfg)
        verb, _, noun = name.partition('_')  # build_dataloader, set_randomness, setup_env ...
        if file == runner.__file__ and verb in ('build', 'set', 'setup'):
            return noun
    return 'the config' if any(file == runner.__file__ for _, file, _ in frames) else None


def name_of(built: dict, cfg: Config) -> str:
    """``optim_wrapper.reid.optimizer (Adam)``; a builder may have put more into a part, such as the parameters."""
    for name in sorted(UNTYPED[''] & set(cfg)):
        for key, part in typed_parts(cfg[name], name):
            if all(name in built and built[name] == value for name, value in part.items()):
                return f'{key} ({part["type"]})'
    return str(built.get('type'))
