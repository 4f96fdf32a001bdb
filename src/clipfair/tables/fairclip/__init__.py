"""Tables and figures of the FairCLIP reproduction; a builder and its figure lie side by side."""
