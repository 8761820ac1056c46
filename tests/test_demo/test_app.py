"""The page without a browser: what it answers, what it refuses, how its server is guarded."""

import asyncio
import base64
import html
import io
import json
import re
import socket
import sys
import zlib

import cv2
import numpy as np
import pytest
from command_lines import run
from PIL import Image
from scripts import REPO

from tsgan.apis import Gallery
from tsgan.datasets.loose_images import find_images
from tsgan.evaluation.calibration import Calibration


def picture(seed, gray=False, size=(24, 12)):
    """BGR; a gray one has the values of the coloured one's green channel."""
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return np.dstack([image[..., 1]] * 3) if gray else image


class GreenChannel:
    """Stands for a model: the features are the green channel, so that a picture and its gray copy are the same."""

    name, fingerprint, dim = 'green', 'green', 288
    rows, skipped = (), ()

    def iter_features(self, inputs, batch_size=64):
        rows, feats = [], []
        for image in find_images(inputs):
            pixels = cv2.imread(image.row.path) if image.image is None else image.image
            rows.append(image.row._replace(modality='ir' if (pixels[..., :1] == pixels).all() else 'rgb'))
            feats.append(pixels[..., 1].ravel() - 127.5)
        feats = np.asarray(feats, np.float32)
        yield rows, feats / np.linalg.norm(feats, axis=1, keepdims=True)

    def extract(self, inputs, batch_size=64):
        self.rows, feats = next(self.iter_features(inputs))
        return feats

    def translate(self, image):
        return 255 - image.image[..., ::-1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Four people in colour, by cameras 1 and 2, and in infrared, by camera 3."""
    root = tmp_path_factory.mktemp('gallery')
    for pid in range(4):
        for cam, image in ((1, picture(pid)), (2, cv2.add(picture(pid), 40)), (3, picture(pid, gray=True))):
            file = root / f'cam{cam}/{pid:04d}/1.png'
            file.parent.mkdir(parents=True)
            cv2.imwrite(str(file), image)
    return root


@pytest.fixture(scope='module')
def site(app, folder):
    reid = GreenChannel()
    examples = [app.Example(picture(2, gray=True), '0002', 'ir'), app.Example(picture(3), '0003', 'rgb')]
    return app.Page(reid, Gallery.build(reid, folder), examples)


@pytest.fixture(scope='module')
def calibration():
    """Of the green channel's scores of 40 people, all in both modalities."""
    draws = np.random.default_rng(0)
    people = np.repeat(draws.standard_normal((40, 288)), 4, axis=0)
    feats, pids = people + 0.5 * draws.standard_normal(people.shape), np.repeat(np.arange(40), 4)
    modalities, camids = np.tile(['rgb', 'ir', 'rgb', 'ir'], 40), np.tile([1, 3, 2, 3], 40)
    return Calibration.fit(feats, pids, camids, modalities, model='green', fingerprint='green')


@pytest.fixture(scope='module')
def calibrated(app, site, calibration):
    return app.Page(site.reid, site.gallery, site.examples, calibration)


def file_of(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(rgb):
    return file_of(Image.fromarray(rgb), 'PNG')


def found(hits):
    return [(hit['identity'], hit['camera']) for hit in hits]


# What it answers


def test_an_infrared_picture_finds_its_person_in_colour_and_a_coloured_one_in_infrared(site):
    infrared, colour = site.look(picture(2, gray=True)), site.look(picture(2))
    assert (infrared.modality, colour.modality) == ('ir', 'rgb')
    assert found(site.search(infrared, topk=2)) == [('0002', 'cam1'), ('0002', 'cam2')]
    assert found(site.search(colour, topk=1)) == [('0002', 'cam3')]
    assert {hit['modality'] for hit in site.search(infrared, topk=50)} == {'rgb'}
    assert {hit['modality'] for hit in site.search(colour, topk=50)} == {'ir'}


def test_whoever_asks_may_search_any_modality(site):
    query = site.look(picture(2, gray=True))
    assert found(site.search(query, topk=1, among='ir')) == [('0002', 'cam3')]
    assert len(site.search(query, topk=50, among='both')) == 12
    assert len(site.search(query, topk=50, among='rgb')) == 8


def test_filters_leave_only_the_cameras_and_identities_that_were_chosen(site):
    query = site.look(picture(2, gray=True))
    assert {camera for _, camera in found(site.search(query, cameras=['cam2']))} == {'cam2'}
    assert len(site.search(query, cameras=['cam2'])) == 4
    assert {who for who, _ in found(site.search(query, identities=['0000', '0001']))} == {'0000', '0001'}
    assert site.search(query, cameras=['cam3']) == []


def test_re_ranking_is_the_gallerys(site):
    query = site.look(picture(2, gray=True))
    modality = dict(modality='rgb')
    again = site.gallery.search(query.feature, topk=8, rerank=True, **modality)
    assert found(site.search(query, topk=8, rerank=True)) == found(again)


def test_a_picture_at_hand_knows_its_person_and_another_number_is_refused(site):
    assert site.example('0').identity == '0002'
    for number in ('2', '-1', 'x', '٣', '../etc/passwd', ''):
        with pytest.raises(ValueError, match='there is no example'):
            site.example(number)


# What it shows


def test_hits_are_shown_by_rank_with_their_pictures_as_data(app, site):
    query = site.example('0')
    hits = site.search(query, topk=3)
    shown = app.show_hits(site, query, hits, 'other')
    assert 'The best 3 of 8 colour pictures in the gallery · ✓ the same person<' in shown
    assert re.findall(r'class="rank">(\d)<', shown) == ['1', '2', '3']
    assert shown.count('src="data:image/jpeg;base64,') == 3
    assert re.findall(r'class="score">(\S+?)[ <]', shown) == [f'{hit["score"]:.3f}' for hit in hits]
    assert shown.count('class="same"') == 2  # of the three, those by cameras 1 and 2
    assert 'alt="rank 1, colour, 0002 · cam1, the same person"' in shown


def test_nobody_is_called_the_same_person_where_the_query_is_not_known(app, site):
    query = site.look(picture(2, gray=True))
    assert 'same' not in app.show_hits(site, query, site.search(query), 'other')


def test_the_modality_that_was_decided_and_the_translation_are_shown(app, site):
    shown = app.show_query(site.look(picture(1, gray=True)))
    assert 'Query: infrared' in shown and 'its three channels are equal' in shown and 'As colour' in shown
    shown = app.show_query(site.look(picture(1)))
    assert 'Query: colour' in shown and 'As infrared' in shown
    assert 'no translation' in app.show_query(site.look(picture(1))._replace(translation=None))


def test_an_empty_answer_says_why(app, site):
    query = site.look(picture(2, gray=True))
    assert 'None of the 8 colour pictures' in app.show_hits(site, query, [], 'other')
    site.counts['ir'], before = 0, site.counts['ir']
    assert 'The gallery has no infrared pictures' in app.show_hits(site, query, [], 'ir')
    site.counts['ir'] = before


def test_names_of_folders_are_text_on_the_page(app, site):
    hit = dict(path=None, identity='"><img src=x onerror=alert(1)>', camera='${alert(1)}', modality='rgb', score=0.5)
    shown = app.show_hit(site, 1, hit, None)
    assert '<img' not in shown and 'onerror=alert(1)&gt;' in shown


def test_pictures_are_shown_from_the_folders_that_were_named_alone(app, site, tmp_path):
    for folder in ('gallery', 'more', 'mine', 'gallery2'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / '1.png'), picture(0))
    (tmp_path / 'gallery/link.png').symlink_to(tmp_path / 'mine/1.png')
    page = app.Page(site.reid, site.gallery, folders=[tmp_path / 'gallery', tmp_path / 'more'])
    hidden = ('mine/1.png', 'gallery2/1.png', 'gallery/../mine/1.png', 'gallery/link.png')
    for name in ('gallery/1.png', 'more/1.png', 'mine/../more/1.png', *hidden):
        hit = dict(path=str(tmp_path / name), identity=None, camera=None, modality='rgb', score=0.5)
        assert ('no picture' in app.show_hit(page, 1, hit, None)) == (name in hidden), name
    anywhere = app.Page(site.reid, site.gallery)
    assert all(anywhere.thumbnail(str(tmp_path / name)) for name in hidden)


def test_a_gallery_of_somebody_else_shows_what_lies_beside_it(app, folder, tmp_path, monkeypatch, capsys):
    reid, pages = GreenChannel(), []
    gallery = Gallery.build(reid, folder)
    gallery.save(tmp_path / 'g')
    monkeypatch.setattr(app, 'ReIDInferencer', lambda *_: reid)
    monkeypatch.setattr(app, 'serve', lambda blocks, bound, host: bound.close())
    monkeypatch.setattr(app, 'build', lambda page, about: pages.append(page))
    monkeypatch.setattr(app, 'need', lambda *_: None)
    for arguments in (
        ['--gallery', tmp_path / 'g'],
        ['--gallery', tmp_path / 'g', '--pictures', folder],
        ['--gallery', folder],
    ):
        monkeypatch.setattr(sys, 'argv', ['app.py', '--port', '0', *map(str, arguments)])
        app.main()
    shown = [sum(page.shows(row['path']) for row in page.gallery.rows()) for page in pages]
    assert shown == [0, 12, 12]
    assert capsys.readouterr().out.count('note: 12 pictures lie elsewhere, and are not shown: --pictures') == 1


def test_a_gallery_picture_that_is_gone_leaves_its_place(app, site, tmp_path):
    hit = dict(path=str(tmp_path / 'gone.png'), identity=None, camera=None, modality=None, score=0.5)
    shown = app.show_hit(site, 1, hit, None)
    assert 'no picture' in shown and 'gone.png' in shown and str(tmp_path) not in shown


# With a calibration


def test_hits_have_probabilities_candidates_are_marked_and_nobody_is_said(app, calibrated):
    query = calibrated.example('0')
    hits, why = calibrated.judged(0.5, query, 3, False, 'other')
    *found, nobody = hits
    how = dict(modality='rgb', calibration=calibrated.calibration, queries={'modality': 'ir'})
    assert why == '' and hits == calibrated.gallery.search(query.feature, 3, **how)
    assert [hit['candidate'] for hit in found] == [True, True, False] and nobody['candidates'] == 2
    shown = app.show_hits(calibrated, query, hits, 'other')
    chances = re.findall(r'class="chance( candidate)?">(.*?)<', shown)
    assert chances == [(' candidate', html.escape(app.percent(hit['probability']))) for hit in found[:2]] + [
        ('', '&lt;1 %')
    ]
    assert re.findall(r'class="rank">(\d)<', shown) == ['1', '2', '3']
    assert f'<b>{html.escape(app.percent(nobody["probability"]))}</b> nobody in the gallery' in shown
    assert 'The person is among these 2 with 95 %, or not enrolled.' in shown
    assert '<span class="candidate">%</span> one of the 2' in shown
    assert f'the same person, probability {html.escape(app.percent(found[0]["probability"]))}, candidate"' in shown


def test_who_is_expected_to_be_there_is_less_often_nobody(calibrated):
    query = calibrated.look(picture(9))
    nobody = [calibrated.judged(enrolled, query, 3, False, 'other')[0][-1] for enrolled in (0.01, 0.5, 0.99)]
    chances = [row['probability'] for row in nobody]
    assert chances == sorted(chances, reverse=True) and chances[0] > 0.99 > 0.9 > chances[2]
    assert {row['candidates'] for row in nobody} == {0}


def test_where_there_are_no_probabilities_the_page_says_why(app, calibrated, site):
    query = calibrated.example('0')
    hits, why = calibrated.judged(0.5, query, 3, True, 'other')
    assert hits == site.search(query, 3, True) and why == 'No probabilities: re-ranking changes what a score means.'
    assert f'<p class="why">{why}</p>' in app.show_hits(calibrated, query, hits, 'other', why)
    colour = [group for group in calibrated.calibration.groups if group.query_modality == 'rgb']
    only = app.Page(site.reid, site.gallery, (), Calibration(**{**vars(calibrated.calibration), 'groups': colour}))
    hits, why = only.judged(0.5, query, 3, False, 'other')
    assert hits == site.search(query, 3) and why.startswith('No probabilities: IR queries in a gallery of RGB images')
    assert site.judged(0.5, query, 3, False, 'other') == (site.search(query, 3), '')


def test_without_a_calibration_the_page_has_nothing_of_it(app, site):
    query = site.example('0')
    shown = app.show_hits(site, query, *site.judged(0.5, query, 3, False, 'other')[:1], 'other')
    assert not any(word in shown for word in ('chance', 'candidate', 'nobody', 'class="why"'))


# What it refuses


def test_pictures_of_many_kinds_are_read(app):
    image = picture(0)
    gray = np.dstack([image[..., 1]] * 3)
    np.testing.assert_array_equal(app.read_picture(png(image[..., ::-1])), image)
    np.testing.assert_array_equal(app.read_picture(png(gray[..., 0])), gray)
    np.testing.assert_array_equal(app.read_picture(file_of(Image.fromarray(gray[..., 0]).convert('P'), 'GIF')), gray)
    lossy = app.read_picture(file_of(Image.new('CMYK', (3, 2), (0, 255, 255, 0)), 'JPEG'))
    assert (np.abs(lossy.astype(int) - [0, 0, 255]) < 5).all()


def test_more_than_eight_bits_keep_their_values_for_the_model_and_their_own_range_for_the_eye(app):
    values = np.array([[1000, 1500], [2000, 3000]], np.uint16)
    for kind in ('PNG', 'TIFF'):
        image = app.read_picture(file_of(Image.fromarray(values), kind))
        assert image[..., 0].tolist() == values.tolist()
        assert app.viewable(image)[..., 0].tolist() == [[0, 64], [128, 255]]
    assert not app.viewable(np.full((2, 2, 3), 7, np.uint16)).any()


def test_a_picture_lying_on_its_side_is_put_upright(app):
    exif = Image.Exif()
    exif[274] = 6
    assert app.read_picture(file_of(Image.fromarray(picture(0)), 'JPEG', exif=exif)).shape == (12, 24, 3)


def bomb(width, height):
    """A PNG of a few bytes that claims so many pixels."""
    head = width.to_bytes(4, 'big') + height.to_bytes(4, 'big') + bytes([8, 0, 0, 0, 0])
    chunks = ((b'IHDR', head), (b'IDAT', zlib.compress(bytes(1000))), (b'IEND', b''))
    body = (
        len(data).to_bytes(4, 'big') + name + data + zlib.crc32(name + data).to_bytes(4, 'big') for name, data in chunks
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(body)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'empty'),
        (b'These are words.\n' * 100, 'no picture that can be read'),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'no picture that can be read'),
        (png(picture(0))[:400], 'damaged'),
        (bomb(100, 100), 'damaged'),  # its pixels are missing
        (bomb(7_000, 7_000), 'more than 40 million pixels'),
        (bomb(60_000, 60_000), 'more than 40 million pixels'),
    ],
    ids=['empty', 'text', 'svg', 'half', 'no pixels', 'large', 'bomb'],
)
def test_what_is_no_picture_is_refused_in_a_sentence(app, content, said):
    with pytest.raises(ValueError, match=said) as refused:
        app.read_picture(content)
    assert '\n' not in str(refused.value)


def test_the_browsers_data_is_no_name_of_a_file(app):
    data = f'data:image/png;base64,{base64.b64encode(b"abc").decode()}'
    assert app.from_browser(data) == b'abc'
    assert app.from_browser('data:') == b''
    for sent in ('/etc/passwd', 'http://localhost/x.png', 'file:///etc/passwd', 'data:image/png;base64,%%', None, {}):
        with pytest.raises(ValueError, match='no file'):
            app.from_browser(sent)
    large = base64.b64encode(bytes(app.MAX_BYTES + 1)).decode()
    with pytest.raises(ValueError, match='larger than 10 MB'):
        app.from_browser(f'data:image/png;base64,{large}')


# How its server is guarded


async def inner(scope, receive, send):
    """Stands for the server behind: says what it was sent."""
    body = (await receive())['body'] if scope['method'] == 'POST' else b''
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'inside:' + body})


def ask(app, path, method='GET', body=b'', host='127.0.0.1:7860', hosts=('127.0.0.1', 'localhost')):
    """Status, body and headers of the answer to one request, sent in two parts."""
    parts = [
        {'type': 'http.request', 'body': body[:10], 'more_body': True},
        {'type': 'http.request', 'body': body[10:], 'more_body': False},
    ]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(event):
        sent.append(event)

    scope = dict(type='http', path=path, method=method, headers=[(b'host', host.encode())])
    asyncio.run(app.Guard(inner, hosts)(scope, receive, send))
    return sent[0]['status'], sent[1]['body'], dict(sent[0]['headers'])


def test_the_pages_own_requests_pass_with_a_policy_that_keeps_the_browser_here(app):
    status, _, headers = ask(app, '/')
    policy = headers[b'content-security-policy'].decode()
    assert status == 200 and "default-src 'self'" in policy and 'http' not in policy and '*' not in policy
    status, body, _ = ask(app, '/gradio_api/queue/join', 'POST', b'{"data": ["data:image/png;base64,AAAA", 20, false]}')
    assert (status, body) == (200, b'inside:{"data": ["data:image/png;base64,AAAA", 20, false]}')


@pytest.mark.parametrize(
    'path',
    [
        '/gradio_api/file=/etc/passwd',
        '/file=/etc/passwd',
        '/gradio_api/file=http://example.com/x.png',
        '/gradio_api/file/etc/passwd',
        '/gradio_api/proxy=http://example.com/',
        '/gradio_api/upload',
        '/gradio_api/info',
        '/gradio_api/call/upload',
        '/gradio_api/runs',
        '/docs',
        '/monitoring',
    ],
)
def test_files_by_name_uploads_and_all_else_are_not_there(app, path):
    assert ask(app, path)[0] == 404
    assert ask(app, path, 'POST', b'{}')[0] == 404


def test_a_file_by_its_path_or_address_is_refused_wherever_it_stands(app):
    for place in ('/etc/passwd', 'http://example.com/x.png'):
        file = {'path': place, 'meta': {'_type': 'gradio.FileData'}}
        for data in ([file], [[{'x': [file]}], 3]):
            body = json.dumps({'data': data}).encode()
            assert ask(app, '/gradio_api/queue/join', 'POST', body)[0] == 403
            escaped = body.replace(b'"path"', b'"pat\\u0068"')
            assert ask(app, '/gradio_api/queue/join', 'POST', escaped)[0] == 403


def test_a_request_too_deep_to_be_looked_through_is_refused(app):
    body = b'{"data":' + b'[' * 100_000 + b']' * 100_000 + b'}'
    assert ask(app, '/gradio_api/queue/join', 'POST', body)[0] == 403


def test_a_request_that_is_too_large_is_not_read_to_its_end(app):
    assert ask(app, '/gradio_api/queue/join', 'POST', bytes(2 * app.MAX_BYTES + 1))[0] == 413
    assert 2 * app.MAX_BYTES > 4 / 3 * app.MAX_BYTES + 1000  # the largest picture, as base64, passes


def test_another_sites_name_that_leads_here_is_refused(app):
    assert ask(app, '/', host='evil.example:7860')[0] == 421
    assert ask(app, '/', host='localhost:7860')[0] == 200
    assert ask(app, '/', host='evil.example:7860', hosts=None)[0] == 200  # --host 0.0.0.0


# The command line


@pytest.mark.parametrize('script', ['app.py', 'screenshot.py'])
def test_help_is_all_that_it_gives(script, tmp_path):
    said = run([sys.executable, REPO / 'demo' / script, '--help'], tmp_path).text
    assert said.startswith('usage: ') and not list(tmp_path.iterdir())


def error(folder, *arguments):
    return run([sys.executable, REPO / 'demo' / 'app.py', *arguments], folder, fails=True).error


def test_bad_input_is_one_sentence(tmp_path, monkeypatch, calibration):
    said = 'error: no page can be opened at'
    assert error(tmp_path, '--gallery', 'nowhere').startswith('error: there is no folder nowhere')
    assert error(tmp_path, '--examples', 'nowhere').startswith('error: there is no folder nowhere')
    assert 'nowhere.json' in error(tmp_path, '--calibration', 'nowhere.json')
    assert error(tmp_path, '--level', 0.9).startswith('error: --level is of probabilities')
    calibration.save(tmp_path / 'c.json')
    assert error(tmp_path, '--calibration', 'c.json', '--port', 0).startswith(
        'error: the calibration is of green (green), not of tsgan-jd_small_synthetic ('
    )
    assert error(tmp_path, '--host', '192.0.2.1').startswith(f'{said} 192.0.2.1, port 7860 (Cannot assign')
    assert error(tmp_path, '--port', 99999).startswith(f'{said} 127.0.0.1, port 99999')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        assert error(tmp_path, '--port', port).startswith(f'{said} 127.0.0.1, port {port} (Address already in use)')
    monkeypatch.setitem(sys.modules, 'gradio', sys)  # takes seconds to import
    no_model = error(tmp_path, '--port', 0, '--model', 'tsgan-jd_smal')
    assert no_model.startswith('error: no model is called tsgan-jd_smal')
    monkeypatch.setattr('tsgan.apis.inferencer.ReIDInferencer', lambda *_: GreenChannel())
    (tmp_path / 'empty').mkdir()
    assert error(tmp_path, '--port', 0, '--gallery', 'empty').startswith('error: empty holds no image')


def test_without_gradio_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert error(tmp_path, '--port', 0) == 'error: gradio is not installed: pip install "tsgan[demo]"'


def test_the_rendered_people_are_made_once(app, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(app, 'PEOPLE', 3)
    monkeypatch.setattr(app, 'FRAMES', 1)
    root = app.rendered_people()
    files = {file: file.stat().st_mtime_ns for file in root.rglob('*.jpg')}
    assert len(files) == 18 and tmp_path in root.parents
    assert app.rendered_people() == root
    assert {file: file.stat().st_mtime_ns for file in root.rglob('*.jpg')} == files
    examples = app.rendered_examples()
    assert {example.modality for example in examples} == {'ir', 'rgb'}
    for example in examples:
        is_gray = (example.image[..., :1] == example.image).all()
        assert is_gray == (example.modality == 'ir')
        assert (root / 'cam1' / example.identity).is_dir()


def test_pictures_at_hand_of_a_folder_are_spread_over_it_and_know_their_people(app, folder, monkeypatch):
    examples = app.examples_of(str(folder / 'cam3'))
    assert [example.identity for example in examples] == ['0000', '0001', '0002', '0003']
    np.testing.assert_array_equal(examples[2].image, picture(2, gray=True))
    monkeypatch.setattr(app, 'NUM_EXAMPLES', 2)
    assert [example.identity for example in app.examples_of(str(folder / 'cam3'))] == ['0000', '0003']


def test_where_the_cache_cannot_be_written_a_temporary_folder_is_taken(app, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    monkeypatch.setattr(app.tempfile, 'gettempdir', lambda: str(tmp_path / 'temporary'))
    assert app.cache_folder() == tmp_path / 'temporary/tsgan'
