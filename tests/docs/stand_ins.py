"""What in the documents is not really run, or runs on something smaller, and why. This is the whole list.

Commands stand in `bin/` (pip also in `packages/`) under the name that readers type; other things are made by
`belongings` and `stand_in_hub`.
"""

COMMANDS = {
    "docker": "containers are started by tests/containers, where there is an engine; services, profiles and images are "
    "compared with docker-compose.yml",
    "make": "`test`, `check`, `fmt`, `bench`, `docs`, `dist` and `audit` are looked up (--dry-run): CI runs them, they "
    "take an hour, or they need a network; other targets are made",
    "pip": "no package index can be reached: flags, files, folders and our extras are looked at",
    "python": "`-m index_build.towers...`, which trains the shipped towers for an hour and overwrites them, is parsed; "
    "everything else is run",
    "sparc-build": "`demo` takes minutes: its flags are parsed and the tests' tiny bundles copied to where it puts its "
    "own; tests/build/test_demo.py runs it, small. Everything else is the real command",
    "uv": "as pip: extras are looked at, and that the file is there",
    "sparc-serve": "is the real one, kept in the background, as in a terminal of its own",
}
THINGS = {
    "the start of sparc-build and sparc-serve": "they are forked from a process that has loaded torch (`warm`), which "
    "saves seconds each time; tests of the commands start them as they are installed",
    "the hub": "a mirror on loopback: the documented names, architectures and files, and a few kB of random weights",
    "OpenCLIP's built-in models": "the installed package with small configs under the documented names",
    "bundles of the storybook": "200 items and 64 latents, not the demo's 7,000 and 224",
    "pictures and features of a reader's own": "drawn, and random numbers",
    "a published run": "random weights in the published layout",
    "a virtual environment": "the one that runs the tests, for no package index can be reached",
}
