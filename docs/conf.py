"""Sphinx: ``pip install -r requirements/docs.txt && sphinx-build docs docs/_build``."""

project = 'tsgan'
author = 'The tsgan authors'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
myst_heading_anchors = 3  # as GitHub names them
napoleon_use_ivar = True  # fields of named tuples are members, too
exclude_patterns = ['_build']
html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['leaderboard.css', 'site.css']
html_js_files = [('leaderboard.js', {'defer': 'defer'})]
html_title = project
copyright = author
