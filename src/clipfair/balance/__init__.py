"""M4 on files: from annotations to pattern counts, weights, keep-lists and audits."""
