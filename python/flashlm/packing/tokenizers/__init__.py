# SPDX-License-Identifier: Apache-2.0
"""Tokenizers in the form of tokenizer.json."""
