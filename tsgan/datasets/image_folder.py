import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tsgan.datasets.files import identity_folders, is_empty, list_images, missing, read_text, same_person
from tsgan.datasets.reid_dataset import MODALITIES, ReIDDataset, camera_records
from tsgan.registry import DATASETS


@DATASETS.register_module()
class ImageFolderReID(ReIDDataset):
    """Your own images: one folder a modality, one folder an identity.

    .. code-block:: none

        data_root/
        |-- rgb/alice/*.jpg       any name for an identity, the same in both modalities
        |-- ir/alice/*.png        any names for the files
        `-- split.json            optional: {"train": ["alice", "bob"], "test": ["carol"]}

    ``pid`` is the place of the identity's name among all names, sorted: ``dataset.metainfo['identity_names'][pid]`` is
    the name. ``camid`` is 1 for RGB and 2 for IR. ``frame`` counts the files of a folder in sorted order.

    A name is written alike everywhere: two that differ only in case, blanks, leading zeros or Unicode form are refused.
    So are images that would not be read, such as those in a folder below an identity's. What systems and editors leave
    beside images is passed over, and a name all of whose folders are empty.

    Args:
        data_root (str): The folder above.
        split (str): 'train' or 'test', or any other key of the split file. Defaults to 'train'.
        split_file (str, optional): JSON that lists the identities of each split, no identity in two; relative to
            ``data_root`` unless absolute. Defaults to None: a seeded split by identity. Write a split file once
            identities may still be added, since the seeded split depends on the names that are there.
        train_ratio (float): Share of the identities that the seeded split trains on, rounded. Defaults to 0.5.
        seed (int): Seed of the seeded split. Defaults to 0.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to ().
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. Defaults to False.
        value_range (dict[str, tuple[float, float]], optional): See :class:`ReIDDataset`. Defaults to None.

    Raises:
        FileNotFoundError: If a folder or the split file is missing, an identity folder is empty, or a listed identity
            has none.
        ValueError: If the split file is malformed, a split is unknown or empty, two names are one person's, images lie
            in no identity's folder or in one below it, or a training identity lacks one modality.
    """

    CAMIDS = {'rgb': 1, 'ir': 2}
    TRAINING = {'split': 'train'}

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        split_file: str | None = None,
        train_ratio: float = 0.5,
        seed: int = 0,
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
        value_range: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        self.split = split
        self.split_file = split_file
        self.train_ratio = train_ratio
        self.seed = seed
        super().__init__(
            data_root=data_root,
            pipeline=pipeline,
            modality=modality,
            test_mode=test_mode,
            value_range=value_range,
        )

    def load_records(self) -> list[dict]:
        root = Path(self.data_root)
        for modality in MODALITIES:
            if not (root / modality).is_dir():
                raise missing(root / modality, f'{modality}/<identity>/<image> there')
        folders = {modality: identity_folders(root / modality) for modality in MODALITIES}
        names = self._identities(folders)
        self._metainfo['identity_names'] = names

        splits = self._seeded_splits(names) if self.split_file is None else self._read_splits(root / self.split_file)
        if self.split not in splits:
            raise ValueError(f'{root} has no split {self.split!r}: expected one of {sorted(splits)}')
        pids = {name: pid for pid, name in enumerate(names)}
        records = []
        for name in sorted(splits[self.split]):
            if name not in pids:
                near = next((other for other in names if same_person(other) == same_person(name)), None)
                raise FileNotFoundError(
                    f'{root} has neither rgb/{name} nor ir/{name}{f" (there is {near!r})" if near else ""}: expected a '
                    f'folder of each identity of split {self.split!r} of {self.split_file}, named {name!r}'
                )
            for modality in self.wanted_modalities:
                if name in folders[modality]:
                    frames = enumerate(list_images(folders[modality][name]), start=1)
                    records += camera_records(frames, pids[name], self.CAMIDS[modality], modality)
        return records

    @staticmethod
    def _identities(folders: dict[str, dict[str, Path]]) -> list[str]:
        """The sorted names of all identities, each of which stands for one person."""
        paths = {}  # name -> its folders
        for modality in MODALITIES:
            for name, path in folders[modality].items():
                paths.setdefault(name, []).append(path)
        names = sorted(name for name in paths if not all(is_empty(path) for path in paths[name]))
        people = {}
        for name in names:
            other = people.setdefault(same_person(name), name)
            if other != name:
                raise ValueError(
                    f'{str(paths[other][0])!r} and {str(paths[name][0])!r} differ only in case, blanks, leading zeros '
                    'or Unicode form: expected one name for one person, written alike in rgb and ir'
                )
        return names

    def identity_name(self, record: dict) -> str:
        return self._metainfo['identity_names'][record['pid']]  # pids shift when somebody is added

    def _seeded_splits(self, names: list[str]) -> dict[str, list[str]]:
        num_train = round(self.train_ratio * len(names))
        if not 0 < num_train < len(names):
            raise ValueError(
                f'{self.data_root} has {len(names)} identities, of which train_ratio={self.train_ratio} trains on '
                f'{num_train}: expected at least one to train on and one to test on'
            )
        order = np.random.default_rng(self.seed).permutation(len(names))
        shuffled = [names[i] for i in order]
        return {'train': shuffled[:num_train], 'test': shuffled[num_train:]}

    @staticmethod
    def _read_splits(path: Path) -> dict[str, list[str]]:
        expected = 'JSON such as {"train": ["alice"], "test": ["bob"]}'
        text = read_text(path, expected)
        try:
            splits = json.loads(text, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{path} is no JSON: {error}') from error
        if not isinstance(splits, dict) or not all(_is_list_of_names(names) for names in splits.values()):
            raise ValueError(f'{path} is malformed: expected {expected}')
        listed = {}
        for name in (name for names in splits.values() for name in names):
            if same_person(name) in listed:
                first = listed[same_person(name)]
                also = '' if name == first else f', once as {name!r}'
                raise ValueError(f'{path} lists identity {first!r} twice{also}: expected each once, in one split')
            listed[same_person(name)] = name
        return splits


def _is_list_of_names(names: object) -> bool:
    return isinstance(names, list) and len(names) > 0 and all(isinstance(name, str) for name in names)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict:
    """An object of JSON. Raises ValueError where it has a key twice: the first one would be lost."""
    twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if twice:
        raise ValueError(f'it has {twice[0]!r} twice')
    return dict(pairs)
