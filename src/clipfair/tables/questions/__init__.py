"""The questions of the analysis plan: tables with verdicts, figures, and the page of answers."""
