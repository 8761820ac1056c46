"""Search images: ``python tools/search.py QUERY ... --gallery FOLDER``.

The gallery is one that `tsgan.apis.Gallery` has saved, or a folder of images; that of a folder is made once, and kept
beside it. Neither needs identities or cameras: a folder of infrared pictures can be searched in one of colour pictures.

With ``--calibration``, which `tools/analysis_tools/calibrate.py` makes, hits have probabilities, and so has nobody.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from tsgan.apis.calibrated import check_scale, in_words, percent, ready, without_nobody
from tsgan.command_line import add_model_arguments, out_file, run
from tsgan.whole_files import write_whole

JUDGED, NOBODY = ('probability', 'candidate'), ('probability', 'enrolled', 'level', 'candidates')  # with a calibration
HIT = ('path', 'score', 'identity', 'camera', 'modality')  # of a hit, in OUT.json
DEFAULTS = {'enrolled': 0.5, 'level': 0.95}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Find the images of a gallery that show who the queries show')
    parser.add_argument('queries', nargs='+', metavar='QUERY', help='folders, files, or patterns such as "a/**/*.jpg"')
    parser.add_argument('--gallery', required=True, metavar='GALLERY|FOLDER', help='what to search')
    add_model_arguments(parser)
    parser.add_argument('--batch-size', type=int, default=64, help='images at a time; default: %(default)s')
    parser.add_argument('--topk', type=int, default=10, help='hits of each query; default: %(default)s')
    parser.add_argument('--rerank', action='store_true', help='rank anew by k-reciprocal neighbours')
    parser.add_argument('--group-by', choices=['identity'], help='show the best image of each identity alone')
    parser.add_argument('--pool', choices=['mean', 'best'], help='all queries show one person, and get one list')
    parser.add_argument('--camera', nargs='+', help='search images of these cameras alone')
    parser.add_argument('--modality', choices=['rgb', 'ir'], help='search images of this modality alone')
    parser.add_argument('--threshold', type=float, help='show hits of this score and above alone')
    parser.add_argument('--calibration', metavar='FILE.json', help='what the scores mean: probabilities, and nobody')
    parser.add_argument(
        '--enrolled',
        type=float,
        help='with it: share of such searches that are for somebody who is there; default: 0.5',
    )
    parser.add_argument('--level', type=float, help='with it: probability of the set of candidates; default: 0.95')
    parser.add_argument(
        '--engine',
        choices=['flat', 'hnsw', 'ivfpq'],
        help='flat is exact, of the others recall is printed; default: as the gallery has it, else flat',
    )
    parser.add_argument('--show-dir', metavar='DIR', help='folder for a picture of each query with its hits')
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the hits too')
    parser.add_argument(
        '--cache', metavar='DIR', help='where to keep the gallery of a folder of images; default: beside the folder'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # torch is imported where it is needed: not to say what is wrong with an argument, nor for an ONNX file
    from tsgan.apis import Gallery, ReIDInferencer
    from tsgan.apis.gallery import check_count
    from tsgan.datasets.loose_images import LooseImage, find_images

    # what is wrong with the arguments is said before a gallery is made, which may take hours
    queries = find_images(args.queries)
    check_count('topk', args.topk)
    how = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name) is not None}
    if args.calibration is not None:
        check_scale(args.rerank, args.pool)
    elif how:
        raise ValueError(f'--{next(iter(how))} is of probabilities, of which there are none without --calibration.')
    if args.show_dir:
        Path(args.show_dir).mkdir(parents=True, exist_ok=True)
    reid = ReIDInferencer(args.model, args.weights, args.device)
    how, calibration = DEFAULTS | how, None
    if args.calibration is not None:
        calibration = ready(args.calibration, **how, model=reid.name, fingerprint=reid.fingerprint)
    gallery = Gallery.of(args.gallery, reid, cache=args.cache, engine=args.engine, batch_size=args.batch_size)
    if args.camera:
        check_cameras(args.camera, gallery.values('camera'))
    feats, rows = reid.extract(queries, args.batch_size), reid.rows
    with warnings.catch_warnings(record=True) as warned:
        lists = gallery.search(
            feats,
            args.topk,
            camera=args.camera,
            modality=args.modality,
            group_by=args.group_by,
            pool=args.pool,
            rerank=args.rerank,
            threshold=args.threshold,
            calibration=calibration,
            queries=rows,
            **how,
        )
    for warning in warned:
        print(f'warning: {warning.message}', file=sys.stderr)
    if args.engine not in (None, 'flat'):
        gallery.recall(args.topk)
    paths = [row.path for row in rows]
    found = [(paths, lists)] if args.pool else list(zip(paths, lists, strict=True))
    sys.stdout.reconfigure(errors='backslashreplace')  # of names that are not UTF-8
    print(table(found))
    if args.json:
        write_hits(args.json, found)
    if args.show_dir:
        drawn = lists if not args.pool else [lists] * len(rows)
        reid.visualize([LooseImage(row) for row in rows], drawn, args.show_dir)
        print(f'pictures in {args.show_dir}')


def check_cameras(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raises ValueError when the gallery has no image by one of the wanted cameras."""
    for camera in wanted:
        if camera not in there:
            named = ', '.join(there[:20]) + (', ...' if len(there) > 20 else '')
            raise ValueError(
                f'--camera {camera}: no image of the gallery is of that camera; '
                + (f'expected one of {named}.' if named else 'of none is the camera known.')
            )


def table(found: list[tuple[str | list[str], list[dict]]]) -> str:
    """Query, rank, score and path of each hit, in columns; with a calibration its probability, and at last nobody's."""
    lines = [('query', 'rank', 'score', 'probability', 'path')]
    for query, hits in found:
        name = query if isinstance(query, str) else f'{len(query)} images'
        hits, nobody = without_nobody(hits)
        lines += [(name, str(rank), f'{hit["score"]:.4f}', chance(hit), shown(hit)) for rank, hit in enumerate(hits, 1)]
        lines += [] if hits else [(name, '-', '-', '', 'nothing found')]
        if nobody:
            about = in_words(nobody, sum(hit['candidate'] for hit in hits))
            lines.append((name, '-', '-', chance(nobody), f'nobody; the person is {about}'))
    width, (_, nobody) = max(len(line[0]) for line in lines), without_nobody(found[0][1])
    if not nobody:
        return '\n'.join(f'{query:<{width}}  {rank:>4}  {score:>7}  {path}' for query, rank, score, _, path in lines)
    told = [f'{query:<{width}}  {rank:>4}  {score:>7}  {how:>11}  {path}' for query, rank, score, how, path in lines]
    return '\n'.join([*told, '', *legend(nobody)])


def legend(nobody: dict) -> list[str]:
    """What a calibration's marks and numbers mean."""
    level, enrolled = (f'{100 * nobody[name]:.4g} %' for name in ('level', 'enrolled'))
    return [
        f'*: a candidate. If the person is in the gallery (enrolled), an image is among the candidates with {level}.',
        f'probability: where {enrolled} of searches are for somebody in the gallery; images without an identity are '
        'of a person each.',
    ]


def chance(hit: dict) -> str:
    """A probability, marked of a candidate; nothing without a calibration."""
    return f'{percent(hit["probability"])} {"*" if hit.get("candidate") else " "}' if 'probability' in hit else ''


def shown(hit: dict) -> str:
    about = ', '.join(filter(None, [hit['identity'], hit['camera']]))
    return f'{hit["path"] or hit["key"]}{f"  ({about})" if about else ""}'


def write_hits(file: str, found: list[tuple[str | list[str], list[dict]]]) -> None:
    """``[{"query": path, "hits": [{"path": ..., "score": ...}]}]``; of queries that were pooled, a list of paths.

    With a calibration, hits have ``probability`` and ``candidate``, and a query has ``nobody``: ``{"probability": ...,
    "enrolled": ..., "level": ..., "candidates": ...}``.
    """
    content = []
    for query, hits in found:
        hits, nobody = without_nobody(hits)
        entry = {'query': query, 'hits': [{name: hit[name] for name in (*HIT, *JUDGED) if name in hit} for hit in hits]}
        content.append(entry | ({'nobody': {name: nobody[name] for name in NOBODY}} if nobody else {}))
    write_whole(file, json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    run(main)
