# Sourced by the scripts that build, with $root the checkout: what 'dotnet build' needs of its surroundings.

command -v dotnet >/dev/null || {
    echo "The .NET 10 SDK is needed and 'dotnet' is not on the PATH; get it from https://dotnet.microsoft.com/download" >&2
    exit 1
}
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# Says why nothing can be built in a checkout that is read-only, and ends.
needs_writable_checkout() {
    [ -w "$root" ] && [ -w "$root/src" ] || {
        echo "This checkout can't be written to ($root), and what is built goes into it; clone it to a place where you may write." >&2
        exit 1
    }
}

# Runs a command while no other script builds in this checkout.
locked() (
    mkdir -p "$root/artifacts"
    exec 9>"$root/artifacts/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    "$@"
)

# The SDK and NuGet want a home they can write to. Where there is none (unset, or read-only) they get one in the checkout for the
# build alone, with the user's NuGet settings in it.
dotnet_build() (
    if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
        home=$root/artifacts/home
        settings=.nuget/NuGet/NuGet.Config
        mkdir -p "$home/.nuget/NuGet"
        [ -r "${HOME:-/nonexistent}/$settings" ] && cp -- "$HOME/$settings" "$home/$settings"
        # Packages that are there already need no second download.
        if [ -z "${NUGET_PACKAGES:-}" ] && [ -w "${HOME:-/nonexistent}/.nuget/packages" ]; then
            export NUGET_PACKAGES="$HOME/.nuget/packages"
        fi
        export HOME="$home"
        unset XDG_DATA_HOME
    fi
    # Without the lock: servers that the build leaves running would hold it.
    exec dotnet build "$@" </dev/null 9>&-
)
