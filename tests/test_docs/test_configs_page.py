"""The page of the configs: that the files that it walks through are as it says."""

import functools
import operator
import re
from pathlib import Path

import pytest
from mmengine.config import Config

REPO = Path(__file__).parents[2]
PAGE = (REPO / 'docs/configs.md').read_text(encoding='utf-8')
FAQ = (REPO / 'docs/faq.md').read_text(encoding='utf-8')


def tree(file, depth=0):
    """A config and its bases, as (depth, path inside configs/), in the order in which they are named."""
    bases = re.search(r'^_base_ = (\[.*?\]|.*?$)', file.read_text(), re.MULTILINE | re.DOTALL)
    yield depth, str(file.relative_to(REPO / 'configs'))
    for name in re.findall(r"'(.+?)'", bases[1]) if bases else []:
        yield from tree((file.parent / name).resolve(), depth + 1)


def test_the_bases_that_the_page_walks_through_are_those_of_the_config():
    block = re.search(r'^```text\n(synthetic/tsgan_jd_sum\.py.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[1]
    lines = [re.match(r'( *)(\S+)', line) for line in block.splitlines()]
    said = [(len(line[1]) // 2, line[2]) for line in lines]
    assert said == list(tree(REPO / 'configs/synthetic/tsgan_jd_sum.py'))


def test_the_config_that_the_page_prints_is_the_file():
    block = re.search(r"^```text\n(_base_ = './tsgan_jd.py'.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    file = (REPO / 'configs/synthetic/tsgan_jd_sum.py').read_text()
    said, there = {}, {}
    exec(block, said)
    exec(file, there)
    assert (said['_base_'], said['model']) == (there['_base_'], there['model'])


def test_each_value_on_an_entrys_way_is_said_by_the_file_that_is_named():
    rows = re.findall(r'^\| `([\w.]+)` \| (.*) \|$', PAGE, re.MULTILINE)
    assert len(rows) == 5
    cfg = Config.fromfile(REPO / 'configs/synthetic/tsgan_jd_sum.py')
    for key, way in rows:
        steps = re.findall(r"([\w.-]+)'?`? in `(configs/[\w/]+\.py)`", way)
        assert steps and [step for step in steps if step[0] not in (REPO / step[1]).read_text()] == [], key
        found = functools.reduce(operator.getitem, key.split('.'), cfg)
        assert found == type(found)(steps[-1][0]), key  # the last one counts


@pytest.mark.parametrize('text', [PAGE, FAQ], ids=['configs', 'faq'])
def test_files_and_tools_that_a_page_names_are_there(text):
    names = set(re.findall(r'(?<![\w/])((?:configs|tools|benchmarks)/[\w*/]+\.py)', text))
    assert len(names) > 10 and {name for name in names if not list(REPO.glob(name))} == set()


def test_every_question_has_an_answer_that_leads_somewhere():
    answers = re.split(r'^### (.+)$', FAQ, flags=re.MULTILINE)[1:]
    questions = dict(zip(answers[::2], answers[1::2], strict=True))
    assert len(questions) >= 20
    lacking = [
        q for q, answer in questions.items() if not re.search(r'\]\([\w./#-]+\)|`[^`]*`|^```', answer, re.MULTILINE)
    ]
    assert set(lacking) <= {'May I use it?'}
