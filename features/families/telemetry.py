"""What an account's equipment reports: faults and energy over three months, early enough to offer a repair or an upgrade."""

from features.definitions import Feature, events, ratio, trend

MONTH, QUARTER, YEAR = 30, 90, 365

readings = events("engagement", kind="telemetry")
faults = readings.where(subject="faults")
energy = readings.where(subject="energy")

FEATURES = (
    Feature(
        "telemetry_days_since_reading",
        readings.days_since_last(),
        "time since the equipment last reported",
        "days",
        "it never did",
    ),
    Feature(
        "telemetry_equipment_distinct_90d",
        readings.distinct("product_id", days=QUARTER),
        "different pieces of equipment that reported in the last 90 days",
        "pieces",
        "0: none, or not recorded which",
    ),
    Feature(
        "telemetry_faults_sum_90d",
        faults.sum("quantity", days=QUARTER),
        "faults that the equipment reported in the last 90 days",
        "faults",
        "0: none",
    ),
    Feature(
        "telemetry_faults_trend_90d",
        trend(faults.sum("quantity", days=QUARTER), faults.sum("quantity", days=QUARTER, lag_days=QUARTER)),
        "faults that the equipment reported in the last 90 days against the 90 before",
        "-1 to 1",
        "none in the 180 days",
    ),
    Feature(
        "telemetry_faults_slope_90d",
        faults.slope("quantity", days=QUARTER),
        "how the faults of a reading grew per day, over the last 90 days",
        "faults a day",
        "fewer than two readings in that time",
    ),
    Feature(
        "telemetry_energy_ratio_90d",
        ratio(energy.mean("quantity", days=QUARTER), energy.mean("quantity", days=YEAR, lag_days=QUARTER)),
        "energy use of a reading in the last 90 days, in multiples of that in the 365 before",
        "ratio",
        "no reading in one of them",
    ),
    Feature(
        "telemetry_energy_slope_90d",
        energy.slope("quantity", days=QUARTER),
        "how the energy use of a reading grew per day, over the last 90 days",
        "units a day",
        "fewer than two readings in that time",
    ),
)
