from tsgan.datasets.transforms.channel_exchange import ChannelExchange
from tsgan.datasets.transforms.linear_enhancement import ModerateRLE, RadicalRLE
from tsgan.datasets.transforms.load_image import LoadReIDImage
from tsgan.datasets.transforms.views import ModalityViews, collate_views

__all__ = ['ChannelExchange', 'LoadReIDImage', 'ModalityViews', 'ModerateRLE', 'RadicalRLE', 'collate_views']
