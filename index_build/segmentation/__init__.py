"""Do heatmaps find what is named? Judged by corpora that know where things are.

`cases` names things in pictures, `methods` makes heatmaps by the published methods and ours, `measures` scores them,
`judging` puts all together, `sanity` asks the same of towers with shuffled weights.
"""
