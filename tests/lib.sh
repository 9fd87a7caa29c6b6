# Shared by the scripts of this directory: where things are, how tests become root, and how results are counted. Sourced,
# never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$PATH:$HOME/.cargo/bin"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR-auto}
cd "$root"

# Where cargo puts what it builds.
target_directory() {
    cargo metadata --locked --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Has cargo run the built tests (and only those) as root, with these variables.
test_as_root() { # NAME=VALUE...
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || { echo "the tests need root and there is no sudo; run as root" >&2; exit 1; }
    local host
    host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    export "CARGO_TARGET_${host}_RUNNER=sudo env PATH=$PATH HOME=$HOME CARGO_MANIFEST_DIR=$root $*"
}

# Every suite ends with 'test result: ok. 12 passed; 0 failed; ...'. One that crashed, or did not build, has no such line
# but has left a status. Prints 'N passed, N failed'; fails when any failed.
count_results() { # STATUS LOG
    awk -v status="$1" '
        /^test result: / { for (i = 1; i < NF; i++) { if ($(i+1) == "passed;") passed += $i; if ($(i+1) == "failed;") failed += $i } }
        END { if (status != 0 && failed == 0) failed = 1; printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }
    ' "$2"
}
