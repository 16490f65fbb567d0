# SPDX-License-Identifier: Apache-2.0
"""What a chat template needs: its files, its language, and messages as it takes them."""
