#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tokenize, logits, generate and score against every fixture.
exec python3 "$(dirname "$0")/test_tools_fixtures.py"
