# Debian packages for deploy/up and tests/run. Sourced by bash.

# The Python that Debian 12 has; another one of the user's comes second.
tl_python() {
    if [ -x /usr/bin/python3 ]; then
        echo /usr/bin/python3
    else
        command -v python3
    fi
}

# tl_missing_packages FILE...: names that are listed there and not installed, one a line. A second
# word on a line is a command that serves as well.
tl_missing_packages() {
    local package command
    while read -r package command; do
        case $package in '' | '#'*) continue ;; esac
        if [ -n "$command" ] && command -v "$command" >/dev/null; then
            continue
        fi
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        'install ok installed') ;;
        *) echo "$package" ;;
        esac
    done < <(cat "$@")
}

tl_stamp() {
    local now=${EPOCHREALTIME/,/.}
    awk -v a="$TL_UP_STARTED" -v b="$now" -v text="$1" \
        'BEGIN { printf "[%6.1f s] %s\n", b - a, text }'
}

# tl_install_packages yes|no FILE LOG: have all packages of FILE.
tl_install_packages() {
    local may_install=$1 file=$2 log=$3 missing become=() began=$SECONDS
    missing=$(tl_missing_packages "$file")
    if [ -z "$missing" ]; then
        tl_stamp "packages: all there"
        return 0
    fi
    missing=$(echo "$missing" | tr '\n' ' ')
    if [ "$(id -u)" != 0 ]; then
        become=(sudo)
    fi
    if [ "$may_install" = no ] || { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
        echo "These packages are missing and cannot be installed from here. As root, run:" >&2
        echo "  apt-get update && apt-get install -y --no-install-recommends $missing" >&2
        return 1
    fi
    if ! command -v apt-get >/dev/null; then
        echo "This is no Debian machine (no apt-get). It needs, in Debian's names: $missing" >&2
        return 1
    fi
    mkdir -p "$(dirname "$log")"
    tl_stamp "packages: installing $(echo "$missing" | wc -w) and what they need (log: $log)"
    tl_apt "$missing" "$log" "${become[@]}" || {
        tail -n 20 "$log" >&2
        echo "packages: installation failed, see $log" >&2
        return 1
    }
    tl_stamp "packages: done in $((SECONDS - began)) s"
}

# PostgreSQL and Redis come without their system services: we run our own. policy-rc.d is
# Debian's way to say so; one that exists is left alone.
tl_apt() {
    local packages=$1 log=$2 policy=/usr/sbin/policy-rc.d own_policy=no status=0
    shift 2
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "$@" tee $policy >/dev/null
        "$@" chmod 755 $policy
        own_policy=yes
    fi
    {
        "$@" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
            # shellcheck disable=SC2086
            "$@" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
                --no-install-recommends $packages
    } </dev/null 2>&1 | tee "$log" | tl_apt_progress || status=1
    if [ $own_policy = yes ]; then
        "$@" rm -f $policy
    fi
    return $status
}

# A line every ten seconds of what apt is at.
tl_apt_progress() {
    local line said=$SECONDS
    while IFS= read -r line; do
        case $line in
        Get:* | Unpacking* | 'Setting up'*)
            if [ $((SECONDS - said)) -ge 10 ]; then
                tl_stamp "packages: ${line:0:70}"
                said=$SECONDS
            fi ;;
        esac
    done
}
