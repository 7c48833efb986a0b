"""From what a corpus names (`listing`) over its pictures (`media`) to the items of the bundle (`table`)."""
