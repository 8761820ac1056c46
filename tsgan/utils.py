"""What ``mmengine.hub.get_model`` asks a package for."""


def register_all_modules() -> None:
    """Make all classes known to MMEngine's registries."""
    import tsgan.registry  # noqa: F401  its registries know where the classes are
