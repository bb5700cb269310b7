//! The time zones, which are imported into the database at each start and served from memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use lifecycle_runtime::{Dep, on_startup};
use serde::Serialize;

use crate::countries::{Countries, countries};
use crate::store::{db, migrations};
use crate::table::{Row, zone_table};

/// Imports the zone table into the database: all of it or, if the process is stopped meanwhile,
/// nothing.
///
/// A zone that has left the table stays, as clocks may still show it.
#[on_startup(after = [migrations])]
pub async fn import_zones(db: Dep<db>, table: Dep<zone_table>) -> sqlx::Result<()> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    for Row { zone, countries, latitude, longitude, comments } in &*table {
        sqlx::query(
            "INSERT INTO zones (name, countries, latitude, longitude, comments) \
             VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET countries = excluded.countries, \
             latitude = excluded.latitude,
                 longitude = excluded.longitude, comments = excluded.comments",
        )
        .bind(zone)
        .bind(countries)
        .bind(latitude)
        .bind(longitude)
        .bind(comments)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// All zones by name.
#[derive(Debug, Clone)]
pub struct Zones(BTreeMap<String, Zone>);

/// A time zone, as the service describes it.
#[derive(Debug, Clone, Serialize)]
pub struct Zone {
    name: String,
    /// Country names by ISO 3166 code.
    countries: BTreeMap<String, String>,
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    comments: String,
    #[serde(skip)]
    rules: TimeZone,
}

/// Time and abbreviation that a clock on the wall of a zone shows.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LocalTime {
    local_time: String,
    abbreviation: String,
}

/// Loads every zone with its rules, so that requests for the time need neither the database nor the
/// disk.
#[on_startup(after = [import_zones])]
pub async fn zones(db: Dep<db>, countries: Dep<countries>) -> Result<Zones, ZonesError> {
    let rows: Vec<(String, String, f64, f64, String)> =
        sqlx::query_as("SELECT name, countries, latitude, longitude, comments FROM zones")
            .fetch_all(&*db)
            .await?;
    let zones = rows.into_iter().map(|(name, codes, latitude, longitude, comments)| {
        let rules = TimeZoneDatabase::bundled().get(&name)?;
        let countries = named(&codes, &countries);
        Ok((name.clone(), Zone { name, countries, latitude, longitude, comments, rules }))
    });
    zones.collect::<Result<_, ZonesError>>().map(Zones)
}

#[derive(Debug, thiserror::Error)]
pub enum ZonesError {
    #[error("can't read the zones")]
    Database(#[from] sqlx::Error),
    #[error("the database has a zone that this program's tz database lacks; start a newer build")]
    Rules(#[from] jiff::Error),
}

/// Returns the country names by code. A code without a name stands for itself: countries come and
/// go.
fn named(codes: &str, countries: &Countries) -> BTreeMap<String, String> {
    codes
        .split(' ')
        .map(|code| (code.to_owned(), countries.name(code).unwrap_or(code).to_owned()))
        .collect()
}

impl Zones {
    pub fn get(&self, name: &str) -> Option<&Zone> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.0.values()
    }

    /// Returns the zone whose name, or city, is most like this text.
    pub fn similar(&self, text: &str) -> Option<String> {
        let text = text.to_lowercase();
        let likeness = |name: &str| {
            let name = name.to_lowercase();
            let city = name.rsplit('/').next().unwrap_or(&name);
            strsim::jaro_winkler(&text, &name).max(strsim::jaro_winkler(&text, city))
        };
        let scored = self
            .0
            .keys()
            .map(|name| (name, likeness(name)))
            .filter(|(_, likeness)| *likeness > 0.8);
        scored.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name.clone())
    }
}

impl Zone {
    pub fn is_in(&self, country: &str) -> bool {
        self.countries.contains_key(country)
    }

    pub fn time_at(&self, instant: Timestamp) -> LocalTime {
        let local = instant.to_zoned(self.rules.clone());
        LocalTime {
            local_time: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            abbreviation: local.strftime("%Z").to_string(),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::config::Config;
    use crate::store::tests::migrated;
    use sqlx::SqlitePool;

    /// Returns all zones, after this database was filled as by a start.
    pub async fn imported(pool: &SqlitePool) -> Zones {
        let settings = Config { database: "unused".into(), zones: None, backup: None };
        let countries = countries().unwrap();
        let table = zone_table(Dep::new(settings), Dep::new(countries.clone())).unwrap();
        import_zones(Dep::new(pool.clone()), Dep::new(table)).await.unwrap();
        zones(Dep::new(pool.clone()), Dep::new(countries)).await.unwrap()
    }

    #[actix_web::test]
    async fn importing_again_changes_nothing_and_repairs_what_was_changed() {
        let (_folder, pool) = migrated().await;
        let first = imported(&pool).await;
        sqlx::query("UPDATE zones SET latitude = 0").execute(&pool).await.unwrap();
        let second = imported(&pool).await;
        assert_eq!(first.0.len(), 312);
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }

    #[actix_web::test]
    async fn tells_the_time() {
        let (_folder, pool) = migrated().await;
        let zones = imported(&pool).await;
        let time = |zone, instant: &str| {
            let LocalTime { local_time, abbreviation } =
                zones.get(zone).unwrap().time_at(instant.parse().unwrap());
            format!("{local_time} {abbreviation}")
        };
        assert_eq!(time("Europe/Zurich", "2026-07-01T12:00:00Z"), "2026-07-01T14:00:00+02:00 CEST");
        assert_eq!(time("Europe/Zurich", "2026-12-01T12:00:00Z"), "2026-12-01T13:00:00+01:00 CET");
        assert_eq!(
            time("Asia/Kathmandu", "2026-12-01T23:30:00Z"),
            "2026-12-02T05:15:00+05:45 +0545"
        );
    }

    #[actix_web::test]
    async fn suggests_a_name() {
        let (_folder, pool) = migrated().await;
        let zones = imported(&pool).await;
        let similar = |text| zones.similar(text).unwrap_or_default();
        assert_eq!(similar("Europe/Zürich"), "Europe/Zurich");
        assert_eq!(similar("tokyo"), "Asia/Tokyo");
        assert_eq!(similar("New York"), "America/New_York");
        assert_eq!(zones.similar("xyzzy"), None);
        assert_eq!(zones.similar(""), None);
    }
}
