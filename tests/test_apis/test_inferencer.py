"""Images -> features: the same as those of a test, whatever the images come in."""

import copy
import logging
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from pictures import picture
from PIL import Image

from tsgan.apis import Gallery, ReIDInferencer
from tsgan.apis.calibrated import percent
from tsgan.apis.inferencer import LOG, input_size
from tsgan.datasets.loose_images import find_images
from tsgan.evaluation.calibration import Calibration
from tsgan.images import read_image
from tsgan.visualization import grids
from tsgan.visualization.grids import GRAY, GREEN, RED

MODELS = ['backbone', 'tsgan_jd', 'rivals/zero_padding', 'rivals/two_stream', 'rivals/align_gan', 'rivals/hog']


@pytest.fixture(scope='session')
def make(save_model):
    """An inferencer of a small model: ``make('tsgan_jd', modality='ir')``."""

    def build(name='backbone', **arguments):
        cfg, file = save_model(name)
        return ReIDInferencer(cfg, file, 'cpu', **arguments)

    return build


@pytest.fixture(scope='session')
def reid(make):
    return make()


@pytest.fixture
def said(monkeypatch):
    """Lines that were logged."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(LOG, 'handlers', [handler])
    return lines


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def as_tested(reid, rows):
    """Features as MMEngine's test loop computes them, all at once, from the config's pipeline."""
    pipeline = Compose(reid.network.cfg.test_dataloader.dataset.pipeline)
    records = [dict(img_path=row.path, pid=0, camid=0, frame=0, modality=row.modality) for row in rows]
    with torch.no_grad():
        samples = reid.network.model.test_step(default_collate([pipeline(record) for record in records]))
    return unit(torch.stack([sample.feature for sample in samples]).numpy())


@pytest.mark.parametrize('name', MODELS)
def test_features_are_those_of_a_test_and_have_unit_length(make, people, name):
    reid = make(name)
    feats = reid.extract(people, batch_size=5)
    assert feats.dtype == np.float32 and feats.shape == (12, reid.dim)
    assert np.abs(np.linalg.norm(feats, axis=1) - 1).max() < 1e-6
    assert np.abs(feats - as_tested(reid, reid.rows)).max() < 1e-6
    assert np.abs(feats - feats[0]).max() > 1e-3  # and say something


def test_the_rows_are_those_of_the_features_in_the_order_of_the_images(reid, people):
    images = find_images(people)
    feats = reid.extract(people, batch_size=5)
    assert reid.rows == [image.row for image in images]
    assert {row.modality for row in reid.rows} == {'rgb', 'ir'} and reid.rows[0].identity == '0000'
    for at in (0, 7, 11):
        assert np.abs(reid.extract(images[at].row.path)[0] - feats[at]).max() < 1e-6


@pytest.mark.parametrize('batch_size', [1, 3, 12, 100])
def test_features_do_not_depend_on_the_batch_size(reid, people, batch_size):
    batches = list(reid.iter_features(people, batch_size))
    assert [len(rows) for rows, _ in batches] == [min(batch_size, 12 - i) for i in range(0, 12, batch_size)]
    assert [len(feats) for _, feats in batches] == [len(rows) for rows, _ in batches]
    assert np.abs(np.concatenate([feats for _, feats in batches]) - reid.extract(people)).max() < 1e-6


def test_arrays_are_bgr_and_pil_images_rgb_and_both_give_what_the_file_does(reid, tmp_path):
    bgr, gray = picture(1), picture(2, gray=True)
    cv2.imwrite(str(tmp_path / 'a.png'), bgr)
    cv2.imwrite(str(tmp_path / 'b.png'), gray[..., 0])
    files = reid.extract(tmp_path)
    memory = reid.extract([bgr, Image.fromarray(bgr[..., ::-1]), gray[..., 0], gray, Image.fromarray(gray[..., 0])])
    assert np.abs(memory - files[[0, 0, 1, 1, 1]]).max() < 1e-6
    assert [row.modality for row in reid.rows] == ['rgb', 'rgb', 'ir', 'ir', 'ir']
    assert all(row.path is None for row in reid.rows)
    swapped = reid.extract(np.ascontiguousarray(bgr[..., ::-1]))
    assert np.abs(swapped - files[0]).max() > 1e-3


def test_a_rotated_photo_is_turned_upright_also_in_memory(reid, tmp_path):
    upright = Image.fromarray(picture(3))
    exif = Image.Exif()
    exif[274] = 6  # the row at the top is the image's right side
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'a.png', exif=exif)
    feats = reid.extract([upright, tmp_path / 'a.png', Image.open(tmp_path / 'a.png')])
    assert np.abs(feats - feats[0]).max() < 1e-6


def test_an_image_of_pillow_may_be_given_many_times(reid, people):
    image = Image.open(find_images(people)[0].row.path)
    assert np.ptp(reid.extract([image] * 40), axis=0).max() < 1e-6


@pytest.mark.parametrize('name', ['rivals/zero_padding', 'rivals/two_stream', 'rivals/align_gan'])
def test_where_the_network_must_know_an_argument_counts_before_a_folder_and_that_before_pixels(
    make, tmp_path, said, name
):
    gray = picture(4, gray=True)
    for place in ('rgb/a.png', 'ir/a.png', 'a.png'):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / place), gray)
    auto = make(name)
    pixels, ir, rgb = auto.extract(tmp_path)  # in the order of their paths
    assert [row.modality for row in auto.rows] == ['ir', 'ir', 'rgb']
    assert np.abs(pixels - ir).max() < 1e-6 and np.abs(ir - rgb).max() > 1e-3
    (line,) = said
    assert line.startswith('1 of 3 images were taken for infrared') and ', and 0 for RGB' in line
    for modality, expected in (('rgb', rgb), ('ir', ir)):
        reid = make(name, modality=modality)
        assert np.abs(reid.extract(tmp_path) - expected).max() < 1e-6
        assert {row.modality for row in reid.rows} == {modality}
    assert len(said) == 1


def test_one_pixel_of_colour_makes_an_image_rgb_and_nothing_is_said_where_it_does_not_matter(reid, said):
    gray = picture(5, gray=True)
    coloured = gray.copy()
    coloured[50, 20, 0] ^= 1
    reid.extract([gray, coloured])
    assert [row.modality for row in reid.rows] == ['ir', 'rgb'] and not said


def test_what_cannot_be_read_is_left_out_and_said_at_the_end(reid, people, tmp_path, said):
    good = [image.row.path for image in find_images(people)]
    expected = reid.extract(good)
    bad = []
    for number in range(13):
        bad.append(tmp_path / f'{number:02d}.png')
        bad[-1].write_text('no image')
    bad[0].write_bytes(b'')
    (tmp_path / 'dangling.jpg').symlink_to('nowhere')
    feats = reid.extract([tmp_path / '00.png', *good[:5], tmp_path, *good[5:]], batch_size=4)
    assert np.abs(feats - expected).max() < 1e-6
    assert [row.path for row in reid.rows] == good
    assert [path for path, _ in reid.skipped] == [str(bad[0]), *map(str, bad), str(tmp_path / 'dangling.jpg')]
    reasons = dict(reid.skipped)
    assert reasons[str(bad[0])] == 'it is empty' and reasons[str(bad[1])] == 'it is no image, or a damaged one'
    assert reasons[str(tmp_path / 'dangling.jpg')] == 'No such file or directory'
    assert said[0] == '15 of 27 images could not be read:'
    assert said[1] == f'  {bad[0]}: it is empty' and len(said) == 12 and said[-1] == '  and 5 more'
    reid.extract(good[:1])
    assert reid.skipped == []


def test_nothing_but_images_that_cannot_be_read_is_an_error(reid, tmp_path):
    for name in ('a.png', 'b.png'):
        (tmp_path / name).write_text('no image')
    with pytest.raises(ValueError, match=r'none of 2 images can be read; the first one, .*a\.png: it is no image'):
        reid.extract(tmp_path)


def test_names_that_are_not_there_are_said_before_any_work(reid, people, monkeypatch):
    monkeypatch.setattr(reid, 'network', None)
    with pytest.raises(FileNotFoundError, match='no image at nothing.jpg'):
        reid.extract([people, 'nothing.jpg'])


COUNTS = np.array([[7000, 7552], [8000, 9000]], np.uint16).repeat(48, 0).repeat(24, 1)


def test_images_of_more_bits_have_the_range_of_the_training_or_of_their_type(reid, tmp_path, said, monkeypatch):
    cv2.imwrite(str(tmp_path / 'a.png'), COUNTS)
    whole = np.rint(COUNTS * (255 / 65535)).astype(np.uint8)
    assert np.abs(reid.extract(tmp_path) - reid.extract(whole)).max() < 1e-6
    assert said == [
        '1 images were scaled to 8 bits by the uint16 range that their type has: the training had no such images of '
        'their modality.'
    ]
    monkeypatch.setattr(reid.network, 'value_range', {'ir': (7552, 8448)})
    trained = read_image(str(tmp_path / 'a.png'), (7552, 8448))
    files = [tmp_path / 'a.png', COUNTS, Image.fromarray(COUNTS)]
    assert np.abs(reid.extract(files) - reid.extract(trained)).max() < 1e-6
    assert len(said) == 1


def test_the_range_of_a_training_is_read_from_its_checkpoint(save_model, tmp_path):
    cfg, file = save_model('backbone')
    content = torch.load(file)
    content['meta']['dataset_meta'] = {'value_range': {'ir': (7552, 8448)}}
    torch.save(content, tmp_path / 'a.pth')
    assert ReIDInferencer(cfg, tmp_path / 'a.pth', 'cpu').network.value_range == {'ir': (7552, 8448)}


def test_floats_without_a_range_are_refused_by_name(reid, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.tif'), COUNTS.astype(np.float32))
    with pytest.raises(ValueError, match=r'a\.tif: its values are float32, .*expected 8 or 16 bits'):
        reid.extract(tmp_path)


def test_decoding_is_at_most_two_batches_ahead_whatever_the_number_of_images(reid, monkeypatch):
    began, lock, decode = [], threading.Lock(), reid._decode

    def counted(image):
        with lock:
            began.append(image)
        return decode(image)

    monkeypatch.setattr(reid, '_decode', counted)
    image = picture(1)
    features = reid.iter_features([image] * 200, batch_size=8)
    for taken in range(8, 41, 8):
        next(features)
        time.sleep(0.05)
        assert taken <= len(began) <= taken + 16
    threads = threading.active_count()
    features.close()
    assert threading.active_count() < threads  # the decoders
    assert len(began) <= 56


def test_an_interruption_ends_the_decoders(reid, monkeypatch):
    def interrupted(images, is_rgb):
        raise KeyboardInterrupt

    monkeypatch.setattr(reid, 'network', type(reid.network).__new__(type(reid.network)))
    reid.network.__dict__.update(size=(96, 48), needs_modality=False, value_range={})
    monkeypatch.setattr(type(reid.network), '__call__', lambda self, *_: interrupted(*_))
    with pytest.raises(KeyboardInterrupt):
        reid.extract([picture(1)] * 50, batch_size=4)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith('decoder')]


def test_the_fingerprint_tells_weights_sizes_and_structures_apart_and_nothing_else(save_model, tmp_path):
    cfg, file = save_model('backbone')
    state = torch.load(file)['state_dict']

    def fingerprint(cfg, **changes):
        torch.save({**state, **changes}, tmp_path / 'a.pth')
        return ReIDInferencer(cfg, tmp_path / 'a.pth', 'cpu').fingerprint

    def changed(**options):
        other = Config(copy.deepcopy(cfg._cfg_dict))
        other.merge_from_dict(options)
        return other

    first = ReIDInferencer(cfg, file, 'cpu').fingerprint
    assert len(first) == 64 and fingerprint(cfg) == first
    weight, mean = 'reid.encoder.backbone.layer3.0.conv1.weight', 'reid.head.neck.running_mean'
    for name in (weight, mean):
        moved = state[name].clone(memory_format=torch.contiguous_format)
        moved.view(-1)[3] += 1e-3
        assert fingerprint(cfg, **{name: moved}) != first, name
    load, resize, pack = cfg.test_dataloader.dataset.pipeline
    taller = [load, dict(resize, scale=(48, 128)), pack]
    assert fingerprint(changed(**{'test_dataloader.dataset.pipeline': taller})) != first
    assert fingerprint(changed(**{'model.reid.head.neck_feat': 'before'})) != first
    assert fingerprint(changed(**{'model.reid.encoder.mean': (0, 0, 0)})) != first
    # where the training began, and whom it knew, has no say
    assert fingerprint(changed(**{'model.reid.encoder.checkpoint': 'elsewhere'})) == first
    classifier = {'reid.head.classifier.weight': torch.zeros(9, 128)}
    assert fingerprint(changed(**{'model.reid.head.num_classes': 9}), **classifier) == first


def test_a_test_that_prepares_images_in_another_way_is_refused(save_model):
    cfg, file = save_model('backbone')
    other = Config(copy.deepcopy(cfg._cfg_dict))
    load, resize, pack = cfg.test_dataloader.dataset.pipeline
    for steps in ([load, dict(resize, keep_ratio=True), pack], [load, resize, dict(type='RandomFlip'), pack]):
        other.test_dataloader.dataset.pipeline = steps
        with pytest.raises(ValueError, match=r'the config prepares the images .* expected LoadReIDImage, Resize'):
            input_size(other)


def test_wrong_arguments_are_said(save_model, reid, people):
    cfg, file = save_model('backbone')
    with pytest.raises(ValueError, match="modality is 'auto', 'rgb' or 'ir', not 'thermal'"):
        ReIDInferencer(cfg, file, modality='thermal')
    with pytest.raises(TypeError, match='batchsize'):
        reid(people, batchsize=3)
    with pytest.raises(ValueError, match='batch_size is 0'):
        reid.extract(people, batch_size=0)
    with pytest.raises(ValueError, match=r'holds its own'):
        ReIDInferencer('model.onnx', file)
    with pytest.raises(ValueError, match='ONNX files run on the CPU'):
        ReIDInferencer('model.onnx', device='cuda')
    with pytest.raises(ValueError, match='no device gpu0: expected cpu'):
        ReIDInferencer(cfg, file, device='gpu0')


def test_an_image_is_translated_where_the_weights_have_generators(make, save_model, people, tmp_path):
    reid = make('tsgan_jd')
    ir, rgb = (find_images(people / name)[0].row.path for name in ('ir', 'rgb'))
    generators, network = reid.network.model.generators, reid.network
    for path, translate in ((rgb, generators.to_ir), (ir, generators.ir_to_rgb)):
        image = cv2.resize(read_image(path, channel_order='rgb'), (48, 96)).astype(np.float32) / 127.5 - 1
        with torch.no_grad():
            fake = translate(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
        found = reid.translate(path)
        assert found.dtype == np.uint8 and found.shape == (*network.size, 3)
        assert np.abs(found - (fake + 1) * 127.5).max() < 0.51
    assert make('backbone').translate(rgb) is None
    cfg, file = save_model('tsgan_jd')
    torch.save({n: t for n, t in torch.load(file)['state_dict'].items() if n.startswith('reid.')}, tmp_path / 'a.pth')
    assert ReIDInferencer(cfg, tmp_path / 'a.pth', 'cpu').translate(rgb) is None
    with pytest.raises(ValueError, match='6 images were given to be translated'):
        reid.translate(people / 'rgb')


def nearest(feats, queries, number):
    """Slow search: for each query the others by their cosine."""
    return [
        sorted((j for j in range(len(feats)) if j != query), key=lambda j: -float(feats[query] @ feats[j]))[:number]
        for query in queries
    ]


def test_images_are_searched_for_among_all_others(reid, people):
    found = reid(people, topk=4)
    feats = reid.extract(people)
    paths = [row.path for row in reid.rows]
    assert [one['query'] for one in found] == paths
    for one, expected in zip(found, nearest(feats, range(12), 4), strict=True):
        assert [hit['path'] for hit in one['hits']] == [paths[j] for j in expected]
    assert found[0]['hits'][0].keys() >= {'path', 'score', 'identity', 'camera', 'modality'}


def test_queries_are_searched_for_in_images_or_in_a_gallery_of_the_same_model(reid, make, people):
    queries, gallery = people / 'ir', people / 'rgb'
    found = reid(queries, gallery, topk=3)
    feats, paths = reid.extract([queries, gallery]), [row.path for row in reid.rows]
    for at, one in enumerate(found):
        order = np.argsort(-feats[6:] @ feats[at], kind='stable')[:3]
        assert [hit['path'] for hit in one['hits']] == [paths[6 + j] for j in order]
    assert reid(queries, Gallery.build(reid, gallery), topk=3) == found
    one = reid(find_images(queries)[0].row.path, gallery, topk=3)
    assert len(one) == 1 and one[0]['hits'] == found[0]['hits']
    with pytest.raises(ValueError, match=r'the gallery has features of .*backbone.*, the queries .*tsgan_jd'):
        make('tsgan_jd')(queries, Gallery.build(reid, gallery))


def test_a_calibration_gives_probabilities_in_a_gallery_and_pictures_say_them(reid, people, tmp_path, monkeypatch):
    queries, gallery = people / 'ir', Gallery.build(reid, people / 'rgb')
    draws = np.random.default_rng(0)
    centres = np.repeat(draws.standard_normal((30, reid.dim)), 2, axis=0)
    calibration = Calibration.fit(
        centres + draws.standard_normal(centres.shape), np.repeat(np.arange(30), 2), np.tile([3, 1], 30),
        np.tile(['ir', 'rgb'], 30), model=reid.name, fingerprint=reid.fingerprint,
    )  # fmt: skip
    calibration.save(tmp_path / 'c.json')
    captions = []
    monkeypatch.setattr(
        grids, 'ranked_list', lambda *drawn: captions.append(drawn[3:]) or np.zeros((4, 4, 3), np.uint8)
    )
    how = dict(calibration=tmp_path / 'c.json', enrolled=0.7, level=0.9)
    found = reid(queries, gallery, topk=2, show_dir=tmp_path / 'shown', **how)
    feats, rows = reid.extract(queries), reid.rows
    assert [one['hits'] for one in found] == gallery.search(feats, 2, queries=rows, **how)
    for (query, hits), one in zip(captions, found, strict=True):
        *best, nobody = one['hits']
        assert query[0].endswith(f'\nnobody {percent(nobody["probability"])}') and len(hits[0]) == 2
        marks = [', candidate' if hit['candidate'] else '' for hit in best]
        said = [
            f'{hit["score"]:.3f}\n{percent(hit["probability"])}{mark}' for hit, mark in zip(best, marks, strict=True)
        ]
        assert all(text.endswith(end) for text, end in zip(hits[0], said, strict=True))
    with pytest.raises(ValueError, match='a calibration says whether somebody is in a gallery'):
        reid(queries, calibration=calibration)


def test_hits_are_drawn_with_the_colour_of_what_is_known(reid, people, tmp_path):
    loose = picture(99)
    found = reid([people / 'rgb/0001/0.jpg', loose], [people / 'rgb', loose], topk=7, show_dir=tmp_path / 'a/b')
    assert sorted(file.name for file in (tmp_path / 'a/b').iterdir()) == ['0001_0.png', '0002_image.png']
    drawn = np.asarray(Image.open(tmp_path / 'a/b/0001_0.png'))
    borders = [tuple(drawn[22, x]) for x in range(6 + 96 + 8 + 24 + 50, drawn.shape[1], 96 + 8 + 6)]
    expected = [
        GRAY if hit['identity'] is None else GREEN if hit['identity'] == '0001' else RED for hit in found[0]['hits']
    ]
    assert borders == expected and len(set(expected)) == 3
    assert all(tuple(c) == GRAY for c in np.asarray(Image.open(tmp_path / 'a/b/0002_image.png'))[22, 184::110])


def test_the_module_needs_neither_torch_nor_mmengine_until_a_model_of_theirs_is_built():
    code = """
import sys
sys.modules.update(torch=None, mmengine=None, mmcv=None, mmpretrain=None)
from tsgan.apis import ReIDInferencer
import tsgan.apis.inferencer as inferencer
import numpy as np

class Network:
    name, fingerprint, size, dim, needs_modality = 'mean', '0', (4, 2), 3, False
    def __call__(self, images, is_rgb):
        return images.astype(np.float32).mean(axis=(1, 2))

inferencer.make_network = lambda *_: Network()
reid = ReIDInferencer('a.onnx')
image = np.zeros((8, 4, 3), np.uint8)
image[..., 2] = 9  # red
assert np.allclose(reid.extract([image]), [[1, 0, 0]])
assert reid.translate(image) is None
reid([image, image], topk=1, show_dir=sys.argv[1])
"""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, '-c', code, folder], check=True)
