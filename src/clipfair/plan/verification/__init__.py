"""Verification: a sample of a study's results is rebuilt and compared with those in results/."""
