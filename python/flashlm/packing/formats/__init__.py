# SPDX-License-Identifier: Apache-2.0
"""How weights and settings lie in files: number formats, keys of configs, GGUF."""
