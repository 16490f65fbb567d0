# SPDX-License-Identifier: Apache-2.0
"""What commands have in common: options, what is shown, what is typed."""
