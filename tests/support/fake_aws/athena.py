"""Athena's kept queries, with the operations that emulators lack: they are changed and deleted."""

from __future__ import annotations

import uuid

from fake_aws.requests import RefusalError


class FakeAthena:
    """Athena's operations, by name."""

    def __init__(self) -> None:
        self.queries: dict[str, dict] = {}

    def create_named_query(self, asked: dict) -> dict:
        number = str(uuid.uuid4())
        self.queries[number] = {"WorkGroup": "primary", **asked, "NamedQueryId": number}
        return {"NamedQueryId": number}

    def list_named_queries(self, asked: dict) -> dict:
        group = asked.get("WorkGroup", "primary")
        return {"NamedQueryIds": [key for key, query in self.queries.items() if query["WorkGroup"] == group]}

    def get_named_query(self, asked: dict) -> dict:
        return {"NamedQuery": self._of(asked)}

    def update_named_query(self, asked: dict) -> dict:
        self._of(asked).update(asked)
        return {}

    def delete_named_query(self, asked: dict) -> dict:
        self._of(asked)
        del self.queries[asked["NamedQueryId"]]
        return {}

    def _of(self, asked: dict) -> dict:
        if asked["NamedQueryId"] not in self.queries:
            raise RefusalError("InvalidRequestException", "Named query was not found.")
        return self.queries[asked["NamedQueryId"]]
