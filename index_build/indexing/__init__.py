"""From features and a model to codes, posting lists, statistics and an evaluation, in shards of items."""
