"""Documented, stable tables for whoever reads them with other tools: Parquet files, any SQL database, a .hyper file."""

from serving.publish.destinations import Destination, Published, publish
from serving.publish.errors import PublishError
from serving.publish.tables import TABLES

__all__ = ["TABLES", "Destination", "PublishError", "Published", "publish"]
