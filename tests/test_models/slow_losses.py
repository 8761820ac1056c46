"""Losses written from their formulas, one vector and one distance at a time."""

import torch


def distance(a, b):
    """Euclidean, with gradient 0 where the two are the same."""
    square = (a - b).square().sum()
    return square.sqrt() if square > 0 else square


def mean(values):
    return sum(values) / len(values)


def weighted_mean(distances, factor):
    """Mean of distances weighted by exp(factor * distance), in double."""
    weights = [(factor * d).exp() for d in distances]
    return sum(w * d for w, d in zip(weights, distances, strict=True)) / sum(weights)


def weighted_distances(vectors, labels, alpha=1.0):
    """P and Q of each anchor; its positives include itself."""
    found = []
    for v, label in zip(vectors, labels, strict=True):
        positives = [distance(v, w) for w, other in zip(vectors, labels, strict=True) if other == label]
        negatives = [distance(v, w) for w, other in zip(vectors, labels, strict=True) if other != label]
        found.append((weighted_mean(positives, alpha), weighted_mean(negatives, -alpha)))
    return found


def weighted_triplet(vectors, labels, is_rgb=None):
    return mean([(1 + (p - q).exp()).log() for p, q in weighted_distances(vectors, labels)])


def squared_weighted_triplet(vectors, labels, is_rgb=None, alpha=1.0, gamma=1.0, cap=88.0):
    terms = []
    for p, q in weighted_distances(vectors, labels, alpha):
        s = gamma * (p - q) ** 2
        s = s if s <= cap else torch.full_like(s, cap)
        terms.append((1 + s.exp()).log() if p > q else (1 + (-s).exp()).log())
    return mean(terms)


def rows(labels, is_rgb, label, rgb):
    return [i for i in range(len(labels)) if labels[i] == label and bool(is_rgb[i]) == rgb]


def hetero_centre_triplet(vectors, labels, is_rgb, margin=0.3):
    centres = {}
    for label in set(labels):
        for rgb in (True, False):
            images = rows(labels, is_rgb, label, rgb)
            if images:
                centres[label, rgb] = mean([vectors[i] for i in images])
    terms = []
    for (label, rgb), centre in centres.items():
        others = [distance(centre, c) for (other, _), c in centres.items() if other != label]
        if others and (label, not rgb) in centres:
            term = margin + distance(centre, centres[label, not rgb]) - min(others)
            terms.append(term if term > 0 else 0 * term)
        else:
            terms.append(0 * centre.sum())
    return mean(terms)


def modality_shared_enhancement(vectors, labels, is_rgb):
    total = 0 * vectors.sum()
    for rgb in (True, False):
        terms = []
        for i in range(len(labels)):
            own = [j for j in rows(labels, is_rgb, labels[i], rgb) if j != i]
            other = rows(labels, is_rgb, labels[i], not rgb)
            if bool(is_rgb[i]) == rgb and own and other:
                within = mean([distance(vectors[i], vectors[j]) for j in own])
                across = mean([distance(vectors[i], vectors[j]) for j in other])
                terms.append((within - across) ** 2)
        total = total + (mean(terms) / 2 if terms else 0)
    return total


def discriminative_centre(vectors, labels, is_rgb=None):
    to_own, to_others = [], []
    for label in sorted(set(labels)):
        centre = mean([vectors[i] for i in range(len(labels)) if labels[i] == label])
        to_own += [distance(centre, vectors[i]) for i in range(len(labels)) if labels[i] == label]
        others = [distance(centre, vectors[i]) for i in range(len(labels)) if labels[i] != label]
        average = mean(others)
        to_others.append(mean([d for d in others if d < average] or [min(others)]))
    return mean(to_own) / mean(to_others)


def weak_strong(weak, strong):
    terms = []
    for v, w in zip(weak, strong.detach(), strict=True):
        p, q = v.exp() / v.exp().sum(), w.exp() / w.exp().sum()
        terms.append(-(q * p.log()).sum())
    return mean(terms)
