"""Import what takes seconds, before the process forks: see `forked`."""

import shammah_mlx.models.backend  # isort: skip  # first: it has MLX use a fast BLAS

import anthropic  # noqa: F401
import mlx_lm  # noqa: F401

import shammah_mlx.cli.main
import shammah_mlx.home.assistant
import shammah_mlx.server.app
import shammah_mlx.server.service  # noqa: F401
