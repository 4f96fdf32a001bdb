"""The mitigation methods of Table 5, one module each, loaded by name.

A module has one public entry,

    fit_predict(data, settings, *, classifier, seed) -> Outcome

where ``settings`` is the method's model in :mod:`clipfair.plan.mitigation_settings` and ``classifier`` an
unfitted scikit-learn classifier (``fit(X, y, sample_weight)``) that a method clones. A method has access to
the labels of the training rows only. A randomised predictor is evaluated as it would be deployed: one draw
per example, by the repeat's seed.
"""
