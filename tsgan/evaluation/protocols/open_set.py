from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..features import FeatureTable
from .base import Setting, Trial


class OpenSetProtocol:
    """Open-set search over any closed protocol: some of the people who are searched for are left out of the gallery.

    The settings are the closed protocol's, by the same names, with its queries, draws and exclusions. All images of
    `unknown` people leave the galleries; as queries they stay. Who is unknown is drawn anew in each repeat, by
    `np.random.default_rng([seed, repeat])`, among the people of the queries whom the galleries of the setting hold, and
    is the same in all its trials: a trial says which images of a person are in the gallery, a repeat which people are.
    So a setting has trials x repeats trials, the repeats of the first one first.

    A query is unenrolled where the gallery has no image of its person: the unknown ones, and those whom the closed
    protocol never has there (in SYSU-MM01's indoor search, the people whom no indoor camera saw).

    Args:
        closed: The closed protocol, such as `SYSUMM01Protocol()`.
        unknown (float): Share of the people that is left out, above 0 and below 1; their number is rounded. Defaults to
            0.5.
        repeats (int): Draws of them. Defaults to 10.
        seed (int): Of these draws. Defaults to 0.
        unknown_ids (Sequence[int], optional): Who is left out, by identity: then nothing is drawn, and `repeats` is 1.

    Raises:
        ValueError: A share that leaves nobody out, or everybody; no repeat; nobody named.
    """

    def __init__(
        self,
        closed,
        unknown: float = 0.5,
        repeats: int = 10,
        seed: int = 0,
        unknown_ids: Sequence[int] | None = None,
    ):
        self.closed = closed
        if unknown_ids is not None:
            if not len(unknown_ids):
                raise ValueError('unknown_ids names nobody: expected the identities that are left out of the gallery.')
            self.unknown, self.repeats, self.seed = None, 1, None
            self.unknown_ids = sorted({int(pid) for pid in unknown_ids})
            return
        if not 0 < unknown < 1:
            raise ValueError(
                f'unknown is the share of people left out of the gallery, above 0, below 1, not {unknown}.'
            )
        if repeats < 1 or seed < 0:
            raise ValueError(f'Repeats start at 1 and seeds at 0, got repeats={repeats}, seed={seed}.')
        self.unknown, self.repeats, self.seed, self.unknown_ids = unknown, repeats, seed, None

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'open set',
            'closed': self.closed.describe(),
            'unknown': self.unknown,
            'repeats': self.repeats,
            'seed': self.seed,
            'unknown_ids': self.unknown_ids,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by name.

        Raises:
            ValueError: As the closed protocol does; an identity that is named and not searched for; a draw that would
                leave nobody out, or nobody who is searched for in the gallery.
        """
        settings = {}
        for name, setting in self.closed.settings(table).items():
            unknown = self.unknown_people(table, name, setting)
            trials = [
                Trial(query, gallery[~np.isin(table.pids[gallery], people)])
                for query, gallery in setting.trials
                for people in unknown
            ]
            settings[name] = replace(setting, trials=trials)
        return settings

    def unknown_people(self, table: FeatureTable, name: str, setting: Setting) -> list[np.ndarray]:
        """Who is left out of the galleries of a closed setting, repeat by repeat, (U,) identities each."""
        searched, held = (
            np.unique(table.pids[np.concatenate([getattr(trial, side) for trial in setting.trials])])
            for side in ('query', 'gallery')
        )
        people = np.intersect1d(searched, held)
        if self.unknown_ids is not None:
            others = np.setdiff1d(self.unknown_ids, searched)
            if len(others):
                raise ValueError(
                    f'unknown_ids: nobody searches for identity {", ".join(map(str, others[:5].tolist()))}'
                    f"{', ...' if len(others) > 5 else ''} in setting '{name}'; expected identities of its queries."
                )
            draws = [np.array(self.unknown_ids)]
        else:
            number = int(self.unknown * len(people) + 0.5)
            if not number:
                raise ValueError(
                    f"Setting '{name}' has {len(people)} people who are searched for and in the gallery: "
                    f'unknown={self.unknown:g} of them is nobody.'
                )
            draws = [
                np.sort(np.random.default_rng([self.seed, repeat]).permutation(people)[:number])
                for repeat in range(self.repeats)
            ]
        if not len(np.setdiff1d(people, draws[0])):
            raise ValueError(
                f"Setting '{name}' has {len(people)} people who are searched for and in the gallery, and all of them "
                'are left out of it: at least one must stay.'
            )
        return draws
