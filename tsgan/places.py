"""Where configs and tools lie: in a checkout, or inside the installed package."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
# a wheel has copies of configs/, tools/ and model-index.yml
ROOT = CHECKOUT if (CHECKOUT / 'model-index.yml').is_file() else PACKAGE / '.mim'
