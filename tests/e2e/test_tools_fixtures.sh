#!/usr/bin/env bash
# tokenize, logits, generate and score against every fixture.
exec python3 "$(dirname "$0")/test_tools_fixtures.py"
