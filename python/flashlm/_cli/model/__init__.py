# SPDX-License-Identifier: Apache-2.0
"""Commands about one model: pack, verify, info, plan, train, thresholds."""
