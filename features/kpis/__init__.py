"""KPIs over time: revenue, retention and churn, satisfaction, and how fast cases are resolved."""

from features.kpis.definitions import KPIS, Kpi
from features.kpis.table import COLUMNS, kpis

__all__ = ["COLUMNS", "KPIS", "Kpi", "kpis"]
