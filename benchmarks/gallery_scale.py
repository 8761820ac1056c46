"""Galleries as they grow: ``python benchmarks/gallery_scale.py --rows 10000 100000 1000000``.

Random features around one centre for every 20 rows; the queries are others around the same centres. Each size and
engine runs in a process of its own, whose peak resident memory is printed; the vectors are mapped from their files, and
what of them has been read counts as resident. A flat gallery is built (features are added 4,096 at a time) and saved;
the others take over its rows. Prints Markdown.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tsgan.apis import Gallery
from tsgan.command_line import run

ROWS_A_PERSON, BATCH = 20, 4096
ENGINES = ('flat', 'hnsw', 'ivfpq')


def features(rows: int, dim: int, queries: int) -> tuple[np.ndarray, object]:
    """Queries (Nq, D), and an iterator over the rows' features, (n, D) each."""
    draws = np.random.default_rng(0)
    centres = draws.standard_normal((max(1, rows // ROWS_A_PERSON), dim), np.float32)

    def some(count: int) -> np.ndarray:
        return centres[draws.integers(0, len(centres), count)] + draws.standard_normal((count, dim), np.float32)

    asked = some(queries)
    return asked, (some(min(BATCH, rows - start)) for start in range(0, rows, BATCH))


def measure(args: argparse.Namespace) -> dict:
    """Seconds of each step, queries a second, recall, MiB on disk and at most in memory."""
    folder, rows, engine = Path(args.folder), args.rows[0], args.one
    queries, batches = features(rows, args.dim, args.queries)
    took, start = {}, time.perf_counter()

    def done(name: str) -> None:
        nonlocal start
        took[name] = time.perf_counter() - start
        start = time.perf_counter()

    if engine == 'flat':
        gallery, made = Gallery('random', '0' * 64, args.dim), 0.0
        for batch in batches:
            fields = [{'camera': f'cam{row % 6}'} for row in range(len(batch))]
            start = time.perf_counter()
            gallery.add(batch, fields)
            made += time.perf_counter() - start
        took['build'] = made
    else:
        gallery = Gallery.load(folder / 'flat')
        start = time.perf_counter()
        gallery.reindex(engine)
        done('build')
    start = time.perf_counter()
    gallery.save(folder / engine)
    done('save')
    del gallery
    start = time.perf_counter()
    gallery = Gallery.load(folder / engine)
    done('load')
    gallery.search(queries[:1])  # the first one reads the files
    done('first')
    found = [gallery.search(query) for query in queries]
    done('one')
    gallery.search(queries)
    done('all')
    gallery.search(queries[:10], camera='cam1')
    start = time.perf_counter()
    gallery.search(queries, camera='cam1')
    done('filtered')
    for name in ('one', 'all', 'filtered'):
        took[name] = len(queries) / took[name]
    size = sum(file.stat().st_size for file in (folder / engine).iterdir()) / 2**20
    return {**took, 'disk': size, 'peak': peak_mib(), 'hits': [[hit['key'] for hit in hits] for hits in found]}


def peak_mib() -> float:
    """Most memory that was resident; of Linux's own account, since getrusage's begins with that of the parent."""
    status = Path('/proc/self/status')
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith('VmHWM')) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


COLUMNS = {
    'build': 'build, s',
    'save': 'save, s',
    'load': 'load, s',
    'first': 'first search, s',
    'one': 'queries/s, one by one',
    'all': 'queries/s, at once',
    'filtered': 'queries/s, of one camera',
    'disk': 'on disk, MiB',
    'peak': 'peak resident, MiB',
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--rows', nargs='+', type=int, default=[10_000, 100_000, 1_000_000], metavar='N')
    parser.add_argument('--engines', nargs='+', choices=ENGINES, default=ENGINES)
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--queries', type=int, default=100)
    parser.add_argument('--folder', help='where to put the galleries; default: a temporary folder')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return print(json.dumps(measure(args)))
    from common import machine  # imports torch, which is no part of what is measured

    print(f'{machine()}\n{args.dim} dimensions, {args.queries} queries, topk 10\n')
    print(f'| rows | engine | {" | ".join(COLUMNS.values())} | recall@10, % |\n{"|---" * (len(COLUMNS) + 3)}|')
    for rows in args.rows:
        true = None
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            for engine in sorted({'flat', *args.engines}, key=ENGINES.index):
                command = [sys.executable, __file__, '--one', engine, '--rows', str(rows), '--dim', str(args.dim)]
                command += ['--queries', str(args.queries), '--folder', folder]
                result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
                true = true or result['hits']
                same = [len(set(a) & set(b)) / len(b) for a, b in zip(result['hits'], true, strict=True)]
                cells = ' | '.join(f'{result[name]:,.{0 if result[name] >= 100 else 2}f}' for name in COLUMNS)
                print(f'| {rows:,} | {engine} | {cells} | {100 * np.mean(same):.1f} |', flush=True)


if __name__ == '__main__':
    run(main)
