"""Training of the storybook towers: `python -m index_build.towers.train_clip` and `... .train_dino`.

The towers come trained (`sparc_core/backbones/towers`); these scripts made them and remake them.
"""
