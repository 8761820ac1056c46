"""Draws a person as seen by a camera: a map of surfaces and a map of shading, still without any spectrum."""

import cv2
import numpy as np

from .clothes import TEXTURE_COLS, TEXTURE_ROWS, Surface

# Body angle of 48 points across a visible half cylinder, as a share of a whole turn.
ACROSS = np.arcsin(np.linspace(-0.99, 0.99, 48)) / (2 * np.pi)


class Canvas:
    """Two maps that parts are painted on, far ones first.

    Attributes:
        surface (np.ndarray): ``Surface`` numbers, uint8 (H, W).
        shade (np.ndarray): Light on the surface, uint8 (H, W); 200 is 1.
    """

    def __init__(self, height, width):
        self.surface = np.zeros((height, width), np.uint8)
        self.shade = np.full((height, width), 200, np.uint8)

    def fill(self, polygon, paint, shade=200, quad=None):
        """Fill a convex polygon.

        Args:
            polygon (np.ndarray): Corners in pixels, (N, 2).
            paint (int or np.ndarray): One surface, or a surface map that is stretched over ``quad``.
            shade (int): Light on it; its outline is darker, so that overlapping parts of one garment stay readable.
            quad (np.ndarray): Where the map's top left, top right, bottom right, bottom left corners go, (4, 2);
                the polygon itself when it has four corners.
        """
        points = np.rint(polygon).astype(np.int32)
        if isinstance(paint, np.ndarray):
            self._stretch(points, paint, polygon if quad is None else quad)
        else:
            cv2.fillConvexPoly(self.surface, points, int(paint))
        cv2.fillConvexPoly(self.shade, points, shade)
        cv2.polylines(self.shade, [points], True, int(shade * 0.72), 1)

    def _stretch(self, points, texture, quad):
        height, width = self.surface.shape
        x0, y0 = np.maximum(points.min(0), 0).tolist()
        x1, y1 = np.minimum(points.max(0) + 1, (width, height)).tolist()
        if x0 >= x1 or y0 >= y1:
            return
        rows, cols = texture.shape
        corners = np.array([[0, 0], [cols, 0], [cols, rows], [0, rows]], np.float32)
        target = (np.asarray(quad) - (x0, y0)).astype(np.float32)
        size = (x1 - x0, y1 - y0)
        warp = cv2.getPerspectiveTransform(corners, target)
        drawn = cv2.warpPerspective(texture, warp, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillConvexPoly(mask, points - (x0, y0), 1)
        np.copyto(self.surface[y0:y1, x0:x1], drawn, where=mask.view(bool))

    def dot(self, centre, radius, paint, shade=200):
        """Fill a disc; ``centre`` and ``radius`` in pixels."""
        at = (round(float(centre[0])), round(float(centre[1])))
        cv2.circle(self.surface, at, max(1, round(float(radius))), int(paint), -1)
        cv2.circle(self.shade, at, max(1, round(float(radius))), shade, -1)

    def stroke(self, start, end, thickness, paint):
        """A line; ``thickness`` in pixels."""
        points = np.rint([start, end]).astype(int)
        cv2.line(self.surface, points[0].tolist(), points[1].tolist(), int(paint), max(1, round(float(thickness))))


def facing(texture, heading):
    """The half of a texture around the body that a camera sees, (rows, 48); ``heading`` in radians, 0 is the front."""
    cols = ((0.5 + ACROSS - heading / (2 * np.pi)) * TEXTURE_COLS).astype(int) % TEXTURE_COLS
    return texture[:, cols]


def trapezoid(top, bottom, half_top, half_bottom):
    """Four corners around the axis ``top`` -> ``bottom`` (pixels), (4, 2): top left, top right, bottom right, left."""
    axis = bottom - top
    left = np.array([axis[1], -axis[0]]) / (np.hypot(*axis) + 1e-6)
    left *= -1 if axis[1] >= 0 else 1
    return np.array(
        [top + left * half_top, top - left * half_top, bottom - left * half_bottom, bottom + left * half_bottom]
    )


def ellipse(centre, half_width, half_height):
    """A polygon of 20 corners, (20, 2)."""
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return centre + np.stack([half_width * np.cos(turn), half_height * np.sin(turn)], 1)


def box(centre, half_width, half_height):
    """Four corners of an upright box, (4, 2)."""
    return centre + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)


class Figure:
    """One person in one pose in one view; :meth:`draw` paints it on a canvas."""

    def __init__(self, person, joints, view):
        self.person, self.view = person, view
        pixels, scales, ahead = view.project(np.stack(list(joints.values())))
        self.joints = joints
        self.at = dict(zip(joints, pixels, strict=True))
        self.scale = dict(zip(joints, scales, strict=True))
        self.ahead = dict(zip(joints, ahead, strict=True))

    def draw(self, canvas):
        """Paint all parts, far ones first."""
        sides = sorted(('left', 'right'), key=lambda side: self.ahead[f'{side}_shoulder'])
        back_seen = self.view.turn[0] < 0
        bag_near = (self.ahead['left_hip'] > self.ahead['right_hip']) == (self.person.bag_side > 0)
        carried = self.person.bag in ('shoulder_bag', 'handbag', 'suitcase')
        if self.person.bag == 'backpack' and not back_seen:
            self.backpack(canvas)
        if carried and not bag_near:
            self.bag(canvas)
        self.arm(canvas, sides[0], 165)
        if not back_seen:
            self.mane(canvas)
        self.leg(canvas, sides[0], 165)
        self.leg(canvas, sides[1], 200)
        self.torso(canvas)
        self.head(canvas)
        if back_seen:
            self.mane(canvas)
        if self.person.bag == 'backpack' and back_seen:
            self.backpack(canvas)
        self.arm(canvas, sides[1], 200)
        if carried and bag_near:
            self.bag(canvas)

    def limb(self, canvas, names, cloth, cover, radii, loose, shade):
        """Two segments through three joints, skin first and the garment up to ``cover`` segments over it."""
        for i in range(2):
            start, end = self.at[names[i]], self.at[names[i + 1]]
            scale = self.scale[names[i]]
            r0, r1 = radii[i] * scale, radii[i + 1] * scale
            share = min(max(cover - i, 0.0), 1.0)
            if share < 1:
                canvas.fill(trapezoid(start, end, r0, r1), Surface.SKIN, shade)
                canvas.dot(end, r1, Surface.SKIN, shade)
            if share > 0:
                stop = start + share * (end - start)
                half = loose * (r0 + share * (r1 - r0))
                rows = slice(i * TEXTURE_ROWS // 2, i * TEXTURE_ROWS // 2 + max(4, int(share * TEXTURE_ROWS // 2)))
                if i == 0:
                    canvas.dot(start, r0 * 1.1, cloth[0, 0], shade)
                canvas.fill(trapezoid(start, stop, r0 * (1.1 if i == 0 else loose), half), cloth[rows], shade)

    def arm(self, canvas, side, shade):
        person, girth = self.person, self.person.girth
        names = [f'{side}_{part}' for part in ('shoulder', 'elbow', 'hand')]
        sleeves = facing(person.sleeves, self.view.heading)[:, ::2]
        canvas.dot(self.at[names[2]], 0.85 * girth * self.scale[names[2]], Surface.SKIN, shade)
        loose = 1 + 0.6 * (person.loose - 1)
        self.limb(canvas, names, sleeves, person.sleeve, (girth, 0.82 * girth, 0.6 * girth), loose, shade)

    def leg(self, canvas, side, shade):
        person, girth = self.person, 1.45 * self.person.girth
        names = [f'{side}_{part}' for part in ('hip', 'knee', 'ankle')]
        toe, ankle, scale = self.at[f'{side}_toe'], self.at[names[2]], self.scale[names[2]]
        heel = ankle + (0, 0.06 * scale)
        foot = np.array(
            [ankle - (0.045 * scale, 0), ankle + (0.045 * scale, 0), heel + (0.05 * scale, 0), heel - (0.05 * scale, 0)]
        )
        canvas.fill(foot, Surface.SHOE, shade)
        canvas.fill(trapezoid(heel - (0, 0.01 * scale), toe, 0.05 * scale, 0.04 * scale), Surface.SHOE, shade)
        canvas.stroke(heel + (0, 0.04 * scale), toe + (0, 0.04 * scale), 0.03 * scale, Surface.SOLE)
        legs = facing(person.legs, self.view.heading)
        radii = 1.25 * girth, 0.9 * girth, 0.6 * girth
        self.limb(canvas, names, legs, person.leg, radii, person.loose, shade)

    def torso(self, canvas):
        person, view, at = self.person, self.view, self.at
        scale_top, scale_low = self.scale['neck'], self.scale['pelvis']
        half_top = view.half_width(person.shoulder, 0.75 * person.depth) * scale_top
        half_low = view.half_width(person.hip, person.depth) * scale_low
        if person.hem > 0:
            seam = self.joints['pelvis'] * (1, 1 - 0.47 * person.hem, 1)
            (end,), (scale,), _ = view.project(seam[None])
            half = person.flare * view.half_width(person.hip, 0.85) * scale
            stride = abs(at['left_knee'][0] - at['right_knee'][0]) * 0.5 + 0.06 * scale
            skirt = trapezoid(at['pelvis'], end, half_low, max(half, stride))
            canvas.fill(skirt, facing(person.skirt, view.heading), 190)
        shoulder_line = at['neck'] + (0, 0.035 * scale_top)
        body = trapezoid(shoulder_line, at['crotch'], half_top, half_low)
        collar = 0.07 * scale_top
        outline = np.array([at['neck'] - (collar, 0), at['neck'] + (collar, 0), *body[1:], body[0]])
        throat = trapezoid(at['chin'], at['neck'] + (0, 0.02 * scale_top), 0.05 * scale_top, 0.055 * scale_top)
        canvas.fill(throat, Surface.SKIN, 170)
        canvas.fill(outline, facing(person.torso, view.heading), 200, quad=body)
        strap = 0.035 * scale_top
        if person.bag == 'backpack' and view.turn[0] > -0.2:
            for side in (-0.5, 0.5):
                x = side * half_top * view.turn[0]
                end = (at['crotch'] + shoulder_line) / 2 + (1.2 * x, 0)
                canvas.stroke(shoulder_line + (x, 0), end, strap, Surface.BAG)
        if person.bag == 'shoulder_bag':
            # From one shoulder across to the other hip, mirrored when the back is seen.
            x = person.bag_side * np.sign(view.turn[0])
            start, end = shoulder_line - (0.7 * x * half_top, 0), at['pelvis'] + (x * half_low, 0)
            canvas.stroke(start, end, strap, Surface.BAG)
        if person.scarf:
            canvas.fill(ellipse(at['neck'], 0.1 * scale_top, 0.055 * scale_top), Surface.SCARF, 190)

    def head(self, canvas):
        person, view = self.person, self.view
        scale = self.scale['crown']
        crown, chin = self.at['crown'], self.at['chin']
        half = person.head * scale
        centre = (crown + chin) / 2
        tall = max(abs(chin[1] - crown[1]) / 2, 0.9 * half)
        canvas.fill(ellipse(centre, half, tall), facing(person.skull, view.heading), 205, quad=box(centre, half, tall))
        ahead = half * view.turn[1]
        if person.hair == 'cap':
            peak = centre + (1.1 * ahead, -0.35 * tall)
            if view.turn[0] > -0.4:
                canvas.fill(ellipse(peak, 0.5 * half + 0.45 * abs(ahead), 0.16 * tall), Surface.HAT, 175)
        elif person.hair == 'sunhat':
            canvas.fill(ellipse(centre - (0, 0.35 * tall), 1.75 * half, 0.26 * tall), Surface.HAT, 190)
        elif person.hair == 'bun':
            canvas.dot(crown - (0.7 * ahead, -0.15 * tall), 0.5 * half, Surface.HAIR, 190)
        elif person.hair == 'beanie':
            canvas.dot(crown, 0.3 * half, Surface.HAT, 190)

    def mane(self, canvas):
        """Hair that falls behind the head."""
        hair, scale = self.person.hair, self.scale['crown']
        if hair not in ('bob', 'long', 'ponytail'):
            return
        half, behind = self.person.head * scale, self.person.head * scale * self.view.turn[1]
        crown, neck = self.at['crown'], self.at['neck']
        top = crown * 0.6 + self.at['chin'] * 0.4 - (0.5 * behind, 0)
        if hair == 'ponytail':
            top, low = top - (0.6 * behind, 0), neck - (1.3 * behind, -0.8 * half)
            canvas.fill(trapezoid(top, low, 0.3 * half, 0.42 * half), Surface.HAIR, 180)
        else:
            low = neck - (0.5 * behind, -(1.6 if hair == 'long' else 0.0) * half)
            canvas.fill(trapezoid(top, low, 1.05 * half, 1.3 * half), Surface.HAIR, 185)

    def backpack(self, canvas):
        person, view = self.person, self.view
        size, height = person.bag_size, person.height
        point = np.array([[0, 0.66 * height, -person.shoulder * 0.6 - 0.07 * size]])
        (centre,), (scale,), _ = view.project(point)
        half = size * 0.17 * np.hypot(view.turn[0], 0.55 * view.turn[1]) * scale
        tall = size * 0.235 * scale
        canvas.fill(box(centre, half, tall), Surface.BAG, 195)
        if view.turn[0] < -0.3:
            canvas.fill(box(centre + (0, 0.4 * tall), 0.7 * half, 0.35 * tall), Surface.BAG_TRIM, 190)

    def bag(self, canvas):
        person, view = self.person, self.view
        side, size = ('left' if person.bag_side > 0 else 'right'), person.bag_size
        if person.bag == 'shoulder_bag':
            point = self.joints[f'{side}_hip'] + (0.75 * person.hip * person.bag_side, -0.04, -0.03)
            half, tall, trim = 0.14, 0.12, 0.3
        elif person.bag == 'handbag':
            point = self.joints[f'{side}_hand'] + (0, -0.2 * size - 0.03, 0)
            half, tall, trim = 0.15, 0.13, 0.25
        else:
            hand = self.joints[f'{side}_hand']
            point = np.array([hand[0] + 0.08 * person.bag_side, 0.3 * size, hand[2] - 0.2])
            half, tall, trim = 0.19, 0.28, 0.2
        (centre,), (scale,), _ = view.project(np.asarray(point)[None])
        # Bags are carried edge on: broad from the side, slim from the front.
        half = size * half * np.hypot(0.6 * view.turn[0], view.turn[1]) * scale
        tall = size * tall * scale
        if person.bag != 'shoulder_bag':
            canvas.stroke(self.at[f'{side}_hand'], centre - (0, tall), 0.03 * scale, Surface.BAG)
        canvas.fill(box(centre, half, tall), Surface.BAG, 200)
        canvas.fill(box(centre - (0, 0.55 * tall), half, trim * tall), Surface.BAG_TRIM, 190)
