"""The engines: each against products and a sort of all rows, before and after changes, in memory and from disk."""

import faiss
import numpy as np
import pytest

from tsgan.search import ENGINES, HNSW, IVFPQ, Flat, exact_of, flat, make_engine, switched
from tsgan.search.indexed import check_sum

DIM = 32


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(count, seed=0, people=40):
    """Vectors around centres, some of them twice."""
    draws = np.random.default_rng(seed)
    centres = draws.standard_normal((people, DIM))
    vectors = centres[draws.integers(0, people, count)] + 0.5 * draws.standard_normal((count, DIM))
    vectors[draws.integers(0, count, count // 10)] = vectors[: count // 10]
    return unit(vectors)


def slow_search(queries, ids, vectors, topk, allowed=None):
    """(score, id) of the best of each query, one query and one row at a time."""
    lists = []
    for query in queries.astype(float):
        rows = [(np.float32(query @ row), number) for number, row in zip(ids, vectors.astype(float), strict=True)]
        rows = [row for row in rows if allowed is None or row[1] in allowed]
        lists.append(sorted(rows, key=lambda row: (-row[0], row[1]))[:topk])
    return lists


def as_lists(found):
    return [list(zip(scores, ids, strict=True)) for scores, ids in zip(*found, strict=True)]


@pytest.fixture(params=['faiss', 'numpy'])
def products(request, monkeypatch):
    """With faiss, and as if it were not installed."""
    if request.param == 'numpy':
        monkeypatch.setattr(flat, 'find_faiss', lambda: None)


@pytest.mark.parametrize('part_rows', [None, 7])
@pytest.mark.parametrize('topk', [1, 10, 1000])
def test_flat_finds_what_a_sort_of_all_rows_finds(topk, part_rows, products):
    vectors, queries = clustered(150), clustered(5, seed=1)
    queries[1] = vectors[3]
    engine, ids = Flat(DIM, part_rows), np.arange(1, 151)
    for start in range(0, 150, 11):
        engine.add(ids[start : start + 11], vectors[start : start + 11])
    assert as_lists(engine.search(queries, topk)) == slow_search(queries, ids, vectors, topk)
    allowed = np.array([2, 3, 4, 70, 71, 149])
    assert as_lists(engine.search(queries, topk, allowed)) == slow_search(queries, ids, vectors, topk, set(allowed))


def test_flat_ranks_rows_that_are_alike_in_their_order(products):
    """Of a product in float32, the places decide which of two equal rows seems nearer."""
    draws = np.random.default_rng(0)
    vectors, engine = np.repeat(unit(draws.standard_normal((3, DIM))), 500, axis=0), Flat(DIM, part_rows=37)
    engine.add(np.arange(1, 1501), vectors)
    scores, ids = engine.search(vectors[[700, 10]], 600)
    assert ids[0, :500].tolist() == list(range(501, 1001)) and ids[1, :500].tolist() == list(range(1, 501))
    assert len(set(scores[0, :500].tolist())) == 1


def test_flat_tells_apart_what_float32_does_not(products):
    """A hundred rows whose scores differ by less than a product in float32 rounds."""
    draws = np.random.default_rng(0)
    query = unit(draws.standard_normal((1, DIM)))
    vectors = unit(query + 1e-7 * draws.standard_normal((300, DIM)) + 0.7 * unit(draws.standard_normal((1, DIM))))
    engine, ids = Flat(DIM), np.arange(1, 301)
    engine.add(ids, vectors)
    assert as_lists(engine.search(query, 3)) == slow_search(query, ids, vectors, 3)


def test_flat_changes_in_place(products, tmp_path):
    vectors, others, queries = clustered(60), clustered(60, seed=2), clustered(4, seed=1)
    engine, ids = Flat(DIM, part_rows=16), np.arange(1, 61)
    engine.add(ids, vectors)
    state = engine.save(tmp_path)
    before = set(tmp_path.iterdir())
    engine.remove(np.array([5, 17, 60, 999]))
    engine.replace(np.array([1, 20]), others[:2])
    vectors[[0, 19]] = others[:2]
    stays = ~np.isin(ids, [5, 17, 60])
    expected = slow_search(queries, ids[stays], vectors[stays], 60)
    assert as_lists(engine.search(queries, 60)) == expected
    assert np.array_equal(engine.vectors(np.array([20, 2])), vectors[[19, 1]])
    again = Flat(DIM, part_rows=16)
    again.load(tmp_path, engine.save(tmp_path))
    assert as_lists(again.search(queries, 60)) == expected and len(again) == 57
    assert len(set(tmp_path.iterdir()) - before) == 6, 'of four parts, three have changed'
    assert len(state['files']) == 8


@pytest.mark.parametrize('ids', [[3, 2, 1], [1, 1, 2], [-1, 1, 2]])
def test_numbers_of_rows_that_do_not_ascend_are_refused(tmp_path, ids):
    engine = Flat(DIM)
    engine.add(np.arange(1, 4), clustered(3))
    state = engine.save(tmp_path)
    np.save(tmp_path / f'{state["parts"][0]}.ids.npy', np.array(ids))
    with pytest.raises(ValueError, match=r'ids\.npy holds ids that do not ascend'):
        Flat(DIM).load(tmp_path, state)


def test_what_is_added_little_by_little_is_in_few_parts():
    engine = Flat(DIM, part_rows=16)
    for number in range(1, 50):
        engine.add(np.array([number]), clustered(50)[:1])
        engine.search(clustered(50)[:1], 1)
    assert [len(part.ids) for part in engine.parts] == [16, 16, 16, 1]


APPROXIMATE = [dict(type='hnsw', exact_below=50), dict(type='ivfpq', exact_below=50, lists=8, code_bytes=8)]


@pytest.fixture(params=[settings['type'] for settings in APPROXIMATE])
def settings(request):
    return next(settings for settings in APPROXIMATE if settings['type'] == request.param)


@pytest.fixture
def filled(settings):
    engine = make_engine(settings, DIM)
    vectors = clustered(1500)
    for start in range(0, 1500, 400):
        engine.add(np.arange(start + 1, min(start + 400, 1500) + 1), vectors[start : start + 400])
    engine.prepare()
    return engine


def recall(engine, queries, topk=10, allowed=None):
    found, true = (each.search(queries, topk, allowed)[1] for each in (engine, exact_of(engine, None)))
    return np.mean([len(set(a) & set(b)) / topk for a, b in zip(found.tolist(), true.tolist(), strict=True)])


@pytest.mark.filterwarnings('ignore')
def test_an_index_finds_nearly_all_with_exact_scores(filled):
    queries = clustered(50, seed=1)
    assert filled.index is not None and recall(filled, queries) > 0.9
    scores, ids = filled.search(queries, 10)
    exact = np.einsum(
        'qkd,qd->qk', filled.vectors(ids.ravel()).reshape(50, 10, DIM).astype(float), queries.astype(float)
    )
    assert np.array_equal(scores, exact.astype(np.float32)) and (np.diff(scores, axis=1) <= 0).all()


def test_an_index_obeys_filters_and_changes(filled):
    queries = clustered(50, seed=1)
    allowed = np.arange(3, 1500, 3)
    assert set(np.unique(filled.search(queries, 10, allowed)[1])) <= set(allowed.tolist())
    assert recall(filled, queries, allowed=allowed) > 0.85
    gone = np.unique(filled.search(queries, 3)[1])
    filled.remove(gone)
    assert not np.isin(filled.search(queries, 10)[1], gone).any() and recall(filled, queries) > 0.85
    there = filled.exact.ids()[:4]
    filled.replace(there, queries[:4])
    assert filled.search(queries[:4], 1)[1].ravel().tolist() == there.tolist()
    filled.add(np.array([2000]), queries[4:5])
    assert filled.search(queries[:5], 1)[1].ravel().tolist() == [*there.tolist(), 2000]


def test_few_rows_are_searched_exactly(filled):
    queries, few = clustered(5, seed=1), np.arange(30, 70)
    exact = filled.exact.search(queries, 10, few)
    assert as_lists(filled.search(queries, 10, few)) == as_lists(exact)


def test_many_rows_are_asked_for_of_the_exact_search(filled, monkeypatch):
    asked, names = [], filled.candidates
    monkeypatch.setattr(filled, 'candidates', lambda *about: asked.append(about[1]) or names(*about))
    queries = clustered(5, seed=1)
    assert as_lists(filled.search(queries, 100)) == as_lists(filled.exact.search(queries, 100)) and asked == []
    filled.search(queries, 1500 // 16)
    assert asked == [1500 // 16]


def test_where_an_index_names_too_few_the_search_is_exact(filled, monkeypatch):
    queries = clustered(5, seed=1)
    names = filled.candidates
    monkeypatch.setattr(filled, 'candidates', lambda *asked: np.where(np.arange(10) < 9, names(*asked)[:, :10], -1))
    assert as_lists(filled.search(queries, 10)) == as_lists(filled.exact.search(queries, 10))


def test_an_index_is_the_same_each_time_and_from_disk(filled, settings, tmp_path, monkeypatch):
    queries = clustered(50, seed=1)
    found = as_lists(filled.search(queries, 10))
    other = make_engine(settings, DIM)
    other.add(filled.exact.ids(), filled.exact.vectors(filled.exact.ids()))
    assert as_lists(other.search(queries, 10)) == found
    state = filled.save(tmp_path)
    files = sorted(tmp_path.iterdir())
    again = make_engine(settings, DIM)
    again.load(tmp_path, state)
    monkeypatch.setattr(again, 'make_index', None)  # it is there
    assert as_lists(again.search(queries, 10)) == found
    again.save(tmp_path)
    assert sorted(tmp_path.iterdir()) == files, 'nothing has changed'


def test_a_damaged_index_is_made_anew(filled, settings, tmp_path, capsys):
    state = filled.save(tmp_path)
    file = next(tmp_path.glob('*.faiss'))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    again = make_engine(settings, DIM)
    again.load(tmp_path, state)
    assert 'is damaged, and is made anew' in capsys.readouterr().err
    queries = clustered(5, seed=1)
    assert as_lists(again.search(queries, 10)) == as_lists(filled.search(queries, 10))


def of_another_engine(engine, file):
    other = faiss.index_factory(DIM, 'IVF8,Flat', faiss.METRIC_INNER_PRODUCT)
    other.train(clustered(1500))
    other.add(clustered(1500))
    faiss.write_index(other, str(file))


def of_other_length(engine, file):
    engine.index.reset()
    engine.index.add(clustered(1400))
    faiss.write_index(engine.index, str(file))


def of_other_dim(engine, file):
    other = make_engine(engine.settings, 2 * DIM)
    other.add(np.arange(1, 1501), np.hstack([clustered(1500)] * 2) / np.float32(2**0.5))
    other.prepare()
    faiss.write_index(other.index, str(file))


def enormous(engine, file):
    content = bytearray(file.read_bytes())
    numbers = np.frombuffer(content[: len(content) // 8 * 8], np.uint8)
    at = next(
        at for at in range(37, len(numbers)) if int.from_bytes(content[at : at + 8], 'little') in (8, 20, 1500, 1501)
    )
    content[at : at + 8] = (2**39).to_bytes(8, 'little')
    file.write_bytes(content)


def lists_elsewhere(engine, file):
    index = faiss.index_factory(DIM, 'IVF8,PQ8x8np', faiss.METRIC_INNER_PRODUCT)
    index.train(clustered(1500))
    (file.parent.parent / 'elsewhere').mkdir()
    lists = faiss.OnDiskInvertedLists(index.nlist, index.code_size, str(file.parent.parent / 'elsewhere/lists'))
    index.replace_invlists(lists)
    index.add_with_ids(clustered(1500), np.arange(1, 1501))
    faiss.write_index(index, str(file))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('make', [of_another_engine, of_other_length, of_other_dim, enormous, lists_elsewhere])
def test_an_index_of_somebody_else_that_is_none_of_these_rows_is_made_anew(filled, settings, make, tmp_path, capsys):
    folder, queries = tmp_path / 'g', clustered(5, seed=1)
    folder.mkdir()
    found, state = as_lists(filled.search(queries, 10)), filled.save(folder)
    make(filled, file := next(folder.glob('*.faiss')))
    again = make_engine(settings, DIM)
    again.load(folder, {**state, 'sum': check_sum(file)})
    assert 'is damaged, and is made anew' in capsys.readouterr().err
    assert as_lists(again.search(queries, 10)) == found


def test_of_a_removed_row_no_number_is_left_in_an_index(filled, tmp_path):
    gone = filled.exact.vectors(np.array([77]))
    others = filled.exact.ids()[~(filled.exact.vectors(filled.exact.ids()) == gone).all(axis=1)]
    filled.remove(np.setdiff1d(filled.exact.ids(), others))
    filled.save(tmp_path)
    written = b''.join(file.read_bytes() for file in tmp_path.iterdir())
    for numbers in (gone, gone.astype(np.float16)):
        assert numbers.tobytes() not in written
    there = filled.exact.vectors(others[:1])
    assert there.tobytes() in written
    if isinstance(filled, HNSW):
        assert there.astype(np.float16).tobytes() in written


def test_an_index_that_is_worn_is_made_anew():
    vectors = clustered(1500)
    engine = HNSW(DIM, exact_below=50)
    engine.add(np.arange(1, 1501), vectors)
    engine.prepare()
    engine.remove(np.arange(1, 700))
    engine.add(np.array([1501]), vectors[:1])
    engine.prepare()
    assert len(engine.labels) == engine.index.ntotal == len(engine) == 802
    engine = IVFPQ(DIM, exact_below=50)
    engine.add(np.arange(1, 401), vectors[:400])
    engine.prepare()
    assert engine.index.nlist == 10
    engine.add(np.arange(401, 1501), vectors[400:])
    engine.prepare()
    assert engine.index.nlist == 10
    engine.add(np.arange(1501, 3001), vectors)
    engine.prepare()
    assert engine.index.nlist == 75 and engine.index.ntotal == len(engine) == 3000


def test_engines_are_made_by_name_and_settings():
    assert make_engine('hnsw', 8).settings == HNSW(8).settings
    assert all(make_engine(make(8).settings, 8).settings == make(8).settings for make in (Flat, HNSW, IVFPQ))
    with pytest.raises(ValueError, match="'annoy' is no search engine: expected one of flat, hnsw, ivfpq, milvus"):
        make_engine('annoy', 8)
    with pytest.raises(ValueError, match="hnsw has no argument 'M': expected some of m, ef_construction"):
        make_engine(dict(type='hnsw', M=3), 8)
    with pytest.raises(ValueError, match='milvus needs uri'):
        make_engine('milvus', 8)
    with pytest.raises(ValueError, match='code_bytes=3 is no divisor'):
        make_engine(dict(type='ivfpq', code_bytes=3), 8)
    with pytest.raises(ValueError, match='flat: part_rows is a whole number, at least 1, not -1'):
        make_engine(dict(type='flat', part_rows=-1), 8)  # which would have kept no row
    with pytest.raises(ValueError, match="ivfpq: probes is a whole number, at least 1, not '32'"):
        make_engine(dict(type='ivfpq', probes='32'), 8)
    assert sorted(ENGINES) == ['flat', 'hnsw', 'ivfpq', 'milvus']


@pytest.mark.parametrize('count', [2, 39, 255, 256, 300])
def test_codes_that_few_rows_cannot_train_are_done_without(count):
    vectors, ids = clustered(count), np.arange(1, count + 1)
    engine = IVFPQ(vectors.shape[1], lists=1000, exact_below=0)
    engine.add(ids, vectors)
    scores, found = engine.search(vectors[:2], 1)
    assert found[:, 0].tolist() == [1, 2] and scores.shape == (2, 1)


def test_an_engine_takes_the_place_of_another_with_the_same_rows(settings):
    vectors, queries = clustered(300), clustered(3, seed=1)
    engine = Flat(DIM)
    engine.add(np.arange(1, 301), vectors)
    found = engine.search(queries, 5)
    other = switched(engine, settings, np.arange(1, 301))
    assert other.name == settings['type'] and other.exact is engine
    assert switched(other, settings, np.arange(1, 301)) is other
    assert as_lists(switched(other, 'flat', np.arange(1, 301)).search(queries, 5)) == as_lists(found)


def test_without_faiss_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'faiss', None)
    with pytest.raises(ImportError, match=r'pip install "tsgan\[search\]"'):
        make_engine('hnsw', 8)
    flat.find_faiss.cache_clear()
    try:
        assert flat.find_faiss() is None
    finally:
        flat.find_faiss.cache_clear()
