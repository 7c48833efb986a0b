"""Training SPARC: `run` is the loop with its files, `trainer` one step, `options` the recipe.

A step: `batch_gradient` (loss and gradient, touching selected rows only) -> `block_adam` (the weights, block by block)
-> `resampling` now and then. `row_gradients` is the sparse maths under both; `processes` joins several machines.
"""
