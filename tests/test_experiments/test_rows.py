from pathlib import Path

import pytest

from tsgan.experiments import Rows, rows

CONFIG = """
model = dict(reid=dict(encoder=dict(checkpoint='x', trained_by={start!r})))
optim_wrapper = dict(reid=dict())
train_cfg = dict(max_epochs=10)
"""


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """Writes configs, ``configs(row='trained by')``, below a root of its own."""

    def write(**trained_by):
        for path, start in trained_by.items():
            file = tmp_path / 'configs' / f'{path}.py'
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(CONFIG.format(start=start))

    monkeypatch.setattr(rows, 'ROOT', tmp_path)
    monkeypatch.setattr(rows, 'load_config', lambda path, cfg_options: rows.read_config(path))
    return write


@pytest.mark.parametrize(
    ('data', 'start', 'modern'),
    [
        ('synthetic', 'synthetic/pretrain', 'synthetic/modern'),
        ('sysu-mm01', 'teacher_ir', 'modern'),
        ('llcm', 'llcm/teacher_ir', 'modern/llcm'),
    ],
)
def test_methods_since_2021_are_rows_of_one_name_wherever_a_data_set_has_them(configs, tmp_path, data, start, modern):
    start_file, first = f'configs/{start}.py', f'configs/{modern}/agw.py'
    configs(**{start: None, f'{modern}/agw': start_file, f'{modern}/deen': first, f'{modern}/deeper/no_row': None})
    found = Rows(data, Path('out'), [])
    assert found.names() == {Path(start).name, 'modern/agw', 'modern/deen'}
    assert found.path('modern/deen_40e') == tmp_path / f'configs/{modern}/deen.py'
    assert found.begins_with('modern/deen') == {'model.reid.encoder.checkpoint': 'modern/agw'}
    assert found.with_all_before(['modern/deen']) == [Path(start).name, 'modern/agw', 'modern/deen']
    assert found.work_dir('modern/deen_40e', 2) == Path('out/2/modern/deen_40e')
    assert found.named(['modern/*']) == ['modern/agw', 'modern/deen']


def test_the_name_of_a_row_says_its_length_but_for_its_own(configs):
    configs(**{'synthetic/backbone': None})
    found = Rows('synthetic', Path('out'), [])
    assert [found.at_length('backbone', epochs) for epochs in (10, 40)] == ['backbone', 'backbone_40e']
    assert found.at_length('backbone_rerank', 40) == 'backbone_40e_rerank'
    assert found.named(['backbone_40e_rerank', 'backbone_rerank', 'backbone']) == [
        *('backbone_40e_rerank', 'backbone_rerank', 'backbone')
    ]
    for row in ('backbone_40', 'backbone_e', 'backbones_40e', 'backbone_rerank_40e'):
        with pytest.raises(ValueError, match=f'expected rows of these, or patterns: backbone; not {row}.'):
            found.named([row])
