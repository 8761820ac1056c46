"""How a person stands to a camera: the projection, and the joints of one moment of a walk."""

import numpy as np


class View:
    """Where a camera sees a person: projects body points to pixels.

    Body axes: x to the person's left, y up from the ground, z ahead; metres.

    Args:
        heading (float): 0 faces the camera, pi turns the back to it (radians).
        elevation (float): How far the camera looks down (radians).
        distance (float): Camera to body in metres: near cameras enlarge what is near to them.
        scale (float): Pixels a metre at the body's middle.
        centre (tuple): Pixel of the body's middle, (x, y).
        middle (float): Height of the body's middle above ground in metres.
    """

    def __init__(self, heading, elevation, distance, scale, centre, middle):
        self.heading, self.elevation, self.distance = heading, elevation, distance
        self.scale, self.centre, self.middle = scale, centre, middle
        self.turn = np.cos(heading), np.sin(heading)
        self.tilt = np.cos(elevation), np.sin(elevation)

    def project(self, points):
        """Body points (N, 3) to pixels (N, 2), pixels a metre (N,) and nearness in metres (N,)."""
        x, y, z = points[:, 0], points[:, 1] - self.middle, points[:, 2]
        right = x * self.turn[0] + z * self.turn[1]
        ahead = z * self.turn[0] - x * self.turn[1]
        up = y * self.tilt[0] - ahead * self.tilt[1]
        near = ahead * self.tilt[0] + y * self.tilt[1]
        scale = self.scale / (1 - near / self.distance)
        return np.stack([self.centre[0] + right * scale, self.centre[1] - up * scale], 1), scale, ahead

    def half_width(self, half, depth):
        """Seen half width of an elliptic cross-section of half width ``half`` and half depth ``half * depth``."""
        return half * np.hypot(self.turn[0], depth * self.turn[1])


def swing(origin, lengths, angles, out=0.0):
    """Joints of a limb of two segments that swings ahead by ``angles`` (radians; 0 hangs down) and spreads ``out``."""
    joints = [np.asarray(origin, float)]
    for length, angle in zip(lengths, angles, strict=True):
        joints.append(joints[-1] + length * np.array([out, -np.cos(angle), np.sin(angle)]))
    return joints


def pose(person, rng):
    """Joints of one moment of a walk.

    Returns:
        dict[str, np.ndarray]: Body points in metres, (3,) each.
    """
    phase = rng.uniform(0, 2 * np.pi)
    stride = rng.uniform(0.02, 0.1) if rng.random() < 0.2 else rng.uniform(0.2, 0.55)
    bend, raised = rng.uniform(0.05, 0.5), rng.random() < 0.12
    height, hip = person.height, person.height * person.leg_length
    lean = rng.normal(0, 0.025)
    joints = {
        'crown': (0, height, 1.6 * lean),
        'chin': (0, 0.872 * height, 1.4 * lean),
        'neck': (0, 0.835 * height, lean),
        'pelvis': (0, hip, 0),
        'crotch': (0, hip - 0.05 * height, 0),
    }
    for side, name in ((1, 'left'), (-1, 'right')):
        swung = side * np.sin(phase) * stride
        flex = 1.5 * stride * max(0.0, side * np.cos(phase))
        legs = swing((side * person.hip * 0.5, hip, 0), (0.52 * hip, 0.42 * hip), (swung + 0.3 * flex, swung - flex))
        arm = -0.8 * swung
        carries = person.bag in ('handbag', 'suitcase') and side == person.bag_side
        if carries:
            angles = (arm * 0.3, arm * 0.3)
        elif raised and side == 1:
            angles = (0.5, 2.2)  # at the telephone
        else:
            angles = (arm, arm + bend)
        shoulder = (side * person.shoulder * 0.92, 0.8 * height, lean)
        out = side * (0.2 if carries and person.bag == 'suitcase' else 0.1)
        arms = swing(shoulder, (0.175 * height, 0.2 * height), angles, out)
        for part, joint in zip(('hip', 'knee', 'ankle'), legs, strict=True):
            joints[f'{name}_{part}'] = joint
        joints[f'{name}_toe'] = legs[2] + (0, -0.045 * hip, 0.15)
        for part, joint in zip(('shoulder', 'elbow', 'hand'), arms, strict=True):
            joints[f'{name}_{part}'] = joint
    return {name: np.asarray(joint, float) for name, joint in joints.items()}
