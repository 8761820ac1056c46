"""A picture of the page, as a browser shows it: ``python demo/screenshot.py docs/images/page.jpg``; needs Chromium.

Opens the page on rendered people, and waits for the answer to the first picture at hand, or to another one.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsgan.command_line import out_file, run
from tsgan.extras import need

HERE = Path(__file__).resolve().parent


@contextmanager
def served(*arguments: object, cache: Path | None = None) -> Iterator[str]:
    """The address of a page that is served, by another process, as long as this lasts.

    Raises:
        RuntimeError: When the page cannot be opened.
    """
    command = [sys.executable, str(HERE / 'app.py'), '--port', '0', *map(str, arguments)]
    environment = dict(os.environ, **({'XDG_CACHE_HOME': str(cache)} if cache else {}))
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r'http://\S+', line):
                yield found[0]
                return
        raise RuntimeError(f'the page cannot be opened: {"".join(said).strip()}')
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(20)


@contextmanager
def browser() -> Iterator:
    """Headless Chromium, as it is installed. Raises FileNotFoundError where it is not."""
    start = need('playwright.sync_api', 'tests').sync_playwright
    with start() as playwright:
        names = 'chromium', 'chromium-browser', 'google-chrome', playwright.chromium.executable_path
        program = next(filter(None, map(shutil.which, names)), None)
        if program is None:
            raise FileNotFoundError(
                'there is no Chromium: `apt-get install chromium`, or `playwright install chromium`.'
            )
        opened = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])  # root has none
        yield opened
        opened.close()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=out_file, metavar='FILE', help='.png or .jpg')
    parser.add_argument('--size', nargs=2, type=int, default=(1280, 800), metavar=('WIDTH', 'HEIGHT'))
    parser.add_argument('--example', type=int, default=1, metavar='N', help='which picture at hand; default: 1')
    parser.add_argument('--dark', action='store_true')
    parser.add_argument('--whole', action='store_true', help='down to the end of the page')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.out.endswith(('.png', '.jpg', '.jpeg')):
        raise ValueError(f'{args.out}: expected a picture, .png or .jpg.')
    width, height = args.size
    scheme = 'dark' if args.dark else 'light'
    with browser() as chromium, served() as address:
        page = chromium.new_page(viewport=dict(width=width, height=height), color_scheme=scheme)
        page.goto(address)
        page.locator('.hits li').first.wait_for(timeout=60_000)
        if args.example > 1:
            before = page.locator('#query').inner_html()
            page.locator('.examples button').nth(args.example - 1).click()
            page.wait_for_function('before => document.querySelector("#query").innerHTML !== before', arg=before)
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)  # what fades has faded
        quality = {} if args.out.endswith('.png') else dict(quality=88)
        page.screenshot(path=args.out, full_page=args.whole, **quality)
    print(f'{args.out}: {Path(args.out).stat().st_size / 1000:.0f} kB')


if __name__ == '__main__':
    run(main)
