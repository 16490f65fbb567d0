# SPDX-License-Identifier: Apache-2.0
"""What can be packed: a Hugging Face folder, a GGUF file, a repository of the hub."""
