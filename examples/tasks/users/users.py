#!/usr/bin/env python3
"""A program that takes a task over CGI: the user with the id that the task names."""

import json
import os
import sys

USERS = {1: "Ada", 2: "Grace"}

wanted = json.load(sys.stdin)["id"]
print(f"looking for user {wanted} in {os.environ.get('REGION', 'every region')}", file=sys.stderr)
if wanted not in USERS:
    print("Status: 404 Not Found\nContent-Type: application/json\n")
    print(json.dumps({"error": f"there is no user {wanted}"}))
else:
    print("Content-Type: application/json\n")
    print(json.dumps({"id": wanted, "name": USERS[wanted]}))
