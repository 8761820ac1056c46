"""Configs with small networks and trainings of two steps."""

PEOPLE = dict(num_classes=6, gan_pairs=4)
SMALL = dict(PEOPLE, num_blocks=1, map_channels=128, reid_size=(64, 32))
UNTRAINED = ('hog', 'lomo_xqda')  # look at an image once
CLUSTERS = ('adca', 'pgm')


def dicts(node):
    """All dicts below a part of a config, and itself."""
    found = [node] if isinstance(node, dict) else []
    for value in node.values() if found else node if isinstance(node, (list, tuple)) else ():
        found += dicts(value)
    return found


def set_people(model):
    """Make all networks those of six people, in place."""
    for node in dicts(model):
        node.update({key: value for key, value in PEOPLE.items() if node.get(key) is not None})


def shrink(model, **others):
    """Make all networks small, in place; ``others`` holds more that is to be set."""
    for node in dicts(model):
        node.update({key: value for key, value in {**SMALL, **others}.items() if node.get(key) is not None})
        if node.get('depth', 6) != 6:
            node.update(depth=18, base_channels=16, stem_channels=16, init_cfg=None)
        if node.get('in_channels', 512) != 512:  # which Wu et al.'s own network has
            parts = 7 if node['in_channels'] % 7 == 0 else 1  # MPANet's six and the average
            node['in_channels'] = 128 * parts  # of that ResNet-18
        if node.get('non_local'):
            node['non_local'] = dict(layer2=1, layer3=1)  # of two blocks each
        if node.get('type') in ('ResnetGenerator', 'PatchDiscriminator', 'JointDiscriminator'):
            node['base_channels'] = 16


def shrink_model(cfg, name, **others):
    """:func:`shrink` the model of a config; ``name`` is its path in configs/, without the suffix."""
    channels = cfg.model.reid.head.in_channels if name.endswith('vit') else None
    shrink(cfg.model, **others)
    if channels:
        backbone = cfg.model.reid.encoder.backbone
        backbone.init_cfg = None
        if backbone.arch == 'base':
            backbone.arch, channels = 'deit-tiny', 192  # of as many blocks
        cfg.model.reid.head.in_channels = channels


def small_images(loader):
    """Make a loader's pipelines end in images of 96 x 48, in place."""
    for node in dicts(loader):
        node.update({key: size for key, size in (('scale', (48, 96)), ('crop_size', (96, 48))) if key in node})


def shorten(cfg, name, epochs=1):
    """Make a config's epochs two steps long, in place; ``name`` as above."""
    row = name.split('/')[-1]
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=16 if 'modern' in name else 8)
    if row in CLUSTERS:
        cfg.train_dataloader.batch_sampler.update(num_batches=2, num_instances=2)
        cfg.custom_hooks[0].update(k1=8, k2=2, min_samples=2)
    elif row not in UNTRAINED:
        cfg.train_dataloader.batch_sampler.update(num_batches=2, num_pairs=2)
    cfg.train_cfg.max_epochs = epochs
