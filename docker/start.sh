#!/bin/sh
# What the two services of docker-compose.yml do: `sparc-start build` makes the bundle SPARC_BUNDLE, once;
# `sparc-start serve` serves it.
set -eu
case ${1:-} in
  build)
    if [ -n "${SPARC_CONFIG:-}" ]; then
      exec sparc-build run "$SPARC_CONFIG" --out "$SPARC_BUNDLE" --work /data/steps/own
    elif [ "$SPARC_BUNDLE" = /data/bundles/storybook ]; then
      exec sparc-build demo --out "$SPARC_BUNDLE" --work /data/steps/storybook
    else
      exec sparc-build info "$SPARC_BUNDLE" # nothing to build: it must be there
    fi
    ;;
  serve)
    if [ -z "${SPARC_BESIDE:-}" ] && [ -e "$SPARC_BUNDLE-local/manifest.json" ]; then # the demo's twin
      export SPARC_BESIDE="$SPARC_BUNDLE-local"
    fi
    exec sparc-serve
    ;;
  *)
    echo "sparc-start: build or serve, not \"${1:-}\"" >&2
    exit 2
    ;;
esac
