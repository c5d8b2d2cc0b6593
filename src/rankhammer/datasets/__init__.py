"""Kedro datasets: Spark tables and small files on any Hadoop filesystem, opened lazily."""

from rankhammer.datasets.checkpoint_dataset import CheckpointDataset
from rankhammer.datasets.current_rankers import CurrentRankersDataset
from rankhammer.datasets.day_store import DayStoreDataset
from rankhammer.datasets.files_dataset import FilesDataset
from rankhammer.datasets.input_dataset import InputDataset, LogDataset
from rankhammer.datasets.input_validator import InputValidator
from rankhammer.datasets.published_dataset import PublishedDataset
from rankhammer.datasets.state_dataset import HistoryDataset, StateDataset
from rankhammer.datasets.table_dataset import TableDataset
from rankhammer.datasets.table_validator import TableValidator

__all__ = [
    "CheckpointDataset",
    "CurrentRankersDataset",
    "DayStoreDataset",
    "FilesDataset",
    "HistoryDataset",
    "InputDataset",
    "InputValidator",
    "LogDataset",
    "PublishedDataset",
    "StateDataset",
    "TableDataset",
    "TableValidator",
]
