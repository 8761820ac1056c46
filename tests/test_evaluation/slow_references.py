"""Evaluation as its definitions read, with loops and dense arrays."""

import numpy as np


def slow_scores(dist, query_pids, gallery_pids, exclude, dedupe):
    """One query after the other, as the protocol's text says it: (valid, first match, AP, INP) of each."""
    scores = []
    for q in range(len(dist)):
        seen = [g for g in range(len(gallery_pids)) if exclude is None or not exclude[q, g]]
        ranked = sorted(seen, key=lambda g: (dist[q, g], g))
        pids = [gallery_pids[g] for g in ranked]
        places = [place for place, pid in enumerate(pids, start=1) if pid == query_pids[q]]
        if not places:
            scores.append((False, 0, 0, 0))
            continue
        walked = list(dict.fromkeys(pids)) if dedupe else pids
        precision = [nth / place for nth, place in enumerate(places, start=1)]
        scores.append((True, walked.index(query_pids[q]), sum(precision) / len(places), len(places) / places[-1]))
    return zip(*scores, strict=True)


def dense_rerank(feats, num_queries, k1=20, k2=6, lambda_value=0.3):
    """The seven steps, one by one, with dense arrays and loops."""
    count = len(feats)
    dist = np.square(feats[:, None].astype(float) - feats).sum(-1)  # 1.
    rank = np.argsort(dist, axis=1, kind='stable')
    dist = (dist / np.maximum(dist.max(1, keepdims=True), 1e-300)).astype(np.float32)

    def reciprocal(i, k):
        return {j for j in rank[i, : k + 1] if i in rank[j, : k + 1]}

    vectors = np.zeros((count, count), np.float32)
    for i in range(count):
        near = reciprocal(i, k1)  # 2.
        grown = set(near)
        for q in near:  # 3.
            half = reciprocal(q, int(np.around(k1 / 2)))
            if len(half & near) > 2 / 3 * len(half):
                grown |= half
        grown = sorted(grown)
        vectors[i, grown] = np.exp(-dist[i, grown])  # 4.
        vectors[i] /= max(vectors[i].sum(), 1e-12)
    vectors = np.stack([vectors[rank[i, :k2]].mean(0) for i in range(count)])  # 5.
    shared = np.stack([np.minimum(vectors[i], vectors).sum(1) for i in range(num_queries)])  # 6.
    jaccard = 1 - shared / (2 - shared)
    final = (1 - lambda_value) * jaccard + lambda_value * dist[:num_queries]  # 7.
    return final[:, num_queries:]
