#!/bin/sh
# MLX's Linux wheel brings a slow BLAS; with OpenBLAS on the machine the package uses that instead (shammah_mlx/models/backend.py).
# Installs it where that is possible, says how where it is not, and never fails: without it everything works, slower.
[ "$(uname -s)" = Linux ] || exit 0
"${1:-python3}" -c 'import ctypes; ctypes.CDLL("libopenblas.so.0")' 2>/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing OpenBLAS, which MLX on Linux runs many times faster with: apt-get install libopenblas0-pthread"
    if apt-get update -qq && apt-get install -y -qq libopenblas0-pthread >/dev/null; then exit 0; fi
    echo "That did not work."
fi
echo "Hint: without OpenBLAS all of this is slower. Install it with your package manager (Debian: libopenblas0-pthread)."
