#!/bin/sh
# Starts everything: installs on first use, then the service, and a browser if there is one.
set -eu
self=$0
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in
    /*) self=$target ;;
    *) self=$(dirname -- "$self")/$target ;;
    esac
done
exec "$(dirname -- "$self")/hms" serve --open "$@"
