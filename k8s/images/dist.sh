#!/usr/bin/env bash
#
# Lays out what the images hold, from what Maven has built: ./coral dist builds first, and then calls this.
#
#   dist.sh DIRECTORY            an archive of each there, and what goes onto an image of Spark's own
#   dist.sh --trees DIRECTORY    the two as directories, of hard links where possible: for tests

set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
VERSION=0.1.0

archives=yes

# copy DIRECTORY FILE... : for tests hard links, where the file system can.
copy() {
    if [[ $archives == yes ]] || ! cp --link --dereference --target-directory="$1" "${@:2}" 2>/dev/null; then
        cp --dereference --target-directory="$1" "${@:2}"
    fi
}

# jars CLASS-PATH-FILE : one a line, without directories of classes.
jars() {
    tr ':' '\n' <"$1" | grep '\.jar$'
}

lay_out_manager() {
    local manager=$ROOT/coral-runtime/manager/target tree=$1/coral-manager list
    mkdir -p "$tree/bin" "$tree/lib"
    mapfile -t list < <(jars "$manager/class-path.txt")
    copy "$tree/lib" "$manager/coral-manager-$VERSION.jar" "${list[@]}"
    cp "$ROOT/k8s/images/manager/coral" "$tree/bin/"
}

lay_out_spark() {
    local tree=$1/coral-spark list
    mkdir -p "$tree/bin" "$tree/jars" "$tree/work-dir"
    chmod 1777 "$tree/work-dir" # Spark's user, whoever that is, puts there what an application brings
    mapfile -t list < <(jars "$ROOT/k8s/images/target/class-path.txt")
    copy "$tree/jars" "$ROOT/spark-coral/target/spark-coral_2.12-$VERSION-all.jar" "${list[@]}"
    cp "$ROOT/k8s/images/spark/entrypoint.sh" "$tree/"
    cp "$ROOT/k8s/images/spark/spark-submit" "$ROOT/k8s/spark-submit/fpga-discovery.sh" "$tree/bin/"
}

main() {
    local tree
    [[ ${1:-} != --trees ]] || { archives=no; shift; }
    if [[ $# -ne 1 ]]; then
        echo "usage: dist.sh [--trees] DIRECTORY" >&2
        exit 2
    fi
    mkdir -p "$1"
    for tree in coral-manager coral-spark; do
        rm -rf "${1:?}/$tree"
    done
    lay_out_manager "$1"
    lay_out_spark "$1"
    [[ $archives == yes ]] || return 0
    cp --remove-destination "$ROOT/spark-coral/target/spark-coral_2.12-$VERSION-all.jar" \
        "$ROOT/k8s/spark-submit/fpga-discovery.sh" "$1/"
    archive "$1" coral-manager opt/coral
    archive "$1" coral-spark opt/spark
}

# archive DIRECTORY TREE PATH : with the path that it has in an image, whose layer it can be. Jars are compressed already: more
# effort than the least buys nothing.
archive() {
    tar --create --directory="$1" --owner=0 --group=0 --numeric-owner --sort=name --mtime='2026-11-01 00:00Z' \
        --transform="s,^$2,$3," "$2" | gzip -1n >"$1/$2-$VERSION.tar.gz"
    rm -rf "${1:?}/$2"
    echo "$1/$2-$VERSION.tar.gz"
}

main "$@"
