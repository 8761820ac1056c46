"""Command lines, run as a user runs them or, mostly, without the seconds that their imports take."""

import atexit
import logging
import multiprocessing.util
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

LIMIT = 300  # seconds, after which a fork has lost its way


def run(command, cwd, fails=False, anew=False):
    """Run a command on the CPU, and check that it ends as expected.

    A Python file runs in a fork of this process, which has imported torch already; with ``anew``, and any other
    command, in a new process, as a user has it: begin each tool so in one of its tests.

    Returns:
        SimpleNamespace: Its output as ``text``, its exit ``code``, and where it fails the last line as ``error``.
    """
    command = [str(part) for part in command]
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ['PATH']
    env = dict(os.environ, CUDA_VISIBLE_DEVICES='', PATH=path)
    with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
        if command[0] == sys.executable and not anew:
            child = multiprocessing.get_context('fork').Process(target=become, args=(command[1:], cwd, env, out, err))
            child.start()
            child.join(LIMIT)
            if child.is_alive():
                child.kill()
                child.join()
            code = child.exitcode
        else:
            code = subprocess.run(command, cwd=cwd, env=env, stdout=out, stderr=err).returncode
        texts = [(file.seek(0), file.read())[1] for file in (out, err)]
    assert (code != 0) == fails, ''.join(texts)[-5000:]
    error = texts[1].strip().splitlines()[-1] if fails else None
    return SimpleNamespace(text=''.join(texts), error=error, code=code)


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def run_ranks(ranks, command, cwd, plant=lambda rank: None):
    """Run a Python file in several forks of this process, as a launcher does that ends no rank for another's sake.

    Args:
        ranks (int): How many.
        command (Callable[[int], list]): A rank's command.
        cwd (Path): The current folder.
        plant (Callable[[int], None]): What a rank calls before it begins, as to patch something.

    Returns:
        list[SimpleNamespace]: The ``text`` and exit ``code`` of each; -9 of one that had to be ended.
    """
    port = free_port()
    children, files = [], []
    for rank in range(ranks):
        env = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=ranks, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
        env = {name: str(value) for name, value in env.items()} | {'CUDA_VISIBLE_DEVICES': ''}
        out = tempfile.TemporaryFile('w+')  # noqa: SIM115  closed below
        arguments = [str(part) for part in command(rank)][1:]

        def start(rank=rank, arguments=arguments, env=env, out=out):
            plant(rank)
            become(arguments, cwd, env, out, out)

        children.append(multiprocessing.get_context('fork').Process(target=start))
        files.append(out)
        children[-1].start()
    end = time.monotonic() + LIMIT
    for child in children:
        child.join(max(end - time.monotonic(), 0))
        child.kill()
    ends = []
    for child, file in zip(children, files, strict=True):
        child.join()
        with file:
            file.seek(0)
            ends.append(SimpleNamespace(text=file.read(), code=child.exitcode))
    return ends


def become(arguments, cwd, env, out, err):
    """Turn this process into the program that the arguments begin with."""
    forget_the_end()
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    sys.stdout, sys.stderr = out, err  # rather than pytest's
    logging.raiseExceptions = False  # of a logger that writes to pytest's
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = arguments
    sys.path.insert(0, str(Path(arguments[0]).parent))
    runpy.run_path(arguments[0], run_name='__main__')


def forget_the_end():
    """Of a fork: what its parent has put off to the end of Python is the parent's. It ends its own processes."""
    atexit._clear()
    atexit.register(multiprocessing.util._exit_function)
