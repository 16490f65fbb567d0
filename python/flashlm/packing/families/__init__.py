# SPDX-License-Identifier: Apache-2.0
"""The families of models that run, one a file (docs/families.md)."""
