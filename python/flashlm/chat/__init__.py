# SPDX-License-Identifier: Apache-2.0
"""Conversations: templates, tool calls, and answers that are held to a form."""
