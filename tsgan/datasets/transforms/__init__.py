from tsgan.datasets.transforms.load_image import LoadReIDImage

__all__ = ['LoadReIDImage']
