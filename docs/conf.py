"""Sphinx: ``pip install -r requirements/docs.txt && sphinx-build docs docs/_build``."""

project = 'tsgan'
author = 'The tsgan authors'
extensions = ['myst_parser']
myst_heading_anchors = 3  # as GitHub names them
exclude_patterns = ['_build']
html_theme = 'alabaster'
html_static_path = ['_static']
html_css_files = ['leaderboard.css']
html_js_files = [('leaderboard.js', {'defer': 'defer'})]
