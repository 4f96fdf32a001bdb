"""M4 on tables: from annotations to pattern counts, weights, keep-lists and audits; and as an estimator."""


def __getattr__(name: str) -> object:
    # Imported when it is asked for: the command and the conditions do not need scikit-learn.
    if name == "M4Balancer":
        from clipfair.balance.estimator import M4Balancer

        return M4Balancer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
