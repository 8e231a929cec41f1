"""A person's files of fine dust and weather: the forms there are, units, dates, and what cannot be."""

from datetime import date

import pytest

from shared.errors import SourceError, UsageError
from shared.systems.air_quality.history import read_history, read_weather

EXPORT = "date, pm25, pm10, o3\n2024/11/2, 50, 25, \n2024/11/1, 100, 25, 24\n2024/11/3, , 28, 24\n"
SENSOR = (
    "date,min,max,median,q1,q3,stdev,count\n"
    "2019-12-10T00:00:00.000Z,0.64,3.65,1.36,1.11,2.11,0.701,413\n"
    "2019-12-09T00:00:00.000Z,0.42,2.95,1.75,0.91,2.04,0.623,317\n"
)
WEATHER_HEADER = "date,temperature_2m_mean,precipitation_sum,wind_speed_10m_max,wind_direction_10m_dominant\n"


@pytest.fixture
def file(tmp_path):
    def written(text, name="dust.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return str(path)

    return written


def read(path, unit="", today=None):
    rows = read_history(path, None, unit, today)
    return {str(day.date()): round(value, 2) for day, value in zip(rows["day"], rows["pm25"], strict=True)}


def test_aqicns_export_is_an_index_and_becomes_micrograms_oldest_first_without_blanks(file):
    path = file(EXPORT)
    assert read(path) == {"2024-11-01": 35.4, "2024-11-02": 9.0}
    rows = read_history(path, None)
    assert "taken as the AQI index" in rows.attrs["notes"][0]
    assert str(rows["day"].dtype) == "datetime64[us, UTC]"
    assert [*rows.columns] == ["day", "pm25"]


def test_a_citizens_sensor_holds_micrograms_of_which_the_median_counts(file):
    assert read(file(SENSOR)) == {"2019-12-09": 1.75, "2019-12-10": 1.36}


@pytest.mark.parametrize(
    ("header", "unit", "expected"),
    [
        ("date,pm25", "ugm3", 50),
        ("date,pm25", "aqi", 9),
        ("date,pm25 [µg/m³]", "", 50),
        ("day,PM2.5 (ug/m3)", "", 50),
        ("timestamp,pm25 (AQI)", "", 9),
        ("date,pm25 (AQI)", "ugm3", 50),
        ("date,pm2_5_mean (μg/m³)", "", 50),
    ],
)
def test_the_unit_is_as_told_else_as_the_column_says(file, header, unit, expected):
    assert read(file(f"{header}\n2024-11-01,50\n2024-11-02,50\n"), unit) == dict.fromkeys(
        ("2024-11-01", "2024-11-02"), expected
    )


def test_values_with_decimals_and_no_unit_are_not_guessed(file):
    path = file("date,pm25\n2024-11-01,5.5\n2024-11-02,7\n")
    with pytest.raises(SourceError, match="does not say what pm25 is measured in: say --unit ugm3, or --unit aqi"):
        read(path)
    assert read(path, "ugm3") == {"2024-11-01": 5.5, "2024-11-02": 7}


def test_a_unit_that_is_none_is_wrong_usage(file):
    with pytest.raises(UsageError, match="--unit is aqi or ugm3; got 'ppm'"):
        read(file(EXPORT), "ppm")


def test_whole_micrograms_are_noted_as_they_may_be_an_index(file):
    lines = "".join(f"2024-11-{day:02d},{day}\n" for day in range(1, 13))
    assert "whole numbers" in read_history(file("date,pm25\n" + lines), None, "ugm3").attrs["notes"][0]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("2024/11/1", "2024/11/30"), ("2024-11-01", "2024-11-30")),
        (("2024-11-01T00:00:00.000Z", "2024-11-30T00:00:00.000Z"), ("2024-11-01", "2024-11-30")),
        (("20241101", "20241130"), ("2024-11-01", "2024-11-30")),
        (("01-11-2024", "30-11-2024"), ("2024-11-01", "2024-11-30")),
        (("11/1/2024", "11/30/2024"), ("2024-11-01", "2024-11-30")),
        (("29.02.2024", "01.03.2024"), ("2024-02-29", "2024-03-01")),
    ],
)
def test_dates_are_read_in_every_form_that_is_certain(file, written, meant):
    assert [*read(file(f"date,pm25\n{written[0]},1\n{written[1]},2\n"), "ugm3")] == [*meant]


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (("01-11-2024", "02-11-2024"), "day and month of its dates cannot be told apart: write them as 2024-11-30"),
        (("30-11-2024", "11-30-2024"), "day and month of its dates cannot be told apart"),
        (("2024-11-01", "yesterday"), "the date is 'yesterday' in row 2"),
        (("2023-02-28", "2023-02-29"), "the date is '2023-02-29' in row 2"),
        (("1970-01-01", "2024-11-01"), "the date is '1970-01-01' in row 1; write dates as 2024-11-30, from 1990 on"),
        (("2024-11-01", "2099-01-01"), "holds 2099-01-01, a day to come"),
        (("2024-11-01 00:00", "2024-11-01 01:00"), "holds several hours of 2024-11-01: give one value a day"),
    ],
)
def test_a_date_that_is_uncertain_or_cannot_be_is_refused(file, dates, said):
    with pytest.raises(SourceError, match=f"dust.csv'.*{said}"):
        read(file(f"date,pm25\n{dates[0]},1\n{dates[1]},2\n"), "ugm3", today=date(2026, 11, 21))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("5", "-999"), "pm25 is -999 in row 2; leave what was not measured blank"),
        (("5", "high"), "pm25 is 'high' in row 2; write a number or leave it blank"),
        (("5", "inf"), "pm25 is 'inf' in row 2"),
        (("9000", "8000"), "half of pm25 is above 500, so it is in neither unit"),
        (("", "-"), "holds no values"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_row(file, values, said):
    with pytest.raises(SourceError, match=f"dust.csv'.*{said}"):
        read(file(f"date,pm25\n2024-11-01,{values[0]}\n2024-11-02,{values[1]}\n"), "ugm3")


def test_of_a_day_that_comes_twice_equal_rows_are_one_and_else_the_last_counts(file):
    path = file("date,pm25\n2024-11-01,5\n2024-11-01,5\n2024-11-02,6\n2024-11-02,7\n2024-11-02,\n")
    rows = read_history(path, None, "ugm3")
    assert rows["pm25"].tolist() == [5, 7]
    assert rows.attrs["notes"] == ["1 days come twice with different values: the last of the file counts"]


def test_several_files_joined_by_commas_are_one_history(file):
    joined = f"{file(SENSOR)}, {file(EXPORT, 'later.csv')}"
    assert [*read(joined)] == ["2019-12-09", "2019-12-10", "2024-11-01", "2024-11-02"]


def test_a_table_of_many_cities_is_refused_with_what_to_keep(file):
    with pytest.raises(SourceError, match="keep the rows of one and of pm25"):
        read(file("Date,City,Specie,count,min,max,median\n2020-01-01,Oslo,pm25,24,1,9,4\n"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_of_another_encoding_is_read_with_its_unit(file, encoding):
    assert read(file("date;pm25 (µg/m³)\n2024-11-01;5,5\n", encoding=encoding)) == {"2024-11-01": 5.5}


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(SourceError, match="there is no file"):
        read(str(tmp_path / "none.csv"))


def test_weather_is_found_by_open_meteos_names(file):
    rows = read_weather(file(WEATHER_HEADER + "2024-11-02,4,0,20,350\n2024-11-01,5,1.5,,10\n"), None)
    assert rows["temperature_mean"].tolist() == [5, 4]
    assert rows["wind_speed_max"].isna().tolist() == [True, False]
    assert [*rows.columns] == ["day", "temperature_mean", "precipitation_sum", "wind_speed_max", "wind_direction"]


def test_open_meteos_own_export_has_metadata_on_top_and_units_in_its_names(file):
    text = (
        "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n51.9,4.45,3.0,0,GMT,GMT\n\n"
        "time,temperature_2m_mean (°F),precipitation_sum (inch),wind_speed_10m_max (m/s),"
        "wind_direction_10m_dominant (°)\n2024-11-01,50,1,10,90\n"
    )
    row = read_weather(file(text), None).iloc[0]
    assert row["temperature_mean"] == pytest.approx(10)
    assert row["precipitation_sum"] == pytest.approx(25.4)
    assert (row["wind_speed_max"], row["wind_direction"]) == (36, 90)


def test_an_error_below_the_metadata_names_the_persons_file(file):
    text = "latitude,longitude\n51.9,4.45\n\ntime,temperature_2m_mean\n2024-11-01,50,7\n"
    with pytest.raises(SourceError, match="mine.csv' has 3 fields in line 2"):
        read_weather(file(text, "mine.csv"), None)


def test_an_unknown_unit_is_refused(file):
    text = WEATHER_HEADER.replace("_max", "_max (furlongs)") + "2024-11-01,5,1,20,10\n"
    with pytest.raises(SourceError, match=r"wind_speed_max is in 'furlongs': convert it to km/h"):
        read_weather(file(text), None)


def test_fahrenheit_without_a_unit_is_seen(file):
    lines = "".join(f"2024-07-0{day},{70 + day},0,20,10\n" for day in range(1, 6))
    with pytest.raises(SourceError, match=r"most of temperature_mean cannot be, such as 71: convert it to °C"):
        read_weather(file(WEATHER_HEADER + lines), None)


def test_one_value_of_weather_that_cannot_be_is_left_out_and_noted(file):
    rows = read_weather(
        file(WEATHER_HEADER + "2024-11-01,5,1,20,10\n2024-11-02,5,1,20,999\n2024-11-03,5,1,2,9\n"), None
    )
    assert rows["wind_direction"].isna().tolist() == [False, True, False]
    assert rows.attrs["notes"] == ["1 values of wind_direction cannot be and are left out"]
