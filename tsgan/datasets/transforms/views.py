import copy
from collections.abc import Callable, Sequence

from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose, default_collate

from tsgan.registry import FUNCTIONS, TRANSFORMS


@TRANSFORMS.register_module()
class ModalityViews(BaseTransform):
    """Make one or several views of an image, each augmented in its own way, as its modality has it.

    The last transform of a training pipeline, after those that all views share:

    .. code-block:: python

        train_pipeline = [
            dict(type='LoadReIDImage'),
            dict(type='Resize', scale=(144, 288)),
            dict(
                type='ModalityViews',
                rgb=[[*crop_and_mirror, pack], [*crop_and_mirror, dict(type='ChannelExchange'), pack]],  # V and V'
                ir=[[*crop_and_mirror, pack]],
            ),
        ]
        train_dataloader = dict(collate_fn=dict(type='tsgan.collate_views'), ...)

    Every view starts with a copy of the image, and draws its own crop.

    Args:
        rgb (Sequence[Sequence[dict | Callable]]): The transforms of each view of an RGB image; the last one of each is
            mmpretrain's PackInputs. Defaults to (), of a data set without RGB images.
        ir (Sequence[Sequence[dict | Callable]]): The same, of an IR image. Defaults to ().

    Raises:
        ValueError: If a view is no list of transforms, or does not end in PackInputs.
    """

    def __init__(
        self, rgb: Sequence[Sequence[dict | Callable]] = (), ir: Sequence[Sequence[dict | Callable]] = ()
    ) -> None:
        self.views = {
            modality: [self._view(modality, number, transforms) for number, transforms in enumerate(views)]
            for modality, views in {'rgb': rgb, 'ir': ir}.items()
        }

    @staticmethod
    def _view(modality: str, number: int, transforms: Sequence[dict | Callable]) -> Compose:
        where = f'ModalityViews.{modality}.{number}'
        if not isinstance(transforms, Sequence):
            raise ValueError(f'{where} is {transforms!r}: expected the transforms of a view, a list for each view')
        view = Compose(transforms)
        last = view.transforms[-1] if view.transforms else None
        if not isinstance(last, TRANSFORMS.get('mmpretrain.PackInputs')):
            name = type(last).__name__ if last else 'nothing'
            raise ValueError(f'{where} ends in {name}: expected mmpretrain.PackInputs last in each view')
        return view

    def transform(self, results: dict) -> list[dict] | None:
        """Make the views.

        Args:
            results (dict): With ``img`` and ``modality``.

        Returns:
            list[dict] | None: What PackInputs makes of each view, with ``modality`` and ``view``, 0-based, in its data
            sample; None where a view drops the image.

        Raises:
            ValueError: If there is no view of the image's modality.
        """
        modality = results['modality']
        if not self.views[modality]:
            raise ValueError(f'{results["img_path"]} is of modality {modality!r}, of which ModalityViews has no view')
        made = [view(copy.deepcopy(results)) for view in self.views[modality]]  # some transforms draw into the image
        if any(view is None for view in made):
            return None
        for number, view in enumerate(made):
            for name, value in (('modality', modality), ('view', number)):
                view['data_samples'].set_field(value, name, field_type='metainfo')
        return made


@FUNCTIONS.register_module()
def collate_views(rows: Sequence[list[dict]]) -> dict:
    """Make a batch of rows that :class:`ModalityViews` has made: ``collate_fn=dict(type='tsgan.collate_views')``.

    First all RGB images, then all IR images; of each modality, first the first view of all rows, then the second, each
    in the rows' order. Of B pairs with two views of RGB, that is [V (B), V' (B), IR (B)]: the images ``i`` and
    ``i + B`` are two views of one image, and ``i + 2 B`` is an IR image of the same person.

    Args:
        rows (Sequence[list[dict]]): The views of each row.

    Returns:
        dict: ``inputs`` (N, 3, H, W) and ``data_samples`` of all views.

    Raises:
        ValueError: If the rows are no lists of views.
    """
    if not all(isinstance(row, list) for row in rows):
        raise ValueError(
            'tsgan.collate_views got images without views: expected a pipeline that ends in ModalityViews, or '
            "collate_fn=dict(type='default_collate')"
        )
    samples = [view for row in rows for view in row]
    samples.sort(key=lambda view: (view['data_samples'].modality != 'rgb', view['data_samples'].view))  # stable
    return default_collate(samples)
