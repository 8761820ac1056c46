from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.hooks import DistSamplerSeedHook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, set_random_seed

from tsgan.datasets import SYSUMM01, IdentityPairBatchSampler


class Table:
    """Labels and modalities of shuffled rows, all that the sampler reads."""

    def __init__(self, num_ids=12, num_rgb=9, num_ir=5):
        rows = [(pid, 'rgb') for pid in range(num_ids) for _ in range(num_rgb)]
        rows += [(pid, 'ir') for pid in range(num_ids) for _ in range(num_ir)]
        rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
        self.labels = np.array([pid for pid, _ in rows])
        self.modalities = np.array([modality for _, modality in rows])

    def __len__(self):
        return len(self.labels)


def make(table, batch_size, rank=0, world_size=1, seed=3, epoch=0, **options):
    sampler = DefaultSampler(table, seed=seed)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.set_epoch(epoch)
    return IdentityPairBatchSampler(sampler, batch_size, **options)


def test_a_batch_is_k_identities_with_p_aligned_pairs_rgb_first():
    table = Table()
    for batch in make(table, batch_size=24, num_pairs=3):
        assert table.modalities[batch].tolist() == ['rgb'] * 12 + ['ir'] * 12
        rgb, ir = table.labels[batch].reshape(2, 4, 3)
        assert np.array_equal(rgb, ir)
        assert (rgb == rgb[:, :1]).all()
        assert len(set(rgb[:, 0].tolist())) == 4


def test_images_come_once_in_a_batch_where_there_are_enough():
    for batch in make(Table(num_rgb=4, num_ir=4), batch_size=32):
        assert len(set(batch)) == 32


def test_images_repeat_only_where_an_identity_has_too_few():
    table = Table(num_rgb=6, num_ir=2)
    for batch in make(table, batch_size=32):
        assert len(set(batch[:16])) == 16
        assert set(table.modalities[batch[16:]]) == {'ir'}


def test_one_modality_gives_p_images_of_each_identity():
    table = Table(num_rgb=0)
    for batch in make(table, batch_size=16, num_pairs=4):
        assert set(table.modalities[batch].tolist()) == {'ir'}
        assert Counter(table.labels[batch].tolist()).most_common()[0][1] == 4
        assert len(set(table.labels[batch].tolist())) == 4


def test_a_pass_shows_every_identity_once_before_any_returns():
    table = Table(num_ids=12)
    batches = list(make(table, batch_size=32, num_batches=9))  # 4 identities a batch, 3 batches a pass
    for i in (0, 3, 6):
        assert len({pid for batch in batches[i : i + 3] for pid in table.labels[batch].tolist()}) == 12


def test_no_identity_comes_twice_in_a_global_batch_when_passes_do_not_divide():
    table = Table(num_ids=7)
    seen = Counter()
    for batch in make(table, batch_size=32, num_batches=50):
        ids = set(table.labels[batch].tolist())
        assert len(ids) == 4
        seen.update(ids)
    assert len(seen) == 7


def test_every_image_is_drawn_sooner_or_later():
    table = Table()
    assert {row for batch in make(table, batch_size=32, num_batches=200) for row in batch} == set(range(len(table)))


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_together_hold_what_one_process_holds(world_size):
    table = Table()
    whole = list(make(table, batch_size=32 * world_size, epoch=5))
    ranks = [list(make(table, 32, rank, world_size, epoch=5)) for rank in range(world_size)]
    assert len(whole) > 1
    for batch, *parts in zip(whole, *ranks, strict=True):
        # (modalities, ranks, images of one rank)
        joined = np.concatenate([np.reshape(part, (2, 1, 16)) for part in parts], axis=1)
        assert joined.ravel().tolist() == batch


class AnyTable(Table):
    """Images of people of whom each has as many of either modality as is said, at least one."""

    def __init__(self, people, seed):
        rows = [(pid, m) for pid, images in enumerate(people) for m, n in zip(('rgb', 'ir'), images, strict=True)
                for _ in range(n)]  # fmt: skip
        rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
        self.labels, self.modalities = (np.array(column) for column in zip(*rows, strict=True))


@st.composite
def samplings(draw):
    world_size, ids_per_rank = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    least = world_size * ids_per_rank
    people = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=least, max_size=least + 7))
    numbers = {name: draw(st.integers(0, 99)) for name in ('seed', 'epoch')}
    return people, world_size, ids_per_rank, draw(st.integers(1, 5)), draw(st.integers(1, 7)), numbers


@pytest.mark.parametrize('examples', [60, pytest.param(500, marks=pytest.mark.slow)])
def test_of_any_people_batches_are_pairs_passes_are_whole_and_ranks_share_them_out(examples):
    @settings(max_examples=examples, deadline=None)
    @given(samplings())
    def holds(case):
        people, world_size, ids_per_rank, num_pairs, num_batches, numbers = case
        table, options = (
            AnyTable(people, numbers['seed']),
            dict(num_pairs=num_pairs, num_batches=num_batches, **numbers),
        )
        size = 2 * ids_per_rank * num_pairs
        whole = np.array(list(make(table, size * world_size, **options)))
        # (batches, modalities, identities, pairs)
        whole = whole.reshape(num_batches, 2, world_size * ids_per_rank, num_pairs)
        assert (table.modalities[whole[:, 0]] == 'rgb').all() and (table.modalities[whole[:, 1]] == 'ir').all()
        ids = table.labels[whole]
        assert (ids == ids[:, :1, :, :1]).all(), 'the images of a place show one person, in both modalities'
        ids = ids[:, 0, :, 0].tolist()
        a_pass = len(people) // (world_size * ids_per_rank)  # batches
        for start in range(0, num_batches, a_pass):
            seen = sum(ids[start : start + a_pass], [])
            assert len(set(seen)) == len(seen)
        for batch, of_people in zip(whole, ids, strict=True):
            for m in (0, 1):
                for place, pid in enumerate(of_people):
                    drawn = set(batch[m, place].tolist())
                    if people[pid][m] >= num_pairs:
                        assert len(drawn) == num_pairs, 'none twice where there are enough'
        ranks = [np.array(list(make(table, size, rank, world_size, **options))) for rank in range(world_size)]
        parts = [part.reshape(num_batches, 2, ids_per_rank, num_pairs) for part in ranks]
        assert np.array_equal(np.concatenate(parts, axis=2), whole)

    holds()


def test_epochs_and_seeds_differ_and_each_repeats():
    table = Table()
    same, again, epoch, seed = (list(make(table, 32, **options)) for options in ({}, {}, {'epoch': 1}, {'seed': 4}))
    assert same == again
    assert same != epoch
    assert same != seed
    assert list(make(table, 32, seed=3, epoch=1)) != list(make(table, 32, seed=4, epoch=0))


def test_an_epoch_is_one_mean_pass_over_the_larger_modality():
    table = Table(num_ids=12, num_rgb=9, num_ir=5)  # 108 RGB, 60 IR
    assert len(make(table, batch_size=32)) == 108 // 16
    assert len(make(table, batch_size=32, world_size=2)) == 108 // 32
    assert len(make(Table(num_rgb=0), batch_size=16)) == 60 // 16
    assert len(make(Table(num_rgb=1, num_ir=1), batch_size=32)) == 1


def test_num_batches_overrides_the_length_of_an_epoch():
    batches = make(Table(), batch_size=32, num_batches=5)
    assert len(batches) == len(list(batches)) == 5


@pytest.mark.parametrize(('batch_size', 'num_pairs'), [(30, 4), (4, 4), (0, 4), (8, 0)])
def test_a_batch_size_that_is_no_whole_number_of_identities_is_an_error(batch_size, num_pairs):
    with pytest.raises(ValueError, match=f'batch_size={batch_size} .*num_pairs={num_pairs} x 2 modalities'):
        make(Table(), batch_size, num_pairs=num_pairs)


def test_too_few_identities_for_a_global_batch_is_an_error():
    with pytest.raises(ValueError, match='has 12 identities, but a batch needs 16: 4 on each of 4 ranks'):
        make(Table(num_ids=12), batch_size=32, world_size=4)


def test_an_identity_without_one_modality_is_an_error(sysu_root):
    dataset = SYSUMM01(sysu_root, test_mode=True)
    lone = int(np.flatnonzero(dataset.modalities == 'ir')[0])
    dataset.get_subset_([*np.flatnonzero(dataset.modalities == 'rgb').tolist(), lone])
    with pytest.raises(ValueError, match='lacks one modality'):
        make(dataset, batch_size=8)


@pytest.fixture
def loader_cfg(sysu_root):
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs/_base_/datasets/sysu_mm01.py').train_dataloader
    cfg.dataset.data_root = str(sysu_root)
    cfg.update(batch_size=16, num_workers=2)
    cfg.batch_sampler.num_batches = 2
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope('tsgan'):
        return Runner.build_dataloader(cfg, seed=7)


def test_the_config_feeds_a_runner_with_pairs(loader_cfg):
    batch = next(iter(build(loader_cfg)))
    assert batch['inputs'].shape == (16, 3, 256, 128)
    samples = batch['data_samples']
    assert [s.modality for s in samples] == ['rgb'] * 8 + ['ir'] * 8
    assert [s.pid for s in samples[:8]] == [s.pid for s in samples[8:]]
    assert all(s.gt_label.item() == {2: 0, 9: 1, 40: 2}[s.pid] for s in samples)
    assert all(f'cam{s.camid}/{s.pid:04d}/{s.frame:04d}.jpg' in s.img_path for s in samples)


def test_mmengine_sets_the_epoch_of_the_batches(loader_cfg):
    loader = build(loader_cfg)
    first = list(loader.batch_sampler)
    DistSamplerSeedHook().before_train_epoch(SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), epoch=1))
    assert list(loader.batch_sampler) != first


@pytest.mark.parametrize('num_workers', [0, 2])
def test_augmentation_follows_the_main_process_and_changes_with_the_epoch(loader_cfg, num_workers):
    loader_cfg.num_workers = num_workers
    loader = build(loader_cfg)

    def epoch():
        return np.concatenate([batch['inputs'].numpy() for batch in loader])

    set_random_seed(0)
    first, second = epoch(), epoch()  # the sampler's epoch stays, so that the images are the same
    set_random_seed(0)
    assert np.array_equal(epoch(), first)
    assert not np.array_equal(second, first)
