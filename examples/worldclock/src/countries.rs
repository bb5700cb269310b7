//! The world's countries by their ISO 3166 codes.

use std::collections::BTreeMap;

use lifecycle_runtime::on_startup;
use serde::Deserialize;

const TABLE: &str = include_str!("../data/countries.csv");

/// Country names by code: `CH` is `Switzerland`.
#[derive(Debug, Clone)]
pub struct Countries(BTreeMap<String, String>);

impl Countries {
    pub fn name(&self, code: &str) -> Option<&str> {
        self.0.get(code).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Country {
    code: String,
    name: String,
}

/// Reads the country table. It depends on nothing, so it runs beside the hooks that open the
/// database.
#[on_startup]
pub fn countries() -> csv::Result<Countries> {
    let mut table = csv::Reader::from_reader(TABLE.as_bytes());
    let names = table.deserialize().map(|row| row.map(|Country { code, name }| (code, name)));
    names.collect::<csv::Result<_>>().map(Countries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names() {
        let countries = countries().unwrap();
        assert_eq!(countries.0.len(), 249);
        assert_eq!(countries.name("CH"), Some("Switzerland"));
        assert_eq!(countries.name("AX"), Some("Åland Islands"));
        assert_eq!(countries.name("XX"), None);
    }
}
