"""KPIs over time: what the company earns, keeps and loses, what its accounts say, how fast it helps."""

from features.kpis.definitions import KPIS, Kpi
from features.kpis.table import COLUMNS, kpis

__all__ = ["COLUMNS", "KPIS", "Kpi", "kpis"]
