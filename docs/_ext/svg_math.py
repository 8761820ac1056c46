"""Formulas as SVG, drawn while the site is built: who reads it needs no script, no network and no font."""

import re
from html import escape
from xml.etree import ElementTree

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

UNIT = 100  # of the drawing, to an em of the text around it
NUMBER = re.compile(r'\\tag\{([^{}]+)\}')

ziamath.config.math.color = 'currentColor'  # light and dark
ziamath.config.svg2 = False  # no ids, which all formulas of a page would share
ziamath.config.precision = 1


def drawn(latex: str, inline: bool) -> str:
    """A formula as an SVG element, which takes colour and size from the text around it."""
    try:
        formula = ziamath.Latex(latex, size=UNIT, inline=inline)
        svg = formula.svgxml()
        shift = formula.getyofst() if inline else 0
    except Exception as error:  # of any kind: TeX is a language
        raise ExtensionError(f'this formula cannot be drawn, {error}: {latex}') from error
    width, height = (float(svg.attrib.pop(side)) / UNIT for side in ('width', 'height'))
    # in CSS rather than in attributes: a narrow screen makes a wide formula smaller
    style = f'width:{width:.3f}em;aspect-ratio:{width / height:.3f};vertical-align:{shift / UNIT:.3f}em'
    svg.attrib |= {'style': style, 'role': 'img', 'aria-label': latex}
    return ElementTree.tostring(svg, encoding='unicode')


def visit_math(self, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{drawn(node.astext(), inline=True)}</span>')
    raise nodes.SkipNode


def visit_math_block(self, node: nodes.math_block) -> None:
    latex = node.astext()
    number = NUMBER.search(latex)
    ids = node['ids']
    own = [one for one in ids if one not in node.parent.get('ids', ())]  # Furo's wrapper has them, too
    self.body.append(''.join(['<div class="math"', *(f' id="{one}"' for one in own[:1]), '>']))
    self.body.append(drawn(NUMBER.sub('', latex).strip(), inline=False))
    if number:
        anchor = f'<a class="headerlink" href="#{ids[0]}" title="Link to this equation">¶</a>' if ids else ''
        self.body.append(f'<span class="eqno">({escape(number[1])}){anchor}</span>')
    self.body.append('</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer('svg', (visit_math, None), (visit_math_block, None))
    app.add_css_file('math.css')
    return dict(version='1', parallel_read_safe=True, parallel_write_safe=True)
