"""A calibration as a text to be read."""

from collections.abc import Sequence

from .calibration import Calibration
from .conformal import coverage_range
from .group import Group

MUCH = 0.5  # of the spread of scores


def calibration_table(calibration: Calibration) -> str:
    """Markdown: for each two modalities identities, candidate sets, thresholds; then each two cameras."""
    c = calibration
    parts = [
        f'{c.model or "a model without a name"} ({c.fingerprint[:12] or "no fingerprint"}), {c.method}'
        f'{f", on {c.data}" if c.data else ""}: '
        f'{c.num_ids:,} identities, {c.num_images:,} images, {c.num_cameras} cameras'
    ]
    for group in c.groups:
        if group.query_camera < 0:
            cameras = [
                other
                for other in c.groups
                if other.query_camera >= 0
                and (other.query_modality, other.gallery_modality) == (group.query_modality, group.gallery_modality)
            ]
            parts += [*_group_text(group), *([_camera_table(cameras)] if cameras else [])]
    return '\n\n'.join(parts)


def _group_text(group: Group) -> list[str]:
    same, different = group.num_pairs
    of_queries, of_gallery = group.drift.query_covariance[0, 0], group.drift.gallery_covariance[0, 0]
    parts = [
        f'## {group.name}\n\n{group.num_ids:,} identities, {same:,} pairs of one person, {different:,} of two; of the '
        f'spread of the latter {100 * of_queries:.0f} % is of the query, {100 * of_gallery:.0f} % of the person in the '
        'gallery'
    ]
    if of_gallery > MUCH:
        parts.append(
            'A few people attract most searches: thresholds for more than one person in the gallery may be too low '
            'where others stand in it.'
        )
    rows = [
        [
            f'{100 * level:.4g} %',
            f'{score:.3f}',
            ' to '.join(f'{100 * x:.1f}' for x in coverage_range(level, group.num_ids)),
        ]
        for level, score in sorted(group.candidate_scores.items())
    ]
    if rows:
        head = ['candidate set', 'score', 'holds the person in, % (19 of 20 calibrations)']
        parts.append(_markdown(head, rows))
    else:
        parts.append(f'no candidate set: those that were asked for need more than {group.num_ids:,} identities')
    rates = sorted({known.false_alarm_rate for known in group.thresholds})
    if not rates:
        parts.append(f'no threshold: those that were asked for need more than {group.drift.num_ids:,} identities')
        return parts
    rows = []
    for size in sorted({known.gallery_size for known in group.thresholds}):
        found = [group.threshold(rate, size) for rate in rates]
        rows.append([
            f'{size:,}',
            *(
                f'{t.score:.3f} ({t.low:.3f} to {t.high:.3f}); {100 * t.rate_low:.2g} to {100 * t.rate_high:.2g} %'
                for t in found
            ),
        ])  # fmt: skip
    head = ['people in the gallery', *(f'{100 * rate:.3g} % false alarms' for rate in rates)]
    parts.append(_markdown(head, rows))
    parts.append('threshold (95 % interval); 95 % interval of the rate that the threshold gives')
    return parts


def _camera_table(groups: Sequence[Group]) -> str:
    levels = sorted(set.intersection(*(set(group.candidate_scores) for group in groups)))
    rates = sorted(set.intersection(*({t.false_alarm_rate for t in group.thresholds} for group in groups)))
    size = min((t.gallery_size for group in groups for t in group.thresholds), default=1)
    rows = [
        [
            group.name,
            f'{group.num_ids:,}',
            *(f'{group.candidates(level):.3f}' for level in levels),
            *(f'{group.threshold(rate, size).score:.3f}' for rate in rates),
        ]
        for group in groups
    ]
    head = ['cameras', 'identities', *(f'{100 * level:.4g} % set' for level in levels)]
    people = f'{size:,} people' if size > 1 else '1 person'
    return _markdown([*head, *(f'{100 * rate:.3g} % false alarms among {people}' for rate in rates)], rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in [head, ['---'] * len(head), *rows])
