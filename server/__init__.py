"""The service: opens one bundle, keeps the backbones warm, answers pages and REST.

Start at `server.app`; the REST contract is `server.schemas`.
"""
