# Table I and Table II, last row: the network of tsgan_jd.py, tested with re-ranking.
_base_ = './tsgan_jd.py'
test_evaluator = dict(rerank=True)
