# Where the bed's programs are; sourced by the scripts beside it.
# shellcheck shell=bash disable=SC2034
KUBEBED_CACHE=${KUBEBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/palier-kubebed}
SOURCES=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)/src

# A program is kept by what it is made of.
digest() {
  (
    cd "$SOURCES" || exit
    find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    uname -sm
  ) | sha256sum | cut -c1-12
}

# Kubernetes' parts take many minutes to compile and change with their versions only; the bed's own program takes seconds.
KUBE=$KUBEBED_CACHE/kube-$(digest go.mod go.sum kube)/kube
BED=$KUBEBED_CACHE/bed-$(digest .)/kubebed
