"""One command for all tools: ``tsgan COMMAND ...`` is ``python tools/COMMAND.py ...``, with or without a checkout."""

import difflib
import re
import sys
from pathlib import Path
from types import ModuleType

from tsgan.places import ROOT
from tsgan.version import __version__

COMMANDS = {
    'train': 'tools/train.py',
    'test': 'tools/test.py',
    'extract': 'tools/extract.py',
    'search': 'tools/search.py',
    'page': 'demo/app.py',
    'demo': 'tools/demo.py',
    'eval': 'tools/analysis_tools/eval_features.py',
    'calibrate': 'tools/analysis_tools/calibrate.py',
    'compare': 'tools/analysis_tools/compare.py',
    'audit': 'tools/analysis_tools/audit.py',
    'open-set': 'tools/analysis_tools/open_set.py',
    'report': 'tools/analysis_tools/report.py',
    'vis-ranking': 'tools/visualization/vis_ranking.py',
    'vis-translation': 'tools/visualization/vis_translation.py',
    'vis-tsne': 'tools/visualization/vis_tsne.py',
    'plot-log': 'tools/visualization/plot_log.py',
    'browse-dataset': 'tools/visualization/browse_dataset.py',
    'export': 'tools/deployment/export_onnx.py',
    'publish': 'tools/model_converters/publish_model.py',
    'render': 'tools/dataset_tools/render_synthetic.py',
    'reproduce': 'tools/reproduce.py',
    'regdb-splits': 'tools/regdb_splits.py',
    'seeds-table': 'tools/analysis_tools/seeds_table.py',
    'trivial-rankers': 'tools/analysis_tools/trivial_rankers.py',
    'same-view': 'tools/analysis_tools/same_view.py',
    'flops': 'tools/analysis_tools/get_flops.py',
    'test-cost': 'tools/analysis_tools/test_cost.py',
    'config': 'tools/misc/print_config.py',
}


def summary(tool: Path) -> str:
    """What a tool's docstring says first, up to where it names a command; the tool is not run."""
    docstring = tool.read_text(encoding='utf-8').split('"""')[1]
    return re.split(r': `*python |;|[.](?: [A-Z]|$)', docstring.splitlines()[0])[0]


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f'  {name:<{width}}  {summary(ROOT / tool)}' for name, tool in COMMANDS.items()]
    return '\n'.join(
        ['usage: tsgan COMMAND [arguments]', '       tsgan COMMAND --help', '       tsgan --version', '', *lines]
    )


def start(tool: Path) -> None:
    """Turn this process into the one that `python TOOL ...` begins, but for the name in ``sys.argv[0]``."""
    module = ModuleType('__main__')
    module.__file__ = str(tool)
    sys.modules['__main__'] = module  # where pickle, and processes that are spawned, look for it
    sys.path.insert(0, str(tool.parent))
    exec(compile(tool.read_bytes(), str(tool), 'exec'), module.__dict__)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('-h', '--help'):
        print(usage())
    elif name == '--version':
        print(f'tsgan {__version__}')
    elif name in COMMANDS:
        sys.argv[:2] = [f'tsgan {name}']
        start(ROOT / COMMANDS[name])
    else:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f'did you mean {near[0]}?' if near else '`tsgan --help` lists them.'
        print(f'error: there is no command {name}; {hint}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
