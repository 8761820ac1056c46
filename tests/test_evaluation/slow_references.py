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


def half_rerank(feats, num_queries, probes_only, k1=20, k2=6, lambda_value=0.3):
    """The same steps in float16, neighbours sought among the first `num_queries` alone or among all."""
    count = len(feats)
    candidates = num_queries if probes_only else count
    dist = np.square(feats[:, None].astype(float) - feats).sum(-1)
    rank = np.argsort(dist[:, :candidates], axis=1, kind='stable')
    dist = (dist / dist.max(1, keepdims=True)).astype(np.float32)

    def reciprocal(i, k):
        return {j for j in rank[i, : k + 1] if i in rank[j, : k + 1]}

    vectors = np.zeros((count, count), np.float16)
    for i in range(count):
        near = reciprocal(i, k1)
        grown = set(near)
        for q in near:
            half = reciprocal(q, int(np.around(k1 / 2)))
            if len(half & near) > 2 / 3 * len(half):
                grown |= half
        weight = np.exp(-dist[i, sorted(grown)])
        vectors[i, sorted(grown)] = weight / weight.sum()
    expanded = np.stack([vectors[rank[i, :k2]].mean(0) for i in range(count)])  # float16
    final = np.empty((num_queries, count - num_queries))
    for i in range(num_queries):
        for j in range(num_queries, count):
            shared = np.float16(0)
            for neighbour in range(count):
                shared = np.float16(shared + min(expanded[i, neighbour], expanded[j, neighbour]))
            jaccard = np.float16(1 - np.float16(shared / np.float16(2 - shared)))
            final[i, j - num_queries] = np.float16(jaccard * np.float16(1 - lambda_value)) + dist[i, j] * lambda_value
    return final


def dense_affinity(query, gallery, k1, k2):
    """Mean gallery affinity of unit features, image by image."""

    query, gallery = query.astype(float), gallery.astype(float)

    def to_gallery(image):
        return np.round(gallery @ image, 10)  # equal images at equal cosines

    def profile(image):
        cosines = to_gallery(image)
        return np.where(cosines >= np.sort(cosines)[-k1], cosines, 0)

    profiles = [profile(image) for image in gallery]
    means = []
    for image in gallery:
        nearest = np.argsort(-to_gallery(image), kind='stable')[:k2]
        means.append(np.mean([profiles[near] for near in nearest], axis=0))
    dist = np.empty((len(query), len(gallery)))
    for q, image in enumerate(query):
        own = profile(image)
        for g, mean in enumerate(means):
            alike = own @ mean / max(np.linalg.norm(own) * np.linalg.norm(mean), 1e-12)
            dist[q, g] = -alike - image @ gallery[g]
    return dist
