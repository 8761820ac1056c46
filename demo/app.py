"""A page in the browser: drop a picture, see the ranked gallery of the other modality: ``python demo/app.py``.

Without arguments it opens on rendered people with the weights that come with the package; ``--gallery FOLDER`` searches
pictures of one's own. It is served on this machine alone unless ``--host`` says otherwise, asks nothing of any other,
and opens no file that the browser names: pictures come and go as data.
"""

import argparse
import base64
import html
import io
import json
import logging
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from tsgan.apis import Gallery, ReIDInferencer
from tsgan.apis.calibrated import in_words, percent, ready, without_nobody
from tsgan.command_line import MODEL, add_model_arguments, run
from tsgan.datasets.loose_images import ImageRow, LooseImage, find_images
from tsgan.datasets.synthetic import identity, image_rng, render_dataset, render_image
from tsgan.evaluation.calibration import Calibration
from tsgan.extras import need
from tsgan.images import decode, decode_content, evenly, is_deep, to_uint8
from tsgan.search.files import LIST

HERE = Path(__file__).resolve().parent
WHAT_IT_IS = (
    'Drop a picture of a person, infrared or colour: the page ranks the pictures of a gallery by how alike its model '
    'finds them, those of the other modality first of all.'
)
WHAT_IT_IS_NOT = 'The model has learned from rendered people alone: no real camera saw it.'

# What a picture from the browser may be: these formats, so many bytes and pixels
FORMATS = ('PNG', 'JPEG', 'WEBP', 'BMP', 'TIFF', 'GIF')
MAX_BYTES = 10 * 2**20
MAX_PIXELS = 40_000_000

# The rendered people: of a seed that neither a result nor a training uses; frames from EXAMPLE_FRAME on are queries
SEED, PEOPLE, FRAMES, EXAMPLE_FRAME, INFRARED_CAMERAS = 21, 40, 2, 200, (3, 6)
NUM_EXAMPLES = 8

NAMES = {'rgb': 'colour', 'ir': 'infrared'}
OTHER = {'rgb': 'ir', 'ir': 'rgb'}
AMONG = {'the other modality': 'other', 'colour': 'rgb', 'infrared': 'ir', 'both': 'both'}


class Query(NamedTuple):
    """A picture that somebody looks for, and what the model makes of it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    modality: str  # 'rgb' or 'ir'
    feature: np.ndarray  # (D,)
    translation: np.ndarray | None  # (h, w, 3) uint8 RGB, the other modality; None of a model without generators
    identity: str | None  # of a picture at hand


class Example(NamedTuple):
    """A picture at hand."""

    image: np.ndarray  # (H, W, 3) BGR
    identity: str | None
    modality: str | None = None


class Page:
    """What the page does, without a server: one model and one gallery, for all who look.

    Args:
        reid (ReIDInferencer): The model.
        gallery (Gallery): What is searched.
        examples (Sequence[Example]): Pictures at hand. Defaults to ().
        calibration (Calibration, optional): What the model's scores mean. Defaults to None: nobody knows.
        level (float): Of the set of candidates. Defaults to 0.95.
        folders (Sequence[str | Path], optional): Where the gallery's pictures are shown from, and from nowhere else: a
            gallery of somebody else could name any picture of this machine. Defaults to None: from wherever they lie.
    """

    def __init__(
        self,
        reid,
        gallery,
        examples: Sequence[Example] = (),
        calibration=None,
        level: float = 0.95,
        folders: Sequence[str | Path] | None = None,
    ) -> None:
        self.calibration, self.level = calibration, level
        self.folders = None if folders is None else [os.path.realpath(folder) for folder in folders]
        self.reid = reid
        self.gallery = gallery
        self.examples = list(examples)
        self.lock = Lock()  # the inferencer keeps what its last call has skipped: one call at a time
        self.counts = Counter(row['modality'] for row in gallery.rows())
        self.cameras, self.identities = gallery.values('camera'), gallery.values('identity')
        self.thumbnail = lru_cache(4096)(lambda path: thumbnail(path) if path and self.shows(path) else None)

    def shows(self, path: str) -> bool:
        """Whether a picture may be shown, by where it lies."""
        real = Path(os.path.realpath(path))
        return self.folders is None or any(real.is_relative_to(folder) for folder in self.folders)

    def look(self, image: np.ndarray, who: str | None = None) -> Query:
        """Have the model look at a picture, BGR, (H, W, 3), of a person who may be known."""
        given = LooseImage(ImageRow(), image)
        with self.lock:
            feature = self.reid.extract(given)[0]
            modality = self.reid.rows[0].modality
            translation = self.reid.translate(given)
        return Query(viewable(image), modality, feature, translation, who)

    def example(self, number: str) -> Query:
        """Look at a picture at hand. Raises ValueError when there is none of this number."""
        if not (number.isdecimal() and int(number) < len(self.examples)):
            raise ValueError(f'there is no example {number[:20]!r}: expected 0 to {len(self.examples) - 1}.')
        example = self.examples[int(number)]
        return self.look(example.image, example.identity)

    def search(
        self,
        query: Query,
        topk: int = 20,
        rerank: bool = False,
        among: str = 'other',
        cameras: Sequence[str] = (),
        identities: Sequence[str] = (),
        enrolled: float | None = None,
    ) -> list[dict]:
        """The gallery's best pictures.

        Args:
            query (Query): What is looked for.
            topk (int): How many, at most. Defaults to 20.
            rerank (bool): Whether the candidates are ranked again, by k-reciprocal neighbours. Defaults to False.
            among (str): 'rgb', 'ir', 'both', or 'other': of the modality that the query is not. Defaults to 'other'.
            cameras (Sequence[str]): Of these alone. Defaults to (), of all.
            identities (Sequence[str]): Of these alone. Defaults to (), of all.
            enrolled (float, optional): Prior probability that somebody is there: with it, hits have probabilities, and
                the list ends with nobody's, see :meth:`tsgan.apis.Gallery.search`. Defaults to None: without.

        Returns:
            list[dict]: Best first: path, identity, camera, modality, score.

        Raises:
            ValueError: With ``enrolled``, when such scores were not calibrated.
        """
        modality = OTHER[query.modality] if among == 'other' else None if among == 'both' else among
        wanted = dict(modality=modality, camera=list(cameras) or None, identity=list(identities) or None)
        if enrolled is not None:
            about = dict(queries={'modality': query.modality}, enrolled=enrolled, level=self.level)
            wanted.update(calibration=self.calibration, **about)
        return self.gallery.search(query.feature, topk, rerank=rerank, **wanted)

    def judged(self, enrolled: float, query: Query, topk: int, rerank: bool, *how) -> tuple[list[dict], str]:
        """As :meth:`search`: hits with probabilities where there are some; else, in words, why there are none."""
        if self.calibration is None:
            return self.search(query, topk, rerank, *how), ''
        if rerank:
            return self.search(query, topk, rerank, *how), 'No probabilities: re-ranking changes what a score means.'
        try:
            return self.search(query, topk, rerank, *how, enrolled=enrolled), ''
        except ValueError as error:
            return self.search(query, topk, rerank, *how), f'No probabilities: {error}'


def read_picture(content: bytes) -> np.ndarray:
    """Read a picture of unknown origin.

    Args:
        content (bytes): What is in its file.

    Returns:
        np.ndarray: BGR, (H, W, 3), upright; uint8, or what its values need.

    Raises:
        ValueError: When it is no picture of :data:`FORMATS`, has more than :data:`MAX_PIXELS`, or is damaged.
    """
    if not content:
        raise ValueError('This file is empty.')
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
    except Image.DecompressionBombError as error:
        raise ValueError(f'This picture has more than {MAX_PIXELS // 10**6} million pixels: choose another.') from error
    except UnidentifiedImageError as error:
        kinds = f'{", ".join(FORMATS[:-1])} or {FORMATS[-1]}'
        raise ValueError(f'This file is no picture that can be read: expected {kinds}.') from error
    except Exception as error:  # of any kind, as deep inside as the parser has come
        raise ValueError(f'This picture is damaged: {error}.') from error
    return decode_content(content)


def viewable(image: np.ndarray) -> np.ndarray:
    """An RGB picture for the eye of a BGR one: of more than eight bits, its own range becomes 0 to 255."""
    if is_deep(image):
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
        image = to_uint8(image, (low, high if high > low else low + 1))
    return image[..., ::-1]


def from_browser(data: object) -> bytes:
    """The content of a file, sent as a data URL. Raises ValueError when it is none, or too large."""
    head, _, body = data.partition(',') if isinstance(data, str) else ('', '', '')
    try:
        content = base64.b64decode(body, validate=True)
    except ValueError:  # no base64
        head = ''
    if not head.startswith('data:'):
        raise ValueError('What came is no file: choose another.')
    if len(content) > MAX_BYTES:
        raise ValueError(f'This file is larger than {MAX_BYTES // 2**20} MB: choose another.')
    return content


# What is shown


def as_data(image: np.ndarray, height: int = 264) -> str:
    """An RGB picture as the data URL of a JPEG, at most so many pixels high."""
    scale = min(height / image.shape[0], 4 * height / image.shape[1], 1)
    if scale < 1:
        size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    content = cv2.imencode('.jpg', np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return f'data:image/jpeg;base64,{base64.b64encode(content).decode()}'


def thumbnail(path: str) -> str | None:
    """A gallery picture as a data URL; None where it cannot be read (any more)."""
    try:
        return as_data(viewable(decode(path)))
    except (OSError, ValueError, cv2.error):
        return None


def message(sentence: str) -> str:
    return f'<p class="message" role="alert">{html.escape(sentence)}</p>'


def show_query(query: Query) -> str:
    name, other = NAMES[query.modality], NAMES[OTHER[query.modality]]
    reason = 'its three channels are equal' if query.modality == 'ir' else 'its three channels differ'
    if query.translation is None:
        right = '<div class="none caption">this model has no generators</div><figcaption>no translation</figcaption>'
    else:
        alt = f'the query as the generator paints it in {other}'
        right = f'<img src="{as_data(query.translation, 528)}" alt="{alt}">'
        right += f'<figcaption><b>As {other}</b><br><span class="caption">by the generator</span></figcaption>'
    return (
        f'<div class="pair"><figure><img src="{as_data(query.image, 528)}" alt="the query, {name}">'
        f'<figcaption><b>Query: {name}</b><br><span class="caption">{reason}</span></figcaption></figure>'
        f'<figure>{right}</figure></div>'
    )


def show_hits(page: Page, query: Query, hits: list[dict], among: str, why: str = '') -> str:
    """The hits of a query, as of :meth:`Page.judged`, and why they have no probabilities."""
    hits, nobody = without_nobody(hits)
    modality = OTHER[query.modality] if among == 'other' else among
    of = f'{NAMES[modality]} pictures' if modality in NAMES else 'pictures'
    total = page.counts[modality] if modality in NAMES else sum(page.counts.values())
    if not hits:
        if not total:
            return message(f'The gallery has no {of}: search among others.')
        return message(f'None of the {total:,} {of} of the gallery passes the filters.')
    items = ''.join(show_hit(page, rank, hit, query.identity) for rank, hit in enumerate(hits, 1))
    known = query.identity is not None and any(hit['identity'] is not None for hit in hits)
    found = f'The best {len(hits)} of {total:,} {of} in the gallery' + (' · ✓ the same person' if known else '')
    above = f'<p class="why">{html.escape(why)}</p>' if why else ''
    if nobody:
        candidates = sum(hit['candidate'] for hit in hits)
        found += f' · <span class="candidate">%</span> one of the {nobody["candidates"]:,}' if candidates else ''
        above = show_nobody(nobody, candidates)
    return f'{above}<p class="found" role="status">{found}</p><ol class="hits">{items}</ol>'


def show_nobody(nobody: dict, shown: int) -> str:
    """Above the hits: how probable it is that nobody of the gallery is the query's person, and who may be."""
    chance = html.escape(percent(nobody['probability']))
    return (
        f'<div class="verdict" role="status"><p><b>{chance}</b> nobody in the gallery</p>'
        f'<p>The person is {in_words(nobody, shown)}. Pictures of one person have one percentage.</p></div>'
    )


def show_hit(page: Page, rank: int, hit: dict, who: str | None) -> str:
    known = [hit[name] for name in ('identity', 'camera') if hit[name] is not None]
    where = html.escape(' · '.join(known) or Path(hit['path'] or '').name)
    same = who is not None and hit['identity'] == who
    mark, kind = (' <span class="mark">✓</span>', ' class="same"') if same else ('', '')
    picture = page.thumbnail(hit['path'])
    alt = f'rank {rank}, {NAMES.get(hit["modality"], "unknown modality")}, {where}{", the same person" if same else ""}'
    chance = ''
    if 'probability' in hit:
        said, candidate = html.escape(percent(hit['probability'])), ' candidate' if hit['candidate'] else ''
        alt += f', probability {said}{candidate and ", candidate"}'
        chance = f'<span class="chance{candidate}">{said}</span>'
    shown = f'<img src="{picture}" alt="{alt}">' if picture else '<div class="none">no picture</div>'
    return (
        f'<li{kind}><figure><div class="picture">{shown}<span class="rank">{rank}</span>{chance}</div>'
        f'<figcaption><span class="score">{hit["score"]:.3f}{mark}</span><small title="{where}">{where}</small>'
        '</figcaption></figure></li>'
    )


def show_examples(examples: Sequence[Example]) -> str:
    buttons = []
    for number, example in enumerate(examples):
        label = f'example {number + 1}' + (f': {NAMES[example.modality]}' if example.modality else '')
        picture = f'<img src="{as_data(viewable(example.image))}" alt="">'
        buttons.append(f'<button type="button" data-number="{number}" aria-label="{label}">{picture}</button>')
    return f'<p class="label">or one of these</p><div class="examples">{"".join(buttons)}</div>'


DROP = f"""
<label class="drop"><input type="file" accept="image/*,.tif,.tiff" aria-label="a picture to look for">
<strong>Drop a picture here, or choose one</strong>
<small>infrared or colour, at most {MAX_BYTES // 2**20} MB; it stays on this machine</small></label>
"""


def build(page: Page, about: str):
    """The page as Gradio's blocks."""
    import gradio as gr

    def answer(make, *options):
        """A new query's picture and hits; a sentence in their place where it cannot be one."""
        try:
            query = make()
        except ValueError as error:
            return None, '', message(str(error)), ''
        return query, '', show_query(query), hits(query, *options)

    def hits(query, topk, rerank, among, cameras, identities, enrolled):
        if query is None:
            return ''
        among = AMONG[among]
        how = int(topk), bool(rerank), among, cameras or (), identities or ()
        found, why = page.judged(enrolled / 100, query, *how)
        return show_hits(page, query, found, among, why)

    def upload(data, *options):
        return answer(lambda: page.look(read_picture(from_browser(data))), *options)

    def example(number, *options):
        return answer(lambda: page.example(str(number)), *options)

    def script(name: str) -> str:
        return (HERE / name).read_text(encoding='utf-8')

    with gr.Blocks(title='TS-GAN: visible-infrared search', analytics_enabled=False) as blocks:
        gr.HTML(f'<h1>Search across colour and infrared</h1><p>{WHAT_IT_IS} {about}</p>', elem_classes='head')
        query = gr.State(time_to_live=3600)
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                drop = gr.HTML('', html_template=DROP, js_on_load=script('drop.js'), max_bytes=MAX_BYTES)
                strip = gr.HTML(
                    '',
                    html_template=show_examples(page.examples),
                    js_on_load=script('examples.js'),
                    visible=bool(page.examples),
                )
                pair = gr.HTML('', elem_id='query')
            with gr.Column(scale=7, min_width=320):
                with gr.Row(elem_id='options'):
                    among = gr.Dropdown(list(AMONG), value='the other modality', label='Search among', min_width=190)
                    topk = gr.Slider(5, 50, value=20, step=5, label='How many')
                    rerank = gr.Checkbox(False, label='Re-ranking', info='by common neighbours')
                with gr.Row(visible=page.calibration is not None):
                    expected = 'How likely it is, before you look, that this person is in the gallery, in %'
                    enrolled = gr.Slider(1, 99, value=50, step=1, label=expected)
                filters = gr.Accordion('Filters', open=False, visible=bool(page.cameras or page.identities))
                with filters, gr.Row():
                    cameras = gr.Dropdown(page.cameras, value=[], multiselect=True, label='Cameras')
                    identities = gr.Dropdown(page.identities, value=[], multiselect=True, label='Identities')
                found = gr.HTML('', elem_id='hits')
        options = [topk, rerank, among, cameras, identities, enrolled]
        quiet = dict(api_visibility='private', show_progress='minimal')
        shown = [query, drop, pair, found]
        drop.upload(upload, [drop, *options], shown, **quiet)
        strip.select(example, [strip, *options], shown, **quiet)
        changes = [option.change for option in options]
        gr.on(changes, hits, [query, *options], found, trigger_mode='always_last', **quiet)
        if page.examples:
            blocks.load(lambda *options: example(0, *options), options, shown, **quiet)
    return blocks.queue(max_size=64, default_concurrency_limit=4)


# How it is served


# What the page's own requests begin with; all else, uploads and files by name among them, is not there
ASKED = ('/assets/', '/static/', '/svelte/', '/theme.css', '/favicon.ico', '/config', '/gradio_api/queue/')
ASKED += ('/gradio_api/heartbeat/', '/gradio_api/startup-events', '/gradio_api/reset', '/gradio_api/cancel')
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'self'"
)


class Guard:
    """Stands before the page's server: lets its own requests through, each of a limited size and without file names."""

    def __init__(self, app, hosts: Sequence[str] | None) -> None:
        self.app = app
        self.hosts = hosts  # by which the page may be called; None: any

    async def __call__(self, scope, receive, send) -> None:
        if scope['type'] != 'http':
            if scope['type'] == 'lifespan':
                await self.app(scope, receive, send)
            return
        headers = dict(scope['headers'])
        host = headers.get(b'host', b'').decode('latin-1').rsplit(':', 1)[0]
        if self.hosts is not None and host not in self.hosts:  # another site's name that leads to this machine
            return await refuse(send, 421, 'this page is called by another name')
        if scope['path'] != '/' and not scope['path'].startswith(ASKED):
            return await refuse(send, 404, 'there is nothing here')
        if scope['method'] == 'POST':
            body = await read_body(receive, 2 * MAX_BYTES)
            if body is None:
                return await refuse(send, 413, 'this is too large')
            if names_a_file(body):
                return await refuse(send, 403, 'no file is opened by its name')
            receive = replay(body, receive)

        async def with_policy(event) -> None:
            if event['type'] == 'http.response.start':
                event['headers'] = [
                    *event['headers'],
                    (b'content-security-policy', POLICY.encode()),
                    (b'x-content-type-options', b'nosniff'),
                    (b'referrer-policy', b'no-referrer'),
                ]
            await send(event)

        await self.app(scope, receive, with_policy)


async def refuse(send, status: int, sentence: str) -> None:
    headers = [(b'content-type', b'text/plain; charset=utf-8')]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': sentence.encode()})


async def read_body(receive, limit: int) -> bytes | None:
    """The body of a request; None where it is longer than the limit."""
    parts, size, more = [], 0, True
    while more:
        event = await receive()
        parts.append(event.get('body', b''))
        size += len(parts[-1])
        if size > limit:
            return None
        more = event.get('more_body', False)
    return b''.join(parts)


def replay(body: bytes, receive):
    """What gives a body that was read to whoever comes next, and then what else there is."""
    given = []

    async def again():
        if given:
            return await receive()
        given.append(True)
        return {'type': 'http.request', 'body': body, 'more_body': False}

    return again


def names_a_file(body: bytes) -> bool:
    """Whether a request holds a file by its path or address, which Gradio would open; this page's never do."""
    try:
        waiting = [json.loads(body)]
    except ValueError:
        return False  # nor can Gradio read it
    except RecursionError:  # whatever lies so deep
        return True
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if 'path' in item:
                return True
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def bind(host: str, port: int) -> socket.socket:
    """A socket at the address of the page. Raises OSError when it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()  # who comes early waits
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise OSError(f'no page can be opened at {host}, port {port} ({reason}): choose another --port.') from error
    return bound


def serve(blocks, bound: socket.socket, host: str) -> None:
    """Answer browsers until the process is stopped."""
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    theme = gr.themes.Base(
        primary_hue='teal',
        neutral_hue='zinc',
        radius_size='md',
        font=['system-ui', 'sans-serif'],  # no font of the web
        font_mono=['ui-monospace', 'monospace'],
    )
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app = gr.mount_gradio_app(
        app,
        blocks,
        path='/',
        theme=theme,
        css=(HERE / 'page.css').read_text(encoding='utf-8'),
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=1,
    )
    address, port = bound.getsockname()[:2]
    loopback = address in ('127.0.0.1', '::1')
    hosts = sorted({'127.0.0.1', 'localhost', '[::1]', host}) if loopback else None
    if not loopback:
        print('note: whoever reaches this machine by network can use this page, and see the gallery.', flush=True)
    print(f'open http://{f"[{host}]" if ":" in host else host}:{port}/ (Ctrl-C ends it)', flush=True)
    server = uvicorn.Server(uvicorn.Config(Guard(app, hosts), log_config=None, log_level='warning', access_log=False))

    def stop(number: int, frame: object) -> None:
        server.force_exit = True  # no browser is waited for
        logging.getLogger('uvicorn.error').disabled = True  # which has a traceback for each that is cut off
        uvicorn.Server.handle_exit(server, number, frame)

    server.handle_exit = stop
    server.run(sockets=[bound])


# What is searched


def cache_folder() -> Path:
    """Where what was made on the first start lies."""
    for base in (os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache', tempfile.gettempdir()):
        folder = Path(base, 'tsgan')
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise OSError('there is no folder to write to: set XDG_CACHE_HOME to one.')


def rendered_people() -> Path:
    """The folder of the rendered gallery; renders it, in some seconds, where it is not there yet."""
    root = cache_folder() / f'rendered_people_{SEED}'
    if not root.is_dir():
        counts = dict(num_train=1, num_val=0, num_test=PEOPLE - 1, num_pretrain=0)
        with tempfile.TemporaryDirectory(dir=root.parent) as unfinished:
            whole = render_dataset(Path(unfinished, root.name), **counts, frames=FRAMES, seed=SEED)
            if not root.is_dir():  # another process may have been faster
                os.replace(whole, root)
    return root


def rendered_examples() -> list[Example]:
    """People of the rendered gallery in pictures that it does not have, infrared and colour in turn."""
    examples = []
    for number, pid in enumerate(evenly(range(1, PEOPLE + 1), NUM_EXAMPLES)):
        cam = (3, 1, 6, 4)[number % 4]
        image = render_image(identity(SEED, pid), cam, image_rng(SEED, cam, pid, EXAMPLE_FRAME), seed=SEED)
        examples.append(Example(image, f'{pid:04d}', 'ir' if cam in INFRARED_CAMERAS else 'rgb'))
    return examples


def examples_of(folder: str) -> list[Example]:
    """Some pictures of a folder, evenly spaced. Raises ValueError on one that cannot be read."""
    examples = []
    for row, _ in evenly(find_images(folder), NUM_EXAMPLES):
        examples.append(Example(decode(row.path), row.identity, row.modality))
    return examples


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--gallery', metavar='FOLDER', help='pictures to search, or a gallery of such; default: rendered people'
    )
    parser.add_argument(
        '--pictures',
        nargs='+',
        metavar='FOLDER',
        help='of a gallery whose pictures do not lie beside it, or below: the folders to show them from',
    )
    parser.add_argument('--examples', metavar='FOLDER', help='pictures at hand, of which some are shown')
    add_model_arguments(parser)
    parser.add_argument('--calibration', metavar='FILE.json', help="what the model's scores mean: shows probabilities")
    parser.add_argument('--level', type=float, help='with it: probability of the marked candidates; default: 0.95')
    parser.add_argument('--host', default='127.0.0.1', help='default: 127.0.0.1, this machine alone')
    parser.add_argument('--port', type=int, default=7860, help='default: 7860; 0: any that is free')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for folder in filter(None, (args.gallery, args.examples, *(args.pictures or ()))):
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'there is no folder {folder}: expected one of pictures.')
    calibration = None if args.calibration is None else Calibration.load(args.calibration)
    if calibration is None and args.level is not None:
        raise ValueError('--level is of probabilities, of which there are none without --calibration.')
    level = 0.95 if args.level is None else args.level
    bound = bind(args.host, args.port)  # what can be refused is refused before the model is waited for
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    need('gradio', 'demo')
    reid = ReIDInferencer(args.model, args.weights, args.device)
    if calibration:
        ready(calibration, 0.5, level, reid.name, reid.fingerprint)
    gallery = Gallery.of(args.gallery or rendered_people(), reid)
    given = args.gallery or args.examples
    examples = rendered_examples() if not given else examples_of(args.examples) if args.examples else []
    about = WHAT_IT_IS_NOT if args.model == MODEL and not args.weights else f'The model: {html.escape(reid.name)}.'
    made = args.gallery and (Path(args.gallery) / LIST).exists()  # by somebody, and not of a folder's pictures now
    folders = [gallery.folder.parent, *(args.pictures or ())] if made else None
    page = Page(reid, gallery, examples, calibration, level, folders)
    if hidden := sum(not page.shows(row['path']) for row in gallery.rows() if row['path']):
        print(f'note: {hidden:,} pictures lie elsewhere, and are not shown: --pictures FOLDER says from where.')
    serve(build(page, about), bound, args.host)


if __name__ == '__main__':
    run(main)
