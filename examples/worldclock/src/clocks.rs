//! The board: clocks with a label and a zone, as the database keeps them.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqlitePool};

/// A clock on the board.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Clock {
    pub id: i64,
    pub label: String,
    pub zone: String,
}

/// Data of a clock to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClock {
    pub label: Label,
    pub zone: String,
}

/// Change of a clock. A field that is absent keeps its value.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockChange {
    pub label: Option<Label>,
    pub zone: Option<String>,
}

/// A text that fits on a board: one line of 1 to 80 characters, without space around it.
///
/// Labels are made from JSON only, so an error names the place in the body.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Label(String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("a label has 1 to 80 characters, not {0}")]
    Length(usize),
    #[error("a label has no control characters")]
    Control,
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        let text = text.trim();
        match text.chars().count() {
            1..=80 if text.contains(char::is_control) => Err(LabelError::Control),
            1..=80 => Ok(Self(text.to_owned())),
            length => Err(LabelError::Length(length)),
        }
    }
}

pub async fn all(db: &SqlitePool) -> sqlx::Result<Vec<Clock>> {
    sqlx::query_as("SELECT id, label, zone FROM clocks ORDER BY id").fetch_all(db).await
}

pub async fn find(db: &SqlitePool, id: i64) -> sqlx::Result<Option<Clock>> {
    sqlx::query_as("SELECT id, label, zone FROM clocks WHERE id = ?")
        .bind(id)
        .fetch_optional(db)
        .await
}

/// Adds a clock: it is on the disk when this returns. That needs the transaction: a single
/// statement returns its row before its own end, which may still fail.
pub async fn add(db: &SqlitePool, new: &NewClock) -> sqlx::Result<Clock> {
    let mut transaction = db.begin().await?;
    let clock =
        sqlx::query_as("INSERT INTO clocks (label, zone) VALUES (?, ?) RETURNING id, label, zone")
            .bind(&new.label.0)
            .bind(&new.zone)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(clock)
}

/// Changes a clock, if it exists, in a transaction for the same reason.
pub async fn change(db: &SqlitePool, id: i64, change: &ClockChange) -> sqlx::Result<Option<Clock>> {
    let mut transaction = db.begin().await?;
    let clock = sqlx::query_as(
        "UPDATE clocks SET label = coalesce(?, label), zone = coalesce(?, zone) WHERE id = ? \
         RETURNING id, label, zone",
    )
    .bind(change.label.as_ref().map(|label| &label.0))
    .bind(&change.zone)
    .bind(id)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(clock)
}

/// Removes a clock, and returns whether there was one.
pub async fn remove(db: &SqlitePool, id: i64) -> sqlx::Result<bool> {
    let removed = sqlx::query("DELETE FROM clocks WHERE id = ?").bind(id).execute(db).await?;
    Ok(removed.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::migrated;
    use crate::zones::tests::imported;

    fn new(label: &str, zone: &str) -> NewClock {
        NewClock { label: label.to_owned().try_into().unwrap(), zone: zone.to_owned() }
    }

    #[test]
    fn labels_fit_on_a_board() {
        let length =
            |text: &str| Label::try_from(text.to_owned()).map(|label| label.0.chars().count());
        assert_eq!(length("  Ana "), Ok(3));
        assert_eq!(length(&"ü".repeat(80)), Ok(80));
        assert_eq!(length(&"ü".repeat(81)), Err(LabelError::Length(81)));
        assert_eq!(length(" \t "), Err(LabelError::Length(0)));
        assert_eq!(length("a\nb"), Err(LabelError::Control));
        assert_eq!(length("a\0b"), Err(LabelError::Control));
    }

    #[actix_web::test]
    async fn a_clock_is_added_changed_and_removed() {
        let (_folder, db) = migrated().await;
        imported(&db).await;
        let ana = add(&db, &new("Ana", "America/Lima")).await.unwrap();
        let ben = add(&db, &new("Ben", "Asia/Tokyo")).await.unwrap();
        assert_eq!(all(&db).await.unwrap(), [ana.clone(), ben.clone()]);

        let travel = ClockChange { zone: Some("Europe/Rome".into()), ..ClockChange::default() };
        let ana = Clock { zone: "Europe/Rome".into(), ..ana };
        assert_eq!(change(&db, ana.id, &travel).await.unwrap(), Some(ana.clone()));
        assert_eq!(find(&db, ana.id).await.unwrap(), Some(ana));
        assert_eq!(change(&db, 99, &travel).await.unwrap(), None);

        assert!(remove(&db, ben.id).await.unwrap());
        assert!(!remove(&db, ben.id).await.unwrap());
        assert_eq!(find(&db, ben.id).await.unwrap(), None);
        assert!(
            add(&db, &new("Cem", "Asia/Tokyo")).await.unwrap().id > ben.id,
            "ids are not used again"
        );
    }

    #[actix_web::test]
    async fn a_zone_that_is_not_there_is_refused_by_the_database_too() {
        let (_folder, db) = migrated().await;
        imported(&db).await;
        let error = add(&db, &new("Ana", "Europe/Atlantis")).await.unwrap_err();
        assert!(error.as_database_error().unwrap().is_foreign_key_violation());
    }

    #[actix_web::test]
    async fn a_clock_that_is_not_on_the_disk_is_not_told_of() {
        let (_folder, db) = migrated().await;
        imported(&db).await;
        let ana = add(&db, &new("Ana", "America/Lima")).await.unwrap();
        let travel = ClockChange { zone: Some("Europe/Atlantis".into()), ..ClockChange::default() };
        for _ in 0..2 {
            let mut all = Vec::new();
            for _ in 0..8 {
                let mut connection = db.acquire().await.unwrap();
                // The mistake is found at the end of the statement only, as that of a full disk.
                sqlx::query("PRAGMA defer_foreign_keys = ON")
                    .execute(&mut *connection)
                    .await
                    .unwrap();
                all.push(connection);
            }
            drop(all);
            assert!(add(&db, &new("Ben", "Europe/Atlantis")).await.is_err());
            assert!(change(&db, ana.id, &travel).await.is_err());
        }
        assert_eq!(all(&db).await.unwrap(), std::slice::from_ref(&ana));
        assert_eq!(change(&db, ana.id, &ClockChange::default()).await.unwrap(), Some(ana));
    }
}
