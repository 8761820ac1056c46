"""Sphinx: ``pip install -r requirements/docs.txt && sphinx-build docs docs/_build``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / '_ext'))

project = 'tsgan'
author = 'The tsgan authors'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
extensions += ['cross_links', 'svg_math']
myst_enable_extensions = ['amsmath', 'attrs_block', 'colon_fence', 'dollarmath']
myst_heading_anchors = 3  # as GitHub names them
napoleon_use_ivar = True  # fields of named tuples are members, too
exclude_patterns = ['_build']
html_math_renderer = 'svg'  # docs/_ext/svg_math.py
html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['leaderboard.css', 'site.css']
html_js_files = [('leaderboard.js', {'defer': 'defer'})]
html_title = project
copyright = author
