# SPDX-License-Identifier: Apache-2.0
"""What Python checks before the engine sees it: arguments, options, files."""
