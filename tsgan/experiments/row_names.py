"""What the name of a row says: its config, how long it was trained where that is not the config's own, and whether it
is re-ranked: ``backbone``, ``backbone_40e``, ``modern/agw_40e_rerank``."""

import re

RERANKED = '_rerank'  # such a row is the network of the row without it, re-ranked
LENGTH = re.compile(rf'_(\d+)e(?=(?:{RERANKED})?$)')


def network(row: str) -> str:
    """The row that is trained."""
    return row.removesuffix(RERANKED)


def own_length(row: str) -> str:
    """The row as long as its config has it."""
    return LENGTH.sub('', row)


def epochs_of(row: str) -> int | None:
    """The length that the name says."""
    found = LENGTH.search(row)
    return int(found[1]) if found else None


def of_length(row: str, epochs: int) -> str:
    """The name of the row when it is trained so long."""
    suffix = row[len(network(row)) :]
    return f'{network(own_length(row))}_{epochs}e{suffix}'
