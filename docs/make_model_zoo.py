"""Writes docs/model_zoo.md from model-index.yml and its metafiles: ``python docs/make_model_zoo.py``.

With ``--check`` it writes nothing, and fails where the page is not what they give.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tsgan.command_line import out_file, run
from tsgan.config_files import read_config

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from make_leaderboard import CONVENTIONS, GITHUB, Loader, link, write_unless  # noqa: E402

# Metafile: the heading of its models, and what is to be known of their figures
FAMILIES = {
    'configs/synthetic/shipped/metafile.yml': (
        'The model that comes with the package',
        'It has learned from rendered people alone, and is no good on real cameras. Its card lies beside the weights. '
        'Measured is how it does on rendered people of other seeds, and on crops of [real street '
        'scenes](results.md#the-model-that-comes-with-the-package), where plain HOG is better.',
    ),
    'configs/metafile.yml': (
        'TS-GAN on SYSU-MM01',
        'The figures are those of Tables I to III of the paper. Nothing was measured here on SYSU-MM01. What is known '
        'of its conventions: [leaderboard](leaderboard.md).',
    ),
    'configs/synthetic/metafile.yml': (
        'TS-GAN on rendered people',
        'The same rows at a size for two CPU cores; not to be compared with the figures on SYSU-MM01. How they were '
        'measured, and what that shows: [results](results.md#synthetic-images-table-ii-with-three-seeds). Random '
        'numbers were drawn otherwise before 1.0, when these were measured: the same commands give other figures, as '
        'another seed would.',
    ),
    'configs/image_folder/metafile.yml': (
        'TS-GAN on your own images',
        'One training of each on a small set of [street scenes](results.md#real-images-people-of-street-scenes), '
        'TS-GAN with `model.adv_through_reid=False`, and all with the random numbers of before 1.0.',
    ),
    'configs/regdb/metafile.yml': (
        'TS-GAN on RegDB',
        'The paper has no figures on it, and nothing was measured. The teacher named is that of the first of ten '
        'splits: [data](data.md#regdb).',
    ),
    'configs/llcm/metafile.yml': ('TS-GAN on LLCM', 'The paper has no figures on it, and nothing was measured.'),
    'configs/rivals/metafile.yml': (
        'The other systems of Table I, on SYSU-MM01',
        "The figures are what TS-GAN's paper prints for them. Nothing was measured here on SYSU-MM01: "
        '[rivals](rivals.md).',
    ),
    'configs/synthetic/rivals/metafile.yml': (
        'The other systems of Table I, on rendered people',
        'At a size for two CPU cores: [rivals](rivals.md#measured-on-the-synthetic-set).',
    ),
    'configs/modern/metafile.yml': (
        'Methods since 2021, on SYSU-MM01, RegDB and LLCM',
        'The figures are what others print, each with its source and with what is known of its conventions. Nothing '
        'was measured here on these data sets: [methods](methods.md).',
    ),
    'configs/synthetic/modern/metafile.yml': (
        'Methods since 2021, on rendered people',
        'At a size for two CPU cores, all at the images that `tsgan_jd_sum` sees. What they show, and what they '
        'cannot: [methods](methods.md#measured-on-the-synthetic-set).',
    ),
}
METRICS = ['R1', 'R5', 'R10', 'R20', 'mAP', 'mINP']
KINDS = {  # behind a metric, in brackets: which table it is for, and what a row of that kind is called
    'paper': ('printed', ''),
    'measured': ('measured', ''),
    'measured, re-ranked': ('measured', ', re-ranked'),
    'std over seeds': ('measured', ''),
}
HEADS = {'gallery': 'gallery', 'roles': 'roles', **CONVENTIONS}
PARTS = {'reid': 'network', 'teacher': 'teacher'}

INTRODUCTION = """\
# Model zoo

<!-- Written by docs/make_model_zoo.py from model-index.yml and the metafiles in configs/: edit those. -->

Every model of the metafiles, {count} of them. One has weights, which come with the package; all others are trained by
`python tools/train.py CONFIG` ([training](training.md)), after what they need first. **Measured** is what this code
gave, with the command and the seeds; **printed** is what papers and repositories say, on data and with conventions of
their own. The two stand in tables of their own, and are not to be compared. `-` is not measured or not printed. All
figures are in percent; `±` is the standard deviation over the seeds.

Which of them is for you: [configs](configs.md). What the words for conventions mean, and what others print beyond
these: [leaderboard](leaderboard.md).
"""


def load(index: Path) -> dict[str, dict]:
    """The metafiles that an index names, by their paths, each checked for what the page cannot show.

    Raises:
        ValueError: Names the metafile, the model and what is wrong.
    """
    found = {}
    for name in read(index)['Import']:
        if name not in FAMILIES:
            raise ValueError(f'{name} has no heading in FAMILIES of {Path(__file__).name}.')
        found[name] = read(index.parent / name)
        for problem in problems(found[name], index.parent):
            raise ValueError(f'{name}: {problem}.')
    return {name: found[name] for name in FAMILIES if name in found}


def read(file: Path) -> dict:
    try:
        return yaml.load(file.read_text(encoding='utf-8'), Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'{file} is no YAML in UTF-8: {" ".join(str(error).split())}') from error


def problems(metafile: dict, root: Path) -> Iterator[str]:
    collections = {one['Name']: one for one in metafile['Collections']}
    for model in metafile['Models']:
        name = model['Name']
        if model['In Collection'] not in collections:
            yield f'{name} is in {model["In Collection"]}, which is no collection'
        if not (root / model['Config']).is_file():
            yield f'{name} has the config {model["Config"]}, which is not there'
        for result in model.get('Results', []):
            rows = list(kinds(result))
            for key in result['Metrics']:
                metric, kind = split(key)
                if key != 'seeds' and (metric not in METRICS or kind not in KINDS):
                    expected = f'{", ".join(METRICS)} and {", ".join(KINDS)}'
                    yield f'{name}, {result["Dataset"]}: {key} is no figure of {expected}'
            if any(KINDS[kind][0] == 'measured' for kind in rows):
                known = collections[model['In Collection']]['Metadata']
                if not known.get('Measured By') or 'Seeds' not in known:
                    yield f'{name} is measured, and {model["In Collection"]} has no Measured By or no Seeds'


def split(key: str) -> tuple[str, str]:
    """'R1 (paper)' -> ('R1', 'paper')."""
    found = re.fullmatch(r'(\S+) \((.+)\)', str(key))
    return (found[1], found[2]) if found else (str(key), '')


def kinds(result: dict) -> list[str]:
    """The kinds of figures of a result that make rows, in their order."""
    found = dict.fromkeys(split(key)[1] for key in result['Metrics'])
    return [kind for kind in found if kind in KINDS and kind != 'std over seeds']


def needs(config: Path) -> str:
    """What a training of this config begins with, read off the resolved config."""
    cfg = read_config(config)
    found = [f'data: `{cfg.train_dataloader.dataset.data_root}`']
    if cfg.get('load_from'):
        found.append(f'start: `{cfg.load_from}`')
    for child, called in PARTS.items():
        encoder = cfg.model.get(child, {}).get('encoder', {})
        if encoder.get('checkpoint') and encoder.get('trained_by'):
            found.append(f'{called}: `{encoder.trained_by}`')
    if downloads(cfg.model):
        found.append('ImageNet weights')
    if any(hook.type == 'PseudoLabelHook' for hook in cfg.get('custom_hooks') or []):
        found.append('`tsgan[unsupervised]`')
    return '<br>'.join(found)


def downloads(node: object) -> bool:
    """Whether anything in a config has first weights from an address."""
    if isinstance(node, dict):
        return any(downloads(value) for key, value in node.items() if key != 'teacher')
    if isinstance(node, list | tuple):
        return any(downloads(value) for value in node)
    return isinstance(node, str) and node.startswith('https://')


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ['---'] * len(heads), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def models_table(models: list[dict], root: Path) -> str:
    rows = []
    for model in models:
        weights = f'`{model["Weights"]}`' if 'Weights' in model else '-'
        rows.append([f'`{model["Name"]}`<br>`{model["Config"]}`', needs(root / model['Config']), weights])
    weighted = any('Weights' in model for model in models)
    heads = ['model, config', 'needs first', 'weights']
    return table(heads, rows) if weighted else table(heads[:2], [row[:2] for row in rows])


def short_names(names: list[str]) -> dict[str, str]:
    """Each model's name up to the first underscore; whole where that is another one's, too."""
    short = {name: name.split('_')[0] for name in names}
    taken = list(short.values())
    return {name: brief if taken.count(brief) == 1 else name for name, brief in short.items()}


def figures(models: list[dict], wanted: str) -> dict[str, list[tuple[str, str, dict]]]:
    """Data set -> name of the model, kind of figures and the result, of those that were measured or printed."""
    found = {}
    for model in models:
        for result in model.get('Results', []):
            for kind in kinds(result):
                if KINDS[kind][0] == wanted:
                    found.setdefault(result['Dataset'], []).append((model['Name'], kind, result))
    return found


def cell(result: dict, metric: str, kind: str) -> str:
    value = result['Metrics'].get(f'{metric} ({kind})')
    spread = result['Metrics'].get(f'{metric} (std over seeds)') if kind == 'measured' else None
    return '-' if value is None else f'{value}' if spread is None else f'{value} ± {spread}'


def figures_tables(models: list[dict], wanted: str, board: dict) -> str:
    """A table for each data set and setting."""
    text = ''
    for data, rows in figures(models, wanted).items():
        there = [metric for metric in METRICS if any(cell(result, metric, kind) != '-' for _, kind, result in rows)]
        seeded = any('seeds' in result['Metrics'] for *_, result in rows)
        sourced = any('Source' in result or 'Convention' in result for *_, result in rows)
        heads = ['model', *there, *(['seeds'] if seeded else []), *(['source, conventions'] if sourced else [])]
        short, lines = short_names([name for name, *_ in rows]), []
        for name, kind, result in rows:
            line = [f'`{short[name]}`{KINDS[kind][1]}', *(cell(result, metric, kind) for metric in there)]
            line += [str(result['Metrics'].get('seeds', '-'))] if seeded else []
            line += [source(result, board)] if sourced else []
            lines.append(line)
        text += f'\n{wanted.capitalize()}, **{data}**:\n\n{table(heads, lines)}'
    return text


def source(result: dict, board: dict) -> str:
    """Where a figure is printed, and what is known of its conventions."""
    known = result.get('Convention', {})
    said = ', '.join(f'{HEADS[key]} {value}' for key, value in known.items())
    named = result.get('Source')
    where = '' if named is None else link(named, board) if named in board['sources'] or '/' in named else named
    return '; '.join(filter(None, (where, said))) or '-'


def collection(one: dict) -> str:
    """One line: what a collection is trained on and how, where it is from, and what of it is reconstruction."""
    data = one['Metadata']
    said = [f'trained on {data["Training Data"]}']
    if 'Epochs' in data:
        said.append(f'{data["Epochs"]} epochs, batches of {data["Batch Size"]}')
    said += [', '.join(data[key]) for key in ('Architecture', 'Training Techniques') if key in data]
    paper = one.get('Paper', {})
    title = paper.get('Title', '')
    where = [f'[{title}]({paper["URL"]})' if 'URL' in paper else title]
    if 'Code' in one:
        url = one['Code']['URL']
        where.append(f'[{url.removeprefix(GITHUB)}]({url})')
    line = f'- **{one["Name"]}**: {"; ".join(said)}.'
    line += ''.join(f' {part}.' for part in where if part)
    if 'Measured By' in data:
        commands = ', '.join(f'`{command}`' for command in data['Measured By'])
        line += f' Measured by {commands}; seeds: {data["Seeds"]}.'
    if 'Reconstruction' in data:
        line += f' What is reconstruction, or not as published: {data["Reconstruction"]}'
    return f'{line}\n'


def section(name: str, metafile: dict, root: Path, board: dict) -> str:
    """A metafile's heading, its models, what was measured, what is printed, and what they come from."""
    heading, note = FAMILIES[name]
    models = metafile['Models']
    text = f'\n## {heading}\n\n{note}\n\n{models_table(models, root)}'
    text += figures_tables(models, 'measured', board) + figures_tables(models, 'printed', board)
    without = [f'`{model["Name"]}`' for model in models if not model.get('Results')]
    if without and len(without) < len(models):
        text += f'\nWithout figures: {", ".join(without)}.\n'
    return f'{text}\n{"".join(collection(one) for one in metafile["Collections"])}'


def page(metafiles: dict[str, dict], root: Path) -> str:
    """docs/model_zoo.md."""
    board = {'sources': read(HERE / 'leaderboard.yml')['sources']}
    text = INTRODUCTION.format(count=sum(len(metafile['Models']) for metafile in metafiles.values()))
    return text + ''.join(section(name, metafile, root, board) for name, metafile in metafiles.items())


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--index', type=Path, default=HERE.parent / 'model-index.yml', help='default: %(default)s')
    parser.add_argument('--out', type=out_file, default=str(HERE / 'model_zoo.md'), help='default: %(default)s')
    parser.add_argument('--check', action='store_true', help='write nothing, and fail where the page is another')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    text = page(load(args.index), args.index.resolve().parent)
    if not write_unless(args.check, text, args.out, args.index):
        raise ValueError(f'{args.out} is not what {args.index} gives: run `python docs/make_model_zoo.py`.')


if __name__ == '__main__':
    run(main)
