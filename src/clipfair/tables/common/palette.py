"""Colours of all figures."""

# Okabe and Ito's palette: distinct also to colour-blind readers.
COLOURS = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"]

# What is shown before, after and in the sample of a balancing; apart also in lightness, for grey prints.
BEFORE, AFTER, SAMPLE = COLOURS[1], COLOURS[4], COLOURS[0]
TARGET = COLOURS[6]
