"""Writes docs/leaderboard.md from docs/leaderboard.yml and docs/leaderboard.md.in: ``python docs/make_leaderboard.py``.

With ``--check`` it writes nothing, and fails where the page is not what the YAML gives.
"""

import argparse
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from textwrap import indent

import yaml

from tsgan.command_line import out_file, run
from tsgan.extras import need
from tsgan.whole_files import write_whole

HERE = Path(__file__).resolve().parent
SCHEMA = HERE / 'leaderboard.schema.json'
TEMPLATE = HERE / 'leaderboard.md.in'
GITHUB = 'https://github.com/'

# Data set: its settings, by their heads in the table, and the convention that only it has, by its head
TABLES = {
    'SYSU-MM01': ({'sysu_all': 'all', 'sysu_indoor': 'indoor'}, {'gallery': 'gallery'}),
    'RegDB': ({'regdb_rgb_to_ir': 'V to T', 'regdb_ir_to_rgb': 'T to V'}, {}),
    'LLCM': ({'llcm_ir_to_rgb': 'IR to VIS', 'llcm_rgb_to_ir': 'VIS to IR'}, {'roles': 'roles'}),
}
CONVENTIONS = {'mirror': 'mirror', 'branches': 'summed', 'rerank': 're-ranked', 'selection': 'chosen on test'}
NOT_KNOWN, NOT_PRINTED = '?', '-'

EXAMPLE = """\
- method: AGW
  year: 2021
  venue: TPAMI
  labels: both
  backbone: R50
  repository: mangye16/Cross-Modal-Re-ID-baseline
  figures:
    sysu_all: {R1: 47.50, mAP: 47.65, source: mangye16/Cross-Modal-Re-ID-baseline}
  conventions:
    mirror: {value: no, by: test.py}
    selection: {value: yes, by: train.py}
  runs: {value: 1, by: README.md gives the weights beside the figures}
"""


class Loader(yaml.SafeLoader):
    """``yes`` and ``no`` are words, numbers keep their digits, and a key that stands there twice is refused."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != 'tag:yaml.org,2002:bool']
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f'{key.value} is there twice', key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def number(self, node: yaml.ScalarNode) -> Decimal:
        try:
            return Decimal(node.value)  # 47.50 stays 47.50
        except InvalidOperation:
            problem = f'{node.value} is no figure'
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


Loader.add_constructor('tag:yaml.org,2002:float', Loader.number)


def load(file: str | Path) -> dict:
    """The leaderboard, checked.

    Raises:
        ValueError: Names the row and the field that is wrong, or the line that is no YAML.
        ImportError: Where there is no jsonschema.
    """
    try:
        board = yaml.load(Path(file).read_text(encoding='utf-8'), Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f'{file}, line {mark.line + 1}: {error.problem}.') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'{file} is no YAML in UTF-8.') from error
    validator = need('jsonschema', 'docs').Draft202012Validator(json.loads(SCHEMA.read_text(encoding='utf-8')))
    for error in validator.iter_errors(board):
        raise ValueError(f'{file}: {sentence(error, board)}.')
    for problem in problems(board):
        raise ValueError(f'{file}: {problem}.')
    return board


def sentence(error: Exception, board: object) -> str:
    """What a jsonschema.ValidationError says, with the row by its name and without its full stop."""
    path, found, rule = list(error.absolute_path), error.instance, error.validator_value
    where = ''
    if path[:1] == ['rows'] and len(path) > 1:
        row = board['rows'][path[1]]
        name = row.get('method') if isinstance(row, dict) else None
        where, path = f'row {name or path[1] + 1}, ', path[2:]
    field = '.'.join(map(str, path)) or 'this'
    inner = f'{field}.' if path else ''
    if error.validator == 'required':
        return f'{where}{inner}{next(key for key in rule if key not in found)} is missing'
    if error.validator == 'additionalProperties':
        known = error.schema.get('properties', {})
        return f'{where}{inner}{next(key for key in found if key not in known)} is no field, expected {any_of(known)}'
    expected = {
        'enum': lambda: any_of(rule),
        'minimum': lambda: f'{rule} or more',
        'maximum': lambda: f'{rule} or less',
        'type': lambda: {'object': 'fields', 'array': 'a list', 'string': 'text'}.get(rule, f'a {rule}'),
        'pattern': lambda: error.schema.get('description', f'what {rule} matches').rstrip('.'),
        'minItems': lambda: 'at least one',
        'minProperties': lambda: 'at least one',
    }[error.validator]()
    said = ' '.join(str(found).split())
    return f'{where}{field} is {said[:60] or "empty"}, expected {expected}'


def any_of(words: list | dict) -> str:
    *first, last = words
    return f'{", ".join(first)} or {last}' if first else str(last)


def problems(board: dict) -> list[str]:
    """What the schema cannot see."""
    found, rows = [], board['rows']
    asked = [(f'row {row["method"]}, figures.{key}', cell) for row in rows for key, cell in row['figures'].items()]
    asked += [(f'differences, {one["text"][:30]}...', one) for one in board['differences']]
    found += [
        f'{where}: source {one["source"]} is not in sources'
        for where, one in asked
        if '/' not in one['source'] and one['source'] not in board['sources']
    ]
    used = {one['source'] for _, one in asked}
    found += [f'sources.{key} is the source of no figure' for key in board['sources'] if key not in used]
    names = [row['method'] for row in rows]
    found += [f'row {name} is there twice, and a name is for one' for name in names if names.count(name) > 1]
    belongs = {'gallery': ('sysu_all', 'sysu_indoor'), 'roles': ('llcm_rgb_to_ir',)}
    for row in rows:
        known = row.get('conventions', {})
        found += [
            f'row {row["method"]}, conventions.{key} needs a figure of {any_of(settings)}'
            for key, settings in belongs.items()
            if key in known and not row['figures'].keys() & set(settings)
        ]
        if 'repository' not in row and any(entry['by'].endswith('.py') for entry in known.values()):
            found.append(f'row {row["method"]}: repository is missing, whose files the conventions were read in')
    return found


def sources_in_order(board: dict) -> list[str]:
    """Each source of a figure once, as the rows come to it: [1] is the first."""
    return list(dict.fromkeys(cell['source'] for row in board['rows'] for cell in row['figures'].values()))


def link(source: str, board: dict) -> str:
    """A source as Markdown."""
    if '/' in source:
        repository, _, issue = source.partition('#')
        return f'[{source}]({GITHUB}{repository}{f"/issues/{issue}" if issue else ""})'
    known = board['sources'][source]
    return f'[{known["title"]}]({known["url"]})' if 'url' in known else known['title']


def table(name: str, board: dict) -> str:
    """The rows of one data set, those with a figure of it."""
    settings, own = TABLES[name]
    conventions = {**own, **CONVENTIONS}
    runs = name != 'RegDB'  # ten by its protocol
    heads = ['method', *(f'{head}: {metric}' for head in settings.values() for metric in ('R1', 'mAP'))]
    heads += [*conventions.values(), 'labels', 'backbone', 'published', *(['runs'] if runs else []), 'printed in']
    numbers = {source: number for number, source in enumerate(sources_in_order(board), 1)}
    lines = [heads, ['---'] * len(heads)]
    for row in board['rows']:
        cells = [row['figures'].get(key) for key in settings]
        if not any(cells):
            continue
        line = [f'[{row["method"]}]({GITHUB}{row["repository"]})' if 'repository' in row else row['method']]
        line += [str(cell[metric]) if cell else NOT_PRINTED for cell in cells for metric in ('R1', 'mAP')]
        known = row.get('conventions', {})
        line += [known[key]['value'] if key in known else NOT_KNOWN for key in conventions]
        published = ' '.join(str(row[key]) for key in ('year', 'venue') if key in row)
        line += [row['labels'], row.get('backbone', NOT_KNOWN), published or NOT_KNOWN]
        line += [str(row['runs']['value']) if 'runs' in row else NOT_PRINTED] if runs else []
        printed_in = [f'[{numbers[cell["source"]]}]' for cell in cells if cell]
        line.append(' / '.join(printed_in if len(set(printed_in)) > 1 else printed_in[:1]))
        lines.append(line)
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def section(name: str, board: dict) -> str:
    """A data set's heading and table, in a holder for docs/_static/leaderboard.js."""
    conventions = ', '.join({**TABLES[name][1], **CONVENTIONS}.values())
    holder = f'<div class="leaderboard" data-conventions="{conventions}">'
    return f'\n## {name}\n\n{holder}\n\n{table(name, board)}\n</div>\n'


def evidence(row: dict) -> str:
    """One line: each convention of a row, and where it was read."""
    heads = {'gallery': 'gallery', 'roles': 'roles', **CONVENTIONS}
    known = row.get('conventions', {})
    said = [f'{heads[key]} {known[key]["value"]} ({known[key]["by"]})' for key in heads if key in known]
    said += [f'runs {row["runs"]["value"]} ({row["runs"]["by"]})'] if 'runs' in row else []
    code = f' ([{row["repository"]}]({GITHUB}{row["repository"]}))' if 'repository' in row else ''
    return f'- {row["method"]}{code}: {"; ".join(said)}.\n'


def page(board: dict) -> str:
    """docs/leaderboard.md."""
    row = json.loads(SCHEMA.read_text(encoding='utf-8'))['$defs']['row']['properties']
    values = {key: rule['properties']['value']['enum'] for key, rule in row['conventions']['properties'].items()}
    sources = enumerate(sources_in_order(board), 1)
    return TEMPLATE.read_text(encoding='utf-8').format(
        differences=''.join(f'- {one["text"]} {link(one["source"], board)}\n' for one in board['differences']),
        tables=''.join(section(name, board) for name in TABLES),
        sources=''.join(f'{number}. {link(source, board)}\n' for number, source in sources),
        evidence=''.join(evidence(row) for row in board['rows'] if 'conventions' in row or 'runs' in row),
        example=indent(EXAMPLE, '   '),
        settings=', '.join(f'`{key}`' for key in row['figures']['properties']),
        values='; '.join(f'`{key}`: {any_of([f"`{word}`" for word in words])}' for key, words in values.items()),
    )


def write_unless(check: bool, text: str, out: str, source: Path) -> bool:
    """Write a page; with ``check``, only see whether it is there. Whether it is."""
    if not check:
        write_whole(out, text)
        print(f'{out}: {len(text.splitlines())} lines')
    elif not Path(out).is_file() or Path(out).read_text(encoding='utf-8') != text:
        return False
    else:
        print(f'{out} is what {source} gives')
    return True


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--yaml', type=Path, default=HERE / 'leaderboard.yml', help='default: %(default)s')
    parser.add_argument('--out', type=out_file, default=str(HERE / 'leaderboard.md'), help='default: %(default)s')
    parser.add_argument('--check', action='store_true', help='write nothing, and fail where the page is another')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not write_unless(args.check, page(load(args.yaml)), args.out, args.yaml):
        raise ValueError(f'{args.out} is not what {args.yaml} gives: run `python docs/make_leaderboard.py`.')


if __name__ == '__main__':
    run(main)
