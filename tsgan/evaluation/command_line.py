"""What the command lines that take a features file have in common: how a protocol is asked for."""

import os
import re
from argparse import ArgumentParser, Namespace

from .protocols import LLCMProtocol, RegDBProtocol, SYSUMM01Protocol

PROTOCOLS = ('sysu-mm01', 'regdb', 'llcm')
SYSU_ONLY = ('modes', 'shots', 'gallery_sampling', 'perm')


def add_protocol_arguments(
    parser: ArgumentParser, required: bool = True, rerank: bool = True, device: bool = True
) -> None:
    """Protocol, its options, whether to re-rank (where that is a choice), and how to compute."""
    parser.add_argument('--protocol', choices=PROTOCOLS, required=required)
    sysu = parser.add_argument_group('SYSU-MM01')
    sysu.add_argument('--modes', nargs='+', choices=list(SYSUMM01Protocol.MODES), help='default: all indoor')
    sysu.add_argument(
        '--shots', nargs='+', type=int, help='default: 1 10; with the agw sampling, which knows no other, 1'
    )
    sysu.add_argument('--gallery-sampling', choices=['official', 'agw'], help='default: official')
    sysu.add_argument('--perm', metavar='FILE', help='rand_perm_cam.mat, which the official sampling reads')
    other = parser.add_argument_group('RegDB, LLCM')
    other.add_argument('--swap', action='store_true', help='the other direction: search query_* with gallery_*')
    parser.add_argument('--trials', type=int, help='draws of the gallery (SYSU-MM01, LLCM); default: 10')
    if rerank:
        parser.add_argument('--rerank', action='store_true', help='also with k-reciprocal re-ranking')
    if device:
        parser.add_argument('--device', help='where re-ranking computes distances; default: the GPU where there is one')
    parser.add_argument(
        '--memory-mb', type=int, default=1024, help='budget for blocks of distances, beside the features; default: 1024'
    )


def build_protocol(args: Namespace) -> SYSUMM01Protocol | RegDBProtocol | LLCMProtocol:
    """The protocol that the arguments ask for.

    Raises:
        ValueError: An option of another protocol, or a value that the protocol refuses.
        FileNotFoundError: Official sampling without its file.
    """
    if args.perm and not os.path.isfile(args.perm) and args.gallery_sampling == 'agw':
        raise FileNotFoundError(f'there is no file {args.perm}.')
    if args.protocol == 'sysu-mm01':
        if args.swap:
            raise ValueError('--swap is for RegDB and LLCM: SYSU-MM01 searches RGB images with IR probes only.')
        return SYSUMM01Protocol(
            modes=args.modes or ('all', 'indoor'),
            shots=args.shots or ((1,) if args.gallery_sampling == 'agw' else (1, 10)),
            gallery_sampling=args.gallery_sampling or 'official',
            perm_file=args.perm,
            num_trials=10 if args.trials is None else args.trials,
        )
    options = [*SYSU_ONLY, 'trials'] if args.protocol == 'regdb' else SYSU_ONLY
    for name in options:
        if getattr(args, name) is not None:
            whose = 'SYSU-MM01 and LLCM, which draw their galleries' if name == 'trials' else 'SYSU-MM01'
            raise ValueError(f'--{name.replace("_", "-")} is for {whose}, not for {args.protocol}.')
    directions = ['rgb_to_ir' if args.swap else 'ir_to_rgb']  # a features file calls its queries IR
    if args.protocol == 'regdb':
        return RegDBProtocol(directions)
    return LLCMProtocol(directions, num_trials=10 if args.trials is None else args.trials)


def read_words(path: str) -> list[str]:
    """What a text file lists, separated by commas, spaces or lines; of an empty one, one empty word."""
    with open(path, encoding='utf-8', errors='replace') as file:
        return re.split(r'[\s,]+', file.read().strip(' \t\r\n,\ufeff'))


def read_identities(path: str) -> list[int]:
    """Identities that a text file lists: numbers separated by commas, spaces or lines, as SYSU-MM01's `exp/*_id.txt`.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It holds anything else, or nothing.
    """
    words = read_words(path)
    for word in words:
        if not re.fullmatch(r'\d{1,18}', word):
            raise ValueError(
                f'{path} is no list of identities: expected numbers separated by commas, spaces or lines, found '
                f'{word[:20]!r}.'
            )
    return [int(word) for word in words]


def name_settings(results: dict[str, dict], args: Namespace) -> dict[str, dict]:
    """Results by the names that are asked for: `regdb`, `llcm`, where a protocol names its settings by direction."""
    if args.protocol == 'sysu-mm01':
        return results
    direction = 'rgb_to_ir' if args.swap else 'ir_to_rgb'
    return {name.replace(direction, args.protocol): row for name, row in results.items()}


def describe(protocol: SYSUMM01Protocol | RegDBProtocol | LLCMProtocol, args: Namespace) -> dict:
    """What a result must be published with; who searches whom is said in the words of the features file."""
    about = protocol.describe()
    if about.pop('directions', None):
        about['searched'] = 'query_* with gallery_*' if args.swap else 'gallery_* with query_*'
    return about
