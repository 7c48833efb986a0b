"""Storybook: the embedded picture-book world that everything runs on without a network.

Read `world` (what exists), then `scene` (who stands where), `drawing` (pixels and masks) and `captions` (words).
"""
