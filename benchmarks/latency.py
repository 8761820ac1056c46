"""How long a batch takes in PyTorch, ONNX Runtime and OpenVINO: ``python benchmarks/latency.py [NAME|CONFIG [CKPT]]``.

The test-time network on normalised images of its test's size, decoded and resized before. Each backend has a process of
its own for each number of threads; one that is not installed, or fails, has a row that says so.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import machine, seconds

from tsgan.command_line import run

BACKENDS = {
    'PyTorch': 'pytorch',
    'torch.compile': 'compile',
    'ONNX Runtime': 'onnx',
    'ONNX Runtime, int8': 'onnx-int8',
    'OpenVINO': 'openvino',
    'OpenVINO, int8': 'openvino-int8',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time a batch in several backends, as a Markdown table')
    parser.add_argument(
        'model', nargs='?', default='tsgan-jd_small_synthetic', help='name or config; default: %(default)s'
    )
    parser.add_argument('checkpoint', nargs='?', help='its weights; default: those that come with the package')
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 32], help='images of a batch; default: 1 32')
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2], help='default: 1 2')
    parser.add_argument('--repeats', type=int, default=51, help='of which the median counts; default: 51')
    parser.add_argument('--backend', choices=BACKENDS.values(), help=argparse.SUPPRESS)  # of a process begun here
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def torch_call(args: argparse.Namespace, threads: int, fed: dict[str, np.ndarray]) -> Callable:
    import torch

    from tsgan.apis import get_model
    from tsgan.models.deployed import Deployed

    torch.set_num_threads(threads)
    network = Deployed(get_model(args.model, args.checkpoint, device='cpu'))
    if args.backend == 'compile':
        network = torch.compile(network)
    tensors = [torch.from_numpy(array) for array in fed.values()]

    def call() -> None:
        with torch.inference_mode():
            network(*tensors)

    return call


def openvino_call(file: Path, threads: int, fed: dict[str, np.ndarray]) -> Callable:
    from tsgan.extras import need

    settings = dict(INFERENCE_NUM_THREADS=threads, PERFORMANCE_HINT='LATENCY')
    compiled = need('openvino', 'openvino').compile_model(str(file), 'CPU', settings)
    return lambda: compiled(fed)


def measure(args: argparse.Namespace) -> dict[int, float]:
    """Batch -> median seconds, of one backend, in this process."""
    from tsgan.apis.export import OnnxNetwork

    (threads,) = args.threads
    file = args.folder / ('int8.onnx' if args.backend.endswith('int8') else 'fp32.onnx')
    network = OnnxNetwork(file, threads)
    draws, found = np.random.default_rng(0), {}
    for batch in args.batches:
        images = draws.integers(0, 256, (batch, *network.size, 3), np.uint8)
        fed = network.inputs(images, np.arange(batch) % 2 == 0)
        if args.backend.startswith('onnx'):
            call = lambda fed=fed: network.session.run(None, fed)  # noqa: E731
        elif args.backend.startswith('openvino'):
            call = openvino_call(file, threads, fed)
        else:
            call = torch_call(args, threads, fed)
        for _ in range(3):  # to warm up, and to compile
            call()
        found[batch] = statistics.median(seconds(call, args.repeats)[0])
    return found


def measure_apart(args: argparse.Namespace, backend: str, threads: int, folder: str) -> dict[int, float] | str:
    """The same in a process of its own; why not, where it fails."""
    command = [sys.executable, __file__, args.model, *filter(None, [args.checkpoint]), '--repeats', args.repeats]
    command += ['--batches', *args.batches, '--threads', threads, '--backend', backend, '--folder', folder]
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), CUDA_VISIBLE_DEVICES='')
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f'exit code {done.returncode}']
        return said[-1].removeprefix('error: ')
    return {int(batch): taken for batch, taken in json.loads(done.stdout.splitlines()[-1]).items()}


def table(results: dict[str, dict[int, dict[int, float] | str]], args: argparse.Namespace) -> str:
    """Backend -> threads -> batch -> seconds, as Markdown."""
    cases = [(batch, threads) for batch in args.batches for threads in args.threads]
    names = [f'batch {batch}, {threads} thread{"s" * (threads > 1)}, ms' for batch, threads in cases]
    lines = [f'| backend | {" | ratio | ".join(names)} | ratio |', '|---' * (1 + 2 * len(cases)) + '|']
    first = results['PyTorch']
    for name, found in results.items():
        cells = []
        for batch, threads in cases:
            if isinstance(found[threads], str):
                cells += [found[threads] if not cells else '', '']
                continue
            taken = found[threads][batch]
            ratio = '' if isinstance(first[threads], str) else f'{taken / first[threads][batch]:.2f}'
            cells += [f'{1000 * taken:.2f}', ratio]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    if args.backend:
        print(json.dumps(measure(args)))
        return
    from tsgan.apis.export import OnnxNetwork, export_onnx, quantize_onnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'fp32.onnx')
        export_onnx(args.model, file, args.checkpoint)
        quantize_onnx(file, Path(folder, 'int8.onnx'))
        results = {}
        for name, backend in BACKENDS.items():
            print(name, file=sys.stderr, flush=True)
            results[name] = {threads: measure_apart(args, backend, threads, folder) for threads in args.threads}
        height, width = OnnxNetwork(file).size
    print(table(results, args))
    print(f'\n{args.model}, images of {height}x{width}, median of {args.repeats}; {machine()}')


if __name__ == '__main__':
    run(main)
