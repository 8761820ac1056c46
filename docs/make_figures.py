"""Draw the figures of docs/method.md: ``python docs/make_figures.py``; ``--check`` says whether they are what it draws.

One file serves light and dark pages: filled shapes are of middle tones under white letters, all else is a middle gray.
Versions of Matplotlib write one drawing in different ways, so a figure ends with a digest of itself and of this script.
"""

import hashlib
import io
import sys
from argparse import ArgumentParser
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

FOLDER = Path(__file__).resolve().parent / 'images'
GAN, STUDENT, JUDGE, TEACHER = '#b3601a', '#2f6cb3', '#8a56a8', '#3a7d52'
GRAY, FAINT = '#747a83', '#a3a8b0'
RGB, IR = (
    dict(tile='#dfe6ee', head='#c98e6c', top='#c0473f', legs='#35507d'),
    dict(tile='#3a3e45', head='#f2f2f2', top='#c4c4c4', legs='#8d8d8d'),
)
TOPS = {22: '#3f7f5f', 50: '#8a8f3c', 78: '#c0473f'}  # of three people
RGB_REAL, IR_REAL, RGB_FAKE, IR_FAKE = '$X_R$', '$X_I$', r'$X_R^{\prime}$', r'$X_I^{\prime}$'
MAP_S, MAP_R, MAP_T = '$f_{map,S}$', '$f_{map,R}$', '$f_{map,T}$'
STYLE = {
    'svg.fonttype': 'path',
    'svg.hashsalt': 'tsgan',
    'mathtext.fontset': 'dejavuserif',
    'font.family': 'DejaVu Sans',
}


class Canvas:
    """A drawing in pixels, y downwards."""

    def __init__(self, width: int, height: int) -> None:
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis('off')

    def text(self, x, y, text, size=13, colour=GRAY, ha='center', va='center', **more) -> None:
        self.axes.text(x, y, text, size=size, color=colour, ha=ha, va=va, **more)

    def box(self, x, y, text, colour, width=58, height=38, size=17, below=None) -> None:
        """A network, around (x, y)."""
        corner = (x - width / 2, y - height / 2)
        style = 'round,pad=0,rounding_size=6'
        self.axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fc=colour, ec='none'))
        self.text(x, y, text, size=size, colour='white')
        if below:
            self.text(x, y + height / 2 + 11, below, size=12.5)

    def panel(self, x, y, width, height, title, colour=FAINT) -> None:
        style = 'round,pad=0,rounding_size=9'
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc='none', ec=colour, lw=1))
        if title:
            self.text(x + 10, y + 15, title, size=13.5, ha='left', weight='bold')

    def pill(self, x, y, text, below=None, width=84, colour=GRAY, height=27, size=15) -> None:
        """A loss, and the number of its equation."""
        corner = (x - width / 2, y - height / 2)
        style = f'round,pad=0,rounding_size={height / 2}'
        self.axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fc='none', ec=colour, lw=1.3))
        self.text(x, y + 0.5, text, size=size, colour=colour)
        if below:
            self.text(x, y + height / 2 + 10, below, size=12.5)

    def map(self, x, y, name, above=False) -> None:
        """Feature maps: sheets, one behind the other."""
        for shift in (4, 0, -4):
            self.axes.add_patch(Rectangle((x - 9 + shift, y - 13 - shift), 16, 28, fc='#8fb0d6', ec=STUDENT, lw=1))
        self.text(x, y - 30 if above else y + 31, name, size=15)

    def vector(self, x, y, name) -> None:
        for i in range(6):
            self.axes.add_patch(Rectangle((x - 4, y - 21 + 7 * i), 8, 7, fc='#8fb0d6', ec=STUDENT, lw=1))
        self.text(x, y - 33, name, size=16)

    def state(self, x, y, width, colour, text, dashed=False) -> None:
        """What a network does in a phase: filled where it is trained, an outline where it runs."""
        if not text:
            self.text(x, y, '–', size=13)
            return
        style = 'round,pad=0,rounding_size=6'
        line = dict(fc='none', ec=colour, lw=1.6, ls=(0, (3, 2)) if dashed else '-')
        fill = dict(fc=colour, ec='none') if text == 'trains' else line
        self.axes.add_patch(FancyBboxPatch((x - width / 2, y - 14), width, 28, boxstyle=style, **fill))
        self.text(x, y, text, size=12.5, colour='white' if text == 'trains' else GRAY)

    def legend(self, y, *entries) -> None:
        for x, colour, text in entries:
            fill = dict(fc=colour, ec='none') if colour else dict(fc='none', ec=GRAY, lw=1.6)
            self.axes.add_patch(FancyBboxPatch((x, y - 7), 14, 14, boxstyle='round,pad=0,rounding_size=3', **fill))
            self.text(x + 21, y, text, size=13, ha='left')

    def person(self, x, y, look, name=None, height=52) -> None:
        """An image of a person, around (x, y); one that a generator made is framed in its colour."""
        w, h = height / 2, height
        edge = dict(ec=GAN, lw=2) if name in (RGB_FAKE, IR_FAKE) else dict(ec=FAINT, lw=0.8)
        self.axes.add_patch(Rectangle((x - w / 2, y - h / 2), w, h, fc=look['tile'], **edge))
        top = y - h / 2
        self.axes.add_patch(Circle((x, top + 0.19 * h), 0.085 * h, fc=look['head'], ec='none'))
        for colour, shape in (
            ('legs', [(-0.1, 0.6), (0.1, 0.6), (0.11, 0.94), (0.03, 0.94), (0, 0.7), (-0.03, 0.94), (-0.11, 0.94)]),
            (
                'top',
                [
                    (-0.1, 0.3),
                    (0.1, 0.3),
                    (0.17, 0.55),
                    (0.12, 0.58),
                    (0.1, 0.62),
                    (-0.1, 0.62),
                    (-0.12, 0.58),
                    (-0.17, 0.55),
                ],
            ),
        ):
            points = [(x + dx * h, top + dy * h) for dx, dy in shape]
            self.axes.add_patch(Polygon(points, fc=look[colour], ec='none'))
        if name:
            self.text(x, y + h / 2 + 12, name, size=15 if '$' in name else 13)

    def arrow(self, start, end, dashed=False, both=False, colour=GRAY, bend=0.0) -> None:
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle='<|-|>' if both else '-|>',
                mutation_scale=9,
                lw=1.4,
                color=colour,
                linestyle=(0, (3, 2)) if dashed else '-',
                connectionstyle=f'arc3,rad={bend}',
                shrinkA=0,
                shrinkB=0,
            )
        )

    def line(self, *points, dashed=False, colour=GRAY, arrow=True) -> None:
        """Straight pieces, with a head at the end."""
        xs, ys = zip(*points[:-1] if arrow and len(points) > 2 else points, strict=True)
        if len(points) > 2 or not arrow:
            style = (0, (3, 2)) if dashed else '-'
            self.axes.plot(xs, ys, color=colour, lw=1.4, linestyle=style, solid_capstyle='butt', dash_capstyle='butt')
        if arrow:
            self.arrow(points[-2], points[-1], dashed=dashed, colour=colour)

    def svg(self) -> str:
        out = io.StringIO()
        metadata = dict(Date=None, Creator=None, Format=None, Type=None)
        self.figure.savefig(out, format='svg', transparent=True, metadata=metadata)
        return '\n'.join(line.rstrip() for line in out.getvalue().splitlines()) + '\n'


def model() -> Canvas:
    """Everything that runs in a training, and where each loss is computed."""
    c = Canvas(540, 652)
    c.panel(2, 2, 536, 250, 'Generators and discriminators')
    for y, first, look, generator, second, other, judge in (
        (72, IR_REAL, IR, '$G_R$', RGB_FAKE, RGB, '$D_R$'),
        (176, RGB_REAL, RGB, '$G_I$', IR_FAKE, IR, '$D_I$'),
    ):
        c.person(46, y, look, first)
        c.line((62, y), (117, y))
        c.box(148, y, generator, GAN)
        c.line((180, y), (236, y))
        c.person(254, y, other, second)
        c.line((270, y), (348, y))
        c.box(380, y, judge, JUDGE)
        c.line((412, y), (440, y))
        c.pill(473, y, r'$\mathcal{L}_D$', 'Eq. 2–4' if judge == '$D_I$' else None, width=58)
        c.text(309, y - 12, f'and {RGB_REAL if other is RGB else IR_REAL}', size=13)
    # each fake image through the other generator, and back beside where it came from
    c.pill(148, 124, r'$\mathcal{L}_{cyc}$   Eq. 6', width=104)
    for y in (84, 164):
        c.line((238, y), (226, 124), (203, 124), dashed=True, arrow=False)
        c.line((97, 124), (78, 124), (66, y), dashed=True)
    c.pill(380, 124, r'$\mathcal{L}_G^{adv}$   Eq. 1', width=104)
    c.line((380, 93), (380, 110))
    c.line((380, 155), (380, 138))

    c.panel(2, 266, 536, 190, 'ReID network, the student')
    for x, look, name in ((26, RGB, RGB_REAL), (60, IR, IR_REAL), (94, IR, IR_FAKE)):
        c.person(x, 362, look, name, height=48)
    c.line((111, 362), (126, 362))
    c.box(158, 362, '$FE_S$', STUDENT)
    c.line((190, 362), (214, 362))
    c.map(232, 362, MAP_S, above=True)
    c.line((250, 362), (268, 362))
    c.box(300, 362, '$LE_S$', STUDENT)
    c.line((332, 362), (362, 362))
    c.map(380, 362, MAP_R)
    c.line((398, 362), (434, 362))
    c.text(416, 352, 'GAP', size=12)
    c.vector(440, 362, '$V$')
    c.line((446, 362), (494, 362))
    c.text(470, 352, 'FC', size=12)
    c.vector(500, 362, '$F$')
    c.pill(440, 413, r'$\mathcal{L}_{ReID}^{Tri}$', 'Eq. 11', width=54)
    c.line((440, 388), (440, 399))
    c.pill(500, 413, r'$\mathcal{L}_{ReID}^{ID}$', 'Eq. 9, 10', width=54)
    c.line((500, 388), (500, 399))
    c.line((380, 341), (380, 197))
    c.text(372, 296, f'{MAP_R} of {IR_REAL} and {IR_FAKE}', size=13, ha='right')
    c.pill(452, 226, r'$\mathcal{L}_{ReID}^{GAN}$   Eq. 12', width=116)
    c.line((402, 196), (416, 211))

    c.panel(2, 470, 536, 138, 'IR teacher')
    for x, look, name in ((60, IR, IR_REAL), (94, IR, IR_FAKE)):
        c.person(x, 540, look, name, height=48)
    c.line((111, 540), (126, 540))
    c.box(158, 540, '$FE_T$', TEACHER)
    c.line((190, 540), (214, 540))
    c.map(232, 540, MAP_T)
    c.line((232, 450), (232, 522), dashed=True)
    c.line((232, 450), (232, 382), dashed=True)
    c.text(444, 486, 'teacher', size=12.5)
    c.text(504, 486, 'student', size=12.5)
    rows = (
        (510, r'$\mathcal{L}_{TS}^{RealIR}$   Eq. 13', IR_REAL, IR_REAL),
        (543, r'$\mathcal{L}_{TS}^{FakeIR}$   Eq. 14', IR_FAKE, IR_FAKE),
        (576, r'$\mathcal{L}_{TS}^{CD}$   Eq. 15', IR_FAKE, RGB_REAL),
    )
    for y, name, teacher, student in rows:
        c.pill(340, y, name, width=136)
        c.text(444, y, teacher, size=14)
        c.text(506, y, student, size=14)
    c.legend(
        632,
        (16, GAN, 'phase 1 trains'),
        (146, STUDENT, 'phase 2 trains'),
        (276, JUDGE, 'phase 3 trains'),
        (406, TEACHER, 'frozen'),
    )
    return c


def phases() -> Canvas:
    """Who is trained, who only runs, and who rests in each of the three phases."""
    c = Canvas(540, 352)
    columns = (
        (62, 98, r'$G_I, G_R$', GAN),
        (192, 130, r'$FE_S, LE_S, F$', STUDENT),
        (314, 78, '$D_I$', JUDGE),
        (401, 78, '$D_R$', JUDGE),
        (488, 78, '$FE_T$', TEACHER),
    )
    for x, width, name, colour in columns:
        c.box(x, 20, name, colour, width=width, height=32, size=15)
    rows = (
        (
            '1  generators',
            r'$\mathcal{L}_G$, Eq. 7',
            f'makes {IR_FAKE} and {RGB_FAKE}',
            'trains',
            'runs',
            'runs',
            'runs',
            '',
        ),
        (
            '2  reid',
            r'$\mathcal{L}_{ReID} + \mathcal{L}_{TS}$, Eq. 8, 16',
            'makes the maps',
            '',
            'trains',
            'runs',
            '',
            'runs',
        ),
        ('3  discriminators', r'$\mathcal{L}_D$, Eq. 2', 'takes both, detached', '', '', 'trains', 'trains', ''),
    )
    for top, (name, loss, data, *states) in zip((48, 140, 232), rows, strict=True):
        c.panel(2, top, 536, 82, None)
        c.text(14, top + 18, name, size=13.5, ha='left', weight='bold')
        c.text(248, top + 18, loss, size=13)
        c.text(526, top + 18, data, size=13, ha='right')
        for (x, width, _, colour), state in zip(columns, states, strict=True):
            c.state(x, top + 55, width, colour, state)
    c.legend(335, (16, GRAY, 'trains: its optimizer moves it'), (272, None, 'runs: frozen, in eval mode'))
    return c


def at_test() -> Canvas:
    """What is left of the model once it is trained."""
    c = Canvas(540, 258)
    c.person(40, 66, IR, 'query')
    for x in (22, 50, 78):
        c.person(x, 166, dict(RGB, top=TOPS[x]), height=48)
    c.text(50, 203, 'gallery', size=13)
    for y, start in ((66, 58), (166, 95)):
        c.line((start, y), (122, y))
        c.line((184, y), (202, y))
        c.line((264, y), (326, y))
        c.text(295, y - 10, 'GAP', size=12)
        c.vector(334, y, '$V$')
        c.line((342, y), (362, 116), arrow=False)
    c.box(153, 116, '$FE_S$', STUDENT, width=60, height=146)
    c.box(233, 116, '$LE_S$', STUDENT, width=60, height=146)
    c.line((362, 116), (376, 116))
    c.text(418, 108, 'distances', size=13)
    c.text(418, 124, 'at unit length', size=11)
    c.line((458, 116), (474, 116))
    for y, x, place in ((48, 78, '1'), (116, 22, '2'), (184, 50, '3')):
        c.person(512, y, dict(RGB, top=TOPS[x]), height=56)
        c.text(486, y, place, size=12.5)
    c.text(10, 240, 'not needed:', size=13, ha='left')
    for x, name, colour in (
        (130, '$G_I$', GAN),
        (188, '$G_R$', GAN),
        (246, '$D_I$', JUDGE),
        (304, '$D_R$', JUDGE),
        (362, '$FE_T$', TEACHER),
        (420, '$F$', STUDENT),
    ):
        c.state(x, 240, 48, colour, name, dashed=True)
    return c


FIGURES = {'method_model.svg': model, 'method_phases.svg': phases, 'method_test.svg': at_test}


def digest(body: str) -> str:
    """Of a figure and of the script that draws it, as the figure's last line."""
    content = Path(__file__).read_text('utf-8') + body
    return f'<!-- docs/make_figures.py {hashlib.sha256(content.encode()).hexdigest()} -->\n'


def is_drawn(file: Path) -> bool:
    """Whether a figure is what this script drew, and nothing was changed in either since."""
    body, _, last = file.read_text('utf-8').rpartition('<!--') if file.is_file() else ('', '', '')
    return f'<!--{last}' == digest(body)


def main() -> None:
    parser = ArgumentParser(description='Draw the figures of docs/method.md')
    parser.add_argument('--check', action='store_true', help='write nothing; exit status 2 where a file is another')
    parser.add_argument(
        '--out', type=Path, default=FOLDER, metavar='FOLDER', help=f'default: {FOLDER.name}/ beside this'
    )
    args = parser.parse_args()
    if args.check:
        others = [str(args.out / name) for name in FIGURES if not is_drawn(args.out / name)]
        if others:
            print(f'error: not what docs/make_figures.py draws: {", ".join(others)}.', file=sys.stderr)
            sys.exit(2)
        print(f'{len(FIGURES)} figures are what docs/make_figures.py draws')
        return
    args.out.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        with matplotlib.rc_context(STYLE):
            body = draw().svg()
        (args.out / name).write_text(body + digest(body), encoding='utf-8', newline='\n')


if __name__ == '__main__':
    main()
