"""Links that nobody writes by hand: from files, classes and equations that a page names to what they are.

- ``configs/tsgan_jd.py``, and any file of the repository, in backticks: to a page with its source, which is made here;
  in a config, each base and each ``type`` is a link, too.
- ``TSGAN`` or ``load_features``, in backticks: to the class, exception or function of that name in the API reference,
  if it is one alone, and no plain word.
- "Eq. 5": to the target ``eq-5``, in docs/method.md.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).parents[2]
FOLDERS = ('.', 'tests', 'tsgan', 'tsgan/models/losses')  # below which a file is looked for
KINDS = ('.py', '.sh', '.yml', '.json', '.txt')
EQUATION = re.compile(r'\bEq\.\s(\d+)')
STRING = re.compile(r'(<span class="s1">(?:\'|&#39;))([\w./-]+)((?:\'|&#39;)</span>)')
OBJECTS = ('class', 'exception', 'function')


def file_named(text):
    """The file of the repository that a text names, from its root; None if it names none."""
    path = text.split('::')[0]
    if path.endswith(KINDS) and re.fullmatch(r'[\w./-]+', path) and '/' in path and '..' not in path:
        for folder in FOLDERS:
            if (ROOT / folder / path).is_file():
                return (ROOT / folder / path).resolve().relative_to(ROOT).as_posix()
    return None


def objects(env):
    """Last part of the name of what is documented -> its page and anchor, where it is one's alone."""
    found, twice = {}, set()
    for name, entry in env.domaindata['py']['objects'].items():
        if entry.objtype in OBJECTS and not entry.aliased:
            short = name.rpartition('.')[2]
            if short.islower() and '_' not in short:  # `search` may be any
                continue
            twice |= {short} & found.keys()
            found[short] = (entry.docname, entry.node_id)
    return {name: place for name, place in found.items() if name not in twice}


def link(app, doctree, docname):
    """Put the links of a page into it."""
    env, builder = app.env, app.builder
    known, labels = objects(env), env.domaindata['std']['anonlabels']

    def linked(page, anchor, child):
        return make_refnode(builder, docname, page, anchor, child)

    for literal in list(doctree.findall(nodes.literal)):
        if inside_a_link(literal):
            continue
        text = literal.astext()
        if file := file_named(text):
            env.files_with_sources.add(file)
            literal.replace_self(linked(source_page(file), '', literal.deepcopy()))
        elif text.removesuffix('()') in known:
            literal.replace_self(linked(*known[text.removesuffix('()')], literal.deepcopy()))
    for text in list(doctree.findall(nodes.Text)):
        if inside_a_link(text) or not EQUATION.search(text):
            continue
        parts, end = [], 0
        for match in EQUATION.finditer(text):
            if place := labels.get(f'eq-{match[1]}'):
                parts += [nodes.Text(text[end : match.start()]), linked(*place[:2], nodes.inline('', match[0]))]
                end = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def inside_a_link(node):
    """Whether a link around it, or a place where none belongs, holds a node."""
    while node := node.parent:
        if isinstance(node, (nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.math)):
            return True
    return False


def source_page(file):
    return f'_files/{file}'


def source_pages(app):
    """The pages with the source of all configs, and of each file that a page names."""
    known = objects(app.env)
    configs = {file.relative_to(ROOT).as_posix() for file in (ROOT / 'configs').rglob('*.py')}
    files = configs | app.env.files_with_sources
    for file in sorted(files):
        page, source = source_page(file), (ROOT / file).read_text(encoding='utf-8')
        language = {'.py': 'python', '.sh': 'bash', '.yml': 'yaml', '.json': 'json'}.get(Path(file).suffix, 'text')
        code = app.builder.highlighter.highlight_block(source, language)

        def to(match, page=page, file=file):
            place = None
            if match[2].endswith('.py') and (base := (ROOT / file).parent / match[2]).is_file():
                place = source_page(base.resolve().relative_to(ROOT).as_posix()), ''
            elif file in configs:
                place = known.get(match[2].removeprefix('tsgan.'))
            if not place:
                return match[0]
            uri = app.builder.get_relative_uri(page, place[0]) + (f'#{place[1]}' if place[1] else '')
            return f'{match[1]}<a href="{html.escape(uri)}">{match[2]}</a>{match[3]}'

        body = f'<h1><code>{html.escape(file)}</code></h1>\n{STRING.sub(to, code)}'
        yield page, dict(title=file, body=body), 'page.html'


def begin(app):
    app.env.files_with_sources = set()


def setup(app):
    app.connect('builder-inited', begin)
    app.connect('doctree-resolved', link)
    app.connect('html-collect-pages', source_pages)
    return dict(parallel_read_safe=True, parallel_write_safe=False)
