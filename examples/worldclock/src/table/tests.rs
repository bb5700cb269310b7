use super::*;
use crate::config::Config;

const HEADER: &str = "zone,countries,latitude,longitude,comments\n";
const ZURICH: &str = "Europe/Zurich,CH DE LI,47.3833,8.5333,Büsingen\n";

fn parse(text: impl AsRef<[u8]>) -> Result<Vec<Row>, TableError> {
    read("zones.csv", text.as_ref(), &countries().unwrap())
}

/// Checks that a table with this third line is refused, with this error.
#[track_caller]
fn refused(line: &str, expected: &str) {
    let error = parse([HEADER, ZURICH, line].concat()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("can't import zones.csv:3{expected}")), "{error}");
    assert!(error.contains("correct the file, or unset WORLDCLOCK_ZONES"), "{error}");
}

#[test]
fn the_shipped_table_is_whole() {
    let rows = parse(SHIPPED).unwrap();
    assert_eq!(rows.len(), 312);
    let zurich = rows.iter().find(|row| row.zone == "Europe/Zurich").unwrap();
    assert_eq!(
        (&*zurich.countries, zurich.latitude, zurich.longitude),
        ("CH DE LI", 47.3833, 8.5333)
    );
}

#[test]
fn refuses_values_that_are_wrong() {
    refused(
        "Europe/Atlantis,GR,36,25,\n",
        ", column `zone`: the tz database has no zone `Europe/Atlantis`;",
    );
    refused(
        "europe/berlin,DE,52.5,13.3,\n",
        ", column `zone`: the tz database has no zone `europe/berlin`;",
    );
    refused(ZURICH, ", column `zone`: `Europe/Zurich` is in line 2 too;");
    refused(
        "Europe/Berlin,DE XX,52.5,13.3,\n",
        ", column `countries`: `XX` is no ISO 3166 country code;",
    );
    refused("Europe/Berlin,,52.5,13.3,\n", ", column `countries`: `` is no ISO 3166 country code;");
    refused(
        "Europe/Berlin,DE,952.5,13.3,\n",
        ", column `latitude`: 952.5 is not between -90 and 90;",
    );
    refused(
        "Europe/Berlin,DE,52.5,NaN,\n",
        ", column `longitude`: NaN is not between -180 and 180;",
    );
    refused("Europe/Berlin,DE,52.5 N,13.3,\n", ", column `latitude`: invalid float literal;");
}

#[test]
fn refuses_rows_that_are_broken() {
    refused("Europe/Berlin,DE,52.5\n", ": 5 values are expected, not 3;");
    refused("\"Europe/Berlin,DE,52.5,13.3,\n", ": 5 values are expected, not 1;");
}

#[test]
fn refuses_files_that_are_no_table() {
    for text in ["", "zone\n", "zone;countries;latitude;longitude;comments\n", "\0\0\0\0"] {
        let error = parse(text).unwrap_err().to_string();
        assert!(
            error.contains("zones.csv:1: the first row must be `zone,countries,"),
            "{text:?}: {error}"
        );
    }
    let error = parse(HEADER).unwrap_err().to_string();
    assert!(error.contains("no rows follow"), "{error}");
    let latin1 = [HEADER.as_bytes(), b"Europe/Zurich,CH,47.4,8.5,B\xfcsingen\n"].concat();
    let error = parse(latin1).unwrap_err().to_string();
    assert!(error.contains("zones.csv:2, column `comments`: the text is not UTF-8"), "{error}");
}

#[test]
fn names_a_file_that_is_not_there() {
    let settings =
        Config { database: "unused".into(), zones: Some("no/such.csv".into()), backup: None };
    let error =
        zone_table(Dep::new(settings), Dep::new(countries().unwrap())).unwrap_err().to_string();
    assert!(error.starts_with("can't import no/such.csv: "), "{error}");
}
