"""Kedro datasets: Spark tables and small files on any Hadoop filesystem, opened lazily."""

from rankhammer.datasets.files_dataset import FilesDataset
from rankhammer.datasets.input_dataset import InputDataset
from rankhammer.datasets.input_validator import InputValidator
from rankhammer.datasets.published_dataset import PublishedDataset
from rankhammer.datasets.table_dataset import TableDataset
from rankhammer.datasets.table_validator import TableValidator

__all__ = ["FilesDataset", "InputDataset", "InputValidator", "PublishedDataset", "TableDataset", "TableValidator"]
