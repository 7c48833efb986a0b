"""Features: computed in shards (`extraction`, `on_device`, `assembly`), given (`given`), read (`store`)."""
