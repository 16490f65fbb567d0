# SPDX-License-Identifier: Apache-2.0
"""Commands that write text: run, chat, papers, agent, demo."""
