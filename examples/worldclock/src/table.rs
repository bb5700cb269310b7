//! The zone table: a CSV file with a row for each time zone. Every value is checked before anything
//! is imported.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;

use csv::{ErrorKind, StringRecord};
use jiff::tz::TimeZoneDatabase;
use lifecycle_runtime::{Dep, on_startup};
use serde::Deserialize;

use crate::config::config;
use crate::countries::{Countries, countries};

const SHIPPED: &str = include_str!("../data/zones.csv");
const COLUMNS: [&str; 5] = ["zone", "countries", "latitude", "longitude", "comments"];

/// A row of the table, in the order of its columns.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    pub zone: String,
    /// ISO 3166 codes, separated by spaces.
    pub countries: String,
    pub latitude: f64,
    pub longitude: f64,
    pub comments: String,
}

/// A mistake in a table, and its place.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't import {file}{place}: {problem}; correct the file, or unset WORLDCLOCK_ZONES to use \
     the zone table that comes with the program"
)]
pub struct TableError {
    file: String,
    place: Place,
    problem: String,
}

/// Place in a table: the line in the file, counted as editors do, and the column.
#[derive(Debug, Default)]
struct Place {
    line: Option<u64>,
    column: Option<&'static str>,
}

/// Reads the whole table, on the blocking pool and beside the hooks that open the database.
#[on_startup]
pub fn zone_table(config: Dep<config>, countries: Dep<countries>) -> Result<Vec<Row>, TableError> {
    let Some(path) = &config.zones else {
        return read("the shipped zone table", SHIPPED.as_bytes(), &countries);
    };
    let file = path.display().to_string();
    match File::open(path) {
        Ok(source) => read(&file, source, &countries),
        Err(error) => Err(TableError { file, place: Place::default(), problem: error.to_string() }),
    }
}

fn read(file: &str, source: impl Read, countries: &Countries) -> Result<Vec<Row>, TableError> {
    let wrong = |(place, problem)| TableError { file: file.to_owned(), place, problem };
    let mut table = csv::Reader::from_reader(source);
    let header = table.headers().map_err(|error| wrong(explain(&error)))?;
    if header != COLUMNS.as_slice() {
        let problem = format!("the first row must be `{}`", COLUMNS.join(","));
        return Err(wrong((Place::of(1, None), problem)));
    }
    let mut check = Check { countries, lines: HashMap::new() };
    let rows =
        table.into_records().map(|record| check.row(&record.map_err(|error| explain(&error))?));
    let rows: Vec<Row> = rows.collect::<Result<_, _>>().map_err(wrong)?;
    if rows.is_empty() {
        return Err(wrong((Place::of(1, None), "no rows follow the first one".to_owned())));
    }
    Ok(rows)
}

/// Checks of a row, beyond the types of its values.
struct Check<'a> {
    countries: &'a Countries,
    /// Line in which each zone was seen.
    lines: HashMap<String, u64>,
}

impl Check<'_> {
    fn row(&mut self, record: &StringRecord) -> Result<Row, (Place, String)> {
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row = record.deserialize(None).map_err(|error| explain(&error))?;
        let wrong = |column, problem| Err((Place::of(line, Some(column)), problem));

        let known = TimeZoneDatabase::bundled().get(&row.zone);
        if !known.is_ok_and(|zone| zone.iana_name() == Some(&row.zone)) {
            return wrong("zone", format!("the tz database has no zone `{}`", row.zone));
        }
        if let Some(first) = self.lines.insert(row.zone.clone(), line) {
            return wrong("zone", format!("`{}` is in line {first} too", row.zone));
        }
        if let Some(code) =
            row.countries.split(' ').find(|code| self.countries.name(code).is_none())
        {
            return wrong("countries", format!("`{code}` is no ISO 3166 country code"));
        }
        if !(-90.0..=90.0).contains(&row.latitude) {
            return wrong("latitude", format!("{} is not between -90 and 90", row.latitude));
        }
        if !(-180.0..=180.0).contains(&row.longitude) {
            return wrong("longitude", format!("{} is not between -180 and 180", row.longitude));
        }
        Ok(row)
    }
}

/// Returns the place of an error of the reader, and its text in plain words.
fn explain(error: &csv::Error) -> (Place, String) {
    let line = error.position().map(csv::Position::line);
    let column = |index: usize| COLUMNS.get(index).copied();
    match error.kind() {
        ErrorKind::Utf8 { err, .. } => {
            (Place { line, column: column(err.field()) }, "the text is not UTF-8".to_owned())
        }
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            (Place { line, column: None }, format!("{expected_len} values are expected, not {len}"))
        }
        ErrorKind::Deserialize { err, .. } => {
            let index = err.field().and_then(|index| usize::try_from(index).ok());
            (Place { line, column: index.and_then(column) }, err.kind().to_string())
        }
        _ => (Place::default(), error.to_string()),
    }
}

impl Place {
    fn of(line: u64, column: Option<&'static str>) -> Self {
        Self { line: Some(line), column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
