//! Users and their accounts.

use lifecycle_runtime::{BoxError, Dep, on_startup};
use sqlx::FromRow;
use validator::ValidateLength;

use super::api::SHORTEST_PASSWORD;
use super::passwords::passwords;
use super::{OF_CUSTOMERS, PERMISSIONS};
use crate::problem::Problem;
use crate::store::{Store, db, migrations};

#[derive(Debug, FromRow)]
pub struct User {
    pub id: i64,
    pub password: String,
    pub scopes: String,
}

/// Address of the admin. Nobody can sign up with it, even before there is an admin.
const ADMIN: &str = "admin@shop.test";

/// Makes the account `admin@shop.test` with the password in `ADMIN_PASSWORD`, if that is set. An
/// existing account keeps its password.
#[on_startup(after = [migrations])]
pub async fn first_admin(db: Dep<db>, passwords: Dep<passwords>) -> Result<(), BoxError> {
    let Ok(password) = std::env::var("ADMIN_PASSWORD") else { return Ok(()) };
    if !password.validate_length(Some(SHORTEST_PASSWORD), None, None) {
        return Err(format!(
            "ADMIN_PASSWORD has fewer than {SHORTEST_PASSWORD} characters; choose another, \
             or unset it to have no admin"
        )
        .into());
    }
    if let Some(admin) = find(&db, ADMIN).await? {
        if !passwords.verify(password, Some(admin.password)).await? {
            tracing::warn!(
                "ADMIN_PASSWORD is not used: there is an account {ADMIN}, \
                 which keeps its own password"
            );
        }
        return Ok(());
    }
    let hash = passwords.hash(password).await?;
    match add(&db, ADMIN, &hash, &PERMISSIONS.join(" ")).await {
        // Another process was faster.
        Ok(_) | Err(Problem::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub async fn add_customer(store: &Store, email: &str, hash: &str) -> Result<i64, Problem> {
    match email {
        ADMIN => Err(Problem::Conflict("this address is the shop's own")),
        _ => add(store, email, hash, OF_CUSTOMERS).await,
    }
}

async fn add(store: &Store, email: &str, hash: &str, scopes: &str) -> Result<i64, Problem> {
    let mut transaction = store.write().await?;
    let id = sqlx::query_scalar(
        "INSERT INTO users (email, password, scopes) VALUES ($1, $2, $3) RETURNING id",
    )
    .bind(email)
    .bind(hash)
    .bind(scopes)
    .fetch_one(&mut *transaction)
    .await
    .map_err(|error| {
        Problem::of_insertion(error, "there is an account for this address already")
    })?;
    transaction.commit().await?;
    Ok(id)
}

pub async fn find(store: &Store, email: &str) -> sqlx::Result<Option<User>> {
    // There is no such address, and PostgreSQL would refuse it as a text.
    if email.contains('\0') {
        return Ok(None);
    }
    sqlx::query_as("SELECT id, password, scopes FROM users WHERE email = $1")
        .bind(email)
        .fetch_optional(&**store)
        .await
}
