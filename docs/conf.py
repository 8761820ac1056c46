"""Sphinx: ``pip install -r requirements/docs.txt && sphinx-build docs docs/_build``."""

project = 'tsgan'
author = 'The tsgan authors'
extensions = ['myst_parser']
exclude_patterns = ['_build']
html_theme = 'alabaster'
