"""The nine stages, each a plain package. None imports another; line.py joins them."""
