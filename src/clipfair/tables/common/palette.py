"""The colours of all figures."""

# Okabe and Ito's palette, distinct for colour-blind readers.
COLOURS = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"]

# Values before and after balancing and in its sample; distinct in lightness, too, for greyscale prints.
BEFORE, AFTER, SAMPLE = COLOURS[1], COLOURS[4], COLOURS[0]
TARGET = COLOURS[6]
