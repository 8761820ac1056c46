"""The page in a real browser, as somebody uses it: rendered people, and the weights that come with the package."""

import re
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tsgan.apis import ReIDInferencer
from tsgan.datasets.synthetic import identity, image_rng, render_dataset, render_image
from tsgan.evaluation.calibration import Calibration
from tsgan.evaluation.features import image_labels

pytestmark = pytest.mark.slow

DESKTOP, PHONE = dict(width=1280, height=800), dict(width=390, height=844)


@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp('cache')


@pytest.fixture(scope='module')
def address(screenshot, cache):
    with screenshot.served(cache=cache) as address:
        yield address


@pytest.fixture(scope='module')
def calibrated(app, screenshot, cache, tmp_path_factory):
    """The address of a page whose scores were calibrated, on other people."""
    folder = tmp_path_factory.mktemp('calibrated')
    people = render_dataset(folder / 'people', num_train=20, num_val=0, num_test=10, num_pretrain=0, frames=2, seed=22)
    reid = ReIDInferencer()
    feats, labels = reid.extract(people), image_labels(reid.rows)
    columns = [labels[name] for name in ('pids', 'camids', 'modalities')]
    Calibration.fit(feats, *columns, model=reid.name, fingerprint=reid.fingerprint).save(folder / 'c.json')
    with screenshot.served('--calibration', folder / 'c.json', cache=cache) as address:
        yield address


@pytest.fixture
def visit(chromium, address):
    """Opens the page as a new visitor, and notes what the browser asks for and complains of."""
    contexts = []

    def start(viewport=DESKTOP, scheme='light', address=address):
        contexts.append(chromium.new_context(viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        noted = SimpleNamespace(asked=[], complaints=[])
        page.on('request', lambda request: noted.asked.append(request.url))
        page.on('console', lambda said: noted.complaints.append(said.text) if said.type == 'error' else None)
        page.on('pageerror', lambda error: noted.complaints.append(str(error)))
        page.goto(address)
        page.locator('.hits li').first.wait_for()
        return Visitor(page, noted)

    yield start
    for context in contexts:
        context.close()


class Visitor:
    """What somebody does on the page, and sees there."""

    def __init__(self, page, noted):
        self.page, self.noted = page, noted

    def html(self):
        return self.page.locator('#query').inner_html() + self.page.locator('#hits').inner_html()

    def do(self, act):
        """Act, and wait until the page shows something else."""
        before = self.html()
        act()
        html = 'document.querySelector("#query").innerHTML + document.querySelector("#hits").innerHTML'
        self.page.wait_for_function(f'before => {html} !== before', arg=before)
        self.page.wait_for_function('() => !document.querySelector(".generating, .pending")')

    def upload(self, name, content):
        with TemporaryDirectory() as folder:
            file = Path(folder, name)
            file.write_bytes(content)
            self.do(lambda: self.page.locator('.drop input').set_input_files(file))

    def query(self):
        return self.page.locator('#query').inner_text()

    def found(self):
        return self.page.locator('#hits .found').inner_text()

    def hits(self):
        """(score, 'identity · camera') of each hit, best first."""
        shown = self.page.locator('.hits li').all()
        return [(float(li.locator('.score').inner_text().split()[0]), li.locator('small').inner_text()) for li in shown]

    def message(self):
        return self.page.get_by_role('alert').inner_text()

    def choose(self, label, option):
        self.page.get_by_label(label, exact=True).click()
        self.do(lambda: self.page.get_by_role('option', name=option, exact=True).click())


def picture(app, pid, cam, frame=99):
    """A PNG of somebody in the gallery, as it has none."""
    image = render_image(identity(app.SEED, pid), cam, image_rng(app.SEED, cam, pid, frame), seed=app.SEED)
    return cv2.imencode('.png', image)[1].tobytes()


def test_a_picture_is_uploaded_and_ranked_pictures_of_the_other_modality_appear(app, visit):
    visitor = visit()
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    assert 'Query: infrared' in visitor.query() and 'As colour' in visitor.query()
    assert visitor.found() == 'The best 20 of 320 colour pictures in the gallery'
    scores = [score for score, _ in visitor.hits()]
    assert len(scores) == 20 and scores == sorted(scores, reverse=True)
    assert {where.split()[-1] for _, where in visitor.hits()} <= {'cam1', 'cam2', 'cam4', 'cam5'}
    sizes = visitor.page.evaluate('[...document.querySelectorAll(".hits img, #query img")].map(i => i.naturalWidth)')
    assert len(sizes) == 22 and min(sizes) > 0  # all are pictures
    visitor.upload('somebody.png', picture(app, 7, cam=1))
    assert 'Query: colour' in visitor.query() and 'As infrared' in visitor.query()
    assert visitor.found() == 'The best 20 of 160 infrared pictures in the gallery'
    assert {where.split()[-1] for _, where in visitor.hits()} <= {'cam3', 'cam6'}
    assert visitor.noted.complaints == []


def test_the_page_opens_with_an_answer_and_pictures_at_hand_give_others(visit):
    visitor = visit()
    assert len(visitor.hits()) == 20 and 'Query: infrared' in visitor.query()
    visitor.do(lambda: visitor.page.get_by_role('button', name='example 2: colour').click())
    assert 'Query: colour' in visitor.query()


def test_pictures_at_hand_are_reached_by_keyboard(visit):
    visitor = visit()
    visitor.page.get_by_role('button', name='example 2: colour').focus()
    visitor.do(lambda: visitor.page.keyboard.press('Enter'))
    assert 'Query: colour' in visitor.query()


def test_what_is_no_picture_gives_a_sentence_and_the_next_picture_is_searched_again(app, visit):
    visitor = visit()
    visitor.upload('words.png', b'These are words, and no picture.\n' * 50)
    assert visitor.message().startswith('This file is no picture that can be read: expected PNG, JPEG')
    assert visitor.hits() == []
    visitor.upload('empty.png', b'')
    assert visitor.message() == 'This file is empty.'
    visitor.upload('large.png', bytes(app.MAX_BYTES + 1))
    assert visitor.message() == 'This file is larger than 10 MB: choose another.'
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    assert len(visitor.hits()) == 20
    assert visitor.noted.complaints == []


def test_the_largest_file_that_is_allowed_is_read(app, visit):
    visitor = visit()
    content = picture(app, 7, cam=1)
    visitor.upload('padded.png', content + bytes(app.MAX_BYTES - len(content)))
    assert 'Query: colour' in visitor.query() and len(visitor.hits()) == 20


def test_re_ranking_changes_the_answer_and_without_it_the_first_one_is_back(app, visit):
    visitor = visit()
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    plain = visitor.hits()
    visitor.do(lambda: visitor.page.get_by_label('Re-ranking').click())
    assert visitor.hits() != plain
    visitor.do(lambda: visitor.page.get_by_label('Re-ranking').click())
    assert visitor.hits() == plain


def test_modality_number_and_filters_are_obeyed(app, visit):
    visitor = visit()
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    visitor.choose('Search among', 'both')
    assert visitor.found() == 'The best 20 of 480 pictures in the gallery'
    visitor.choose('Search among', 'infrared')
    assert visitor.found() == 'The best 20 of 160 infrared pictures in the gallery'
    number = visitor.page.get_by_label(re.compile('number input for How many'))
    visitor.do(lambda: (number.fill('5'), number.press('Enter')))
    assert len(visitor.hits()) == 5
    visitor.page.get_by_role('button', name='Filters').click()
    visitor.choose('Cameras', 'cam6')
    assert {where.split()[-1] for _, where in visitor.hits()} == {'cam6'}
    visitor.choose('Identities', '0007')
    assert {where for _, where in visitor.hits()} == {'0007 · cam6'} and len(visitor.hits()) == 2
    visitor.page.keyboard.press('Escape')
    visitor.choose('Search among', 'colour')
    assert visitor.message() == 'None of the 320 colour pictures of the gallery passes the filters.'


@pytest.mark.parametrize('viewport', [DESKTOP, PHONE], ids=['desktop', 'phone'])
def test_a_calibrated_page_says_who_it_may_be_and_whether_it_is_nobody(app, visit, calibrated, viewport):
    visitor = visit(viewport, address=calibrated)
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    said = visitor.page.locator('.verdict').inner_text()
    chance, count = re.search(r'(\d+) %\s+nobody in the gallery\s+The person is among (\d+) with 95 %', said).groups()
    chances = visitor.page.locator('.hits .chance').all_inner_texts()
    assert len(chances) == 20 and all(re.fullmatch(r'[<>]?\d+ %', text) for text in chances)
    marked = visitor.page.locator('.hits .candidate').count()
    assert marked == 20 < int(count) and f'one of the {count}' in visitor.found()
    slider = visitor.page.get_by_label(re.compile('number input for How likely it is'))
    visitor.do(lambda: (slider.fill('95'), slider.press('Enter')))
    after = visitor.page.locator('.verdict').inner_text()
    assert int(re.match(r'[<>]?(\d+)', after)[1]) < int(chance) and f'among {count} with' in after
    visitor.do(lambda: visitor.page.get_by_label('Re-ranking').click())
    assert visitor.page.locator('.why').inner_text() == 'No probabilities: re-ranking changes what a score means.'
    assert visitor.page.locator('.chance, .verdict').count() == 0
    assert visitor.page.evaluate('document.documentElement.scrollWidth') == viewport['width']
    assert visitor.noted.complaints == []


def test_a_page_without_a_calibration_has_no_probabilities(visit):
    visitor = visit()
    assert visitor.page.locator('.chance, .verdict, .why, .candidate').count() == 0
    assert visitor.page.get_by_text('How likely it is').count() == 0


def test_two_visitors_at_once_keep_their_own_query(app, visit):
    first, second = visit(), visit()
    first.upload('first.png', picture(app, 7, cam=3))
    second.upload('second.png', picture(app, 8, cam=1))
    of_first, of_second = first.hits(), second.hits()
    for visitor in (first, second):
        visitor.do(lambda visitor=visitor: visitor.page.get_by_label('Re-ranking').click())
    for visitor in (second, first):
        visitor.do(lambda visitor=visitor: visitor.page.get_by_label('Re-ranking').click())
    assert (first.hits(), second.hits()) == (of_first, of_second)
    assert 'Query: infrared' in first.query() and 'Query: colour' in second.query()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_nothing_is_asked_of_another_machine_and_the_browser_has_no_complaint(app, visit, address, scheme):
    visitor = visit(scheme=scheme)
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    visitor.page.wait_for_timeout(2000)
    assert len(visitor.noted.asked) > 10
    others = [url for url in visitor.noted.asked if not url.startswith((address, 'data:', 'blob:'))]
    assert others == [] and visitor.noted.complaints == []
    dark = visitor.page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (np.mean([int(value) for value in re.findall(r'\d+', dark)[:3]]) < 100) == (scheme == 'dark')


def test_on_a_phone_nothing_is_wider_than_the_screen(app, visit):
    visitor = visit(PHONE)
    visitor.upload('somebody.png', picture(app, 7, cam=3))
    visitor.page.get_by_role('button', name='Filters').click()
    wide = '[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)'
    wide += '.filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 200))'
    assert visitor.page.evaluate('document.documentElement.scrollWidth') == PHONE['width']
    assert visitor.page.evaluate(wide) == []


@pytest.mark.parametrize('path', ['gradio_api/file=/etc/passwd', 'file=/etc/passwd', 'file=../../etc/passwd'])
def test_no_file_is_served_by_its_name(address, path):
    with pytest.raises(urllib.error.HTTPError, match='404') as refused:
        urllib.request.urlopen(address + path, timeout=10)
    assert b'root' not in refused.value.read()
