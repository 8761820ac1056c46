from pathlib import Path

import pytest

from tsgan.experiments import draw_tables, over_seeds, papers_numbers, spread, tables_markdown

CONFIGS = Path(__file__).parents[2] / 'configs'
METRICS = ('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP')


def numbers(start):
    return {metric: start + place for place, metric in enumerate(METRICS)}


def test_mean_and_sample_deviation_are_of_the_seeds_that_have_a_setting():
    runs = [{'all_single': numbers(1.0), 'about': {}}, {'all_single': numbers(4.0), 'all_multi': numbers(9.0)}]
    found = over_seeds(runs)
    assert set(found) == {'all_single', 'all_multi'}
    assert found['all_single']['seeds'] == 2 and found['all_multi']['seeds'] == 1
    assert found['all_single']['mAP'] == pytest.approx((2.5 + 4, 4.5**0.5))
    assert found['all_multi']['R1'] == (9.0, None)


def test_a_single_value_has_no_deviation():
    assert spread(1.26, None) == '1.3' and spread(1.26, 0.04) == '1.3 ± 0.0' and spread(1.26, 0.04, 2) == '1.26 ± 0.04'


def test_the_papers_numbers_come_by_row_and_setting():
    paper = papers_numbers(CONFIGS / 'metafile.yml', CONFIGS / 'rivals/metafile.yml')
    assert paper['rivals/cmgan']['indoor_multi'] == {'R1': 37.0, 'R10': 80.9, 'R20': 92.3, 'mAP': 32.8}
    assert paper['tsgan_jd']['all_single'] == {'R1': 49.8, 'R10': 87.3, 'R20': 93.8, 'mAP': 47.4}
    assert paper['teacher_ir']['single_modality']['R1'] == 98.0


def test_what_is_printed_of_methods_since_2021_stands_beside_their_rows():
    paper = papers_numbers(CONFIGS / 'modern/metafile.yml')
    assert paper['modern/agw'] == {
        'all_single': {'R1': 47.5, 'mAP': 47.65},
        'indoor_single': {'R1': 54.17, 'mAP': 62.97},
    }
    assert paper['modern/regdb/hct'] == {'rgb_to_ir': {'R1': 91.05, 'mAP': 83.28}}
    assert 'modern/agw_erasing' not in paper
    found = over_seeds([{'all_single': numbers(10.0)}])
    text = tables_markdown('faces', {'modern/agw': found, 'modern/agw_erasing': found}, paper)
    assert '| 47.5 / - / - / 47.65 |' in text and '| modern/agw_erasing | 1 | 10.0 | 12.0 | 13.0 | 14.0 | - |' in text


@pytest.fixture
def measured():
    return {
        'tsgan_jd': over_seeds([{'all_single': numbers(10.0), 'all_multi': numbers(20.0)}]),
        'mine': over_seeds([{'ir_to_rgb': numbers(30.0)}]),
    }


def test_tables_show_what_was_measured_and_no_more(measured):
    text = tables_markdown('faces', measured, {'tsgan_jd': {'all_multi': {'R1': 56.1, 'mAP': 38.5}}})
    assert text.startswith('Measured here on faces, ')
    lines = [line for line in text.splitlines() if line.startswith(('**', '| tsgan', '| mine'))]
    assert lines == [
        '**Table I, systems: all-search, single-shot**',
        '| tsgan_jd | 1 | 10.0 | 12.0 | 13.0 | 14.0 | - |',
        '**Table I, systems: all-search, multi-shot**',
        '| tsgan_jd | 1 | 20.0 | 22.0 | 23.0 | 24.0 | 56.1 / - / - / 38.5 |',
        '**Table II, settings of TS-GAN: all-search, single-shot**',
        '| tsgan_jd | 1 | 10.0 | 12.0 | 13.0 | 14.0 | - |',
        '**rows that the paper does not have: IR to RGB**',
        '| mine | 1 | 30.0 | 32.0 | 33.0 | 34.0 | - |',
    ]


def test_methods_since_2021_stand_below_all_before_each_at_every_length(measured):
    new = dict.fromkeys(('modern/agw', 'backbone_40e', 'modern/agw_40e', 'backbone'), measured['tsgan_jd'])
    text = tables_markdown('faces', measured | new, {'modern/agw': {'all_single': {'R1': 47.5, 'mAP': 47.65}}})
    table = text.split('**Methods since 2021, and all before: all-search, single-shot**')[1].split('**')[0]
    assert [line.split(' | ')[0] for line in table.splitlines()[4:] if line] == [
        *('| backbone_40e', '| backbone', '| tsgan_jd'),
        *('| modern/agw', '| modern/agw_40e'),
    ]
    assert '| modern/agw_40e | 1 | 10.0 | 12.0 | 13.0 | 14.0 | 47.5 / - / - / 47.65 |' in table
    assert 'modern' not in text.split('**rows that the paper does not have')[1]


def test_the_plot_has_the_papers_marks_beside_the_bars_of_the_same_metric(measured, monkeypatch, tmp_path):
    import matplotlib.pyplot as plt

    figures = []
    monkeypatch.setattr(plt, 'close', figures.append)  # of Matplotlib 3.8, which closes 'all' before it draws, too
    draw_tables('faces', measured, {'tsgan_jd': {'all_single': {'R1': 49.8, 'mAP': 47.4}}}, tmp_path / 'tables.png')
    shown = [
        (axis.get_xlabel()[:3], axis.patches[0].get_width(), axis.lines[-1].get_xdata()) for axis in figures[-1].axes
    ]
    assert shown == [('R1,', 10.0, [49.8]), ('mAP', 14.0, [47.4])]  # 'mine' has no such setting
    assert (tmp_path / 'tables.png').stat().st_size > 5000
