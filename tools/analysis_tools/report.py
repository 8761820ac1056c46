"""A test run as one HTML file: ``python tools/analysis_tools/report.py WORK_DIR``.

WORK_DIR is where ``tools/test.py CONFIG CKPT --out WORK_DIR/features.npz`` has written its results. The page opens from
disk, without a server or a network: results, distances by camera pair, the hardest queries with their ranked lists.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.visualization.report import write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write a test run as one HTML file')
    parser.add_argument('work_dir', metavar='WORK_DIR', help='where tools/test.py has written results.json')
    parser.add_argument('--features', metavar='FEATURES.npz', help='default: features.npz in WORK_DIR')
    parser.add_argument('--data-root', metavar='FOLDER', help="the data set; default: as WORK_DIR's config says")
    parser.add_argument(
        '--setting', metavar='NAME', help='whose first trial is shown, such as indoor_multi; default: the first'
    )
    parser.add_argument('--queries', type=int, default=50, help='how many of the hardest are shown; default: 50')
    parser.add_argument('--topk', type=int, default=10, help='gallery images of each; default: 10')
    parser.add_argument('--out', type=out_file, metavar='FILE.html', help='default: report.html in WORK_DIR')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    page = write_report(args.work_dir, args.features, args.data_root, args.out, args.setting, args.queries, args.topk)
    print(f'{page}: {page.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    run(main)
