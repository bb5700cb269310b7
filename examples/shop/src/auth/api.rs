//! Signing up, signing in, and staying signed in: OAuth2's password flow.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Responder, post};
use lifecycle_runtime::Dep;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::passwords::passwords;
use super::refresh::{self, Holder};
use super::tokens::token_keys;
use super::users;
use crate::clock::clock;
use crate::input::{Body, Form};
use crate::limits::limit_sign_ins;
use crate::mail::mail_address;
use crate::problem::{GrantRefusal, Invalid, Problem, Refusal};
use crate::settings::settings;
use crate::store::db;

/// In characters.
pub const SHORTEST_PASSWORD: u64 = 12;

/// Whatever hashes a password is limited by itself.
pub fn routes(app: &mut ServiceConfig<'_>) {
    app.service(scope("/users").wrap(from_fn(limit_sign_ins)).service(sign_up));
    app.service(scope("/token").wrap(from_fn(limit_sign_ins)).service(sign_in));
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    #[validate(length(max = 254), custom(function = mail_address))]
    #[schema(format = Email, max_length = 254, example = "ana@example.org")]
    email: String,
    #[validate(length(min = "SHORTEST_PASSWORD", max = 128))]
    #[schema(min_length = 12, max_length = 128, example = "correct horse battery")]
    password: String,
}

#[derive(Serialize, ToSchema)]
struct NewUserId {
    id: i64,
}

/// Makes an account.
#[utoipa::path(
    tag = "account",
    request_body = NewUser,
    responses(
        (status = CREATED, body = NewUserId),
        (status = CONFLICT, description = "There is one for this address, or the address is the shop's own", body = Refusal),
        (status = UNPROCESSABLE_ENTITY, body = Invalid),
    )
)]
#[post("")]
async fn sign_up(
    new: Body<NewUser>,
    db: Dep<db>,
    passwords: Dep<passwords>,
) -> Result<impl Responder, Problem> {
    let Body(NewUser { email, password }) = new;
    let hash = passwords.hash(password).await?;
    let id = users::add_customer(&db, &email.to_lowercase(), &hash).await?;
    Ok(HttpResponse::Created().json(NewUserId { id }))
}

/// What OAuth2 calls a token request. What else a client sends is ignored, as RFC 6749 says.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "grant_type", rename_all = "snake_case")]
enum Grant {
    Password {
        #[schema(example = "ana@example.org")]
        username: String,
        #[schema(format = Password)]
        password: String,
        /// Some of what the user may do, separated by spaces; all of it by default.
        #[serde(default)]
        scope: String,
    },
    RefreshToken {
        refresh_token: String,
    },
}

#[derive(Serialize, ToSchema)]
struct Tokens {
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// In seconds.
    expires_in: i64,
    /// For one use, which gives the next one.
    refresh_token: String,
    scope: String,
}

/// Signs in with a password, or stays signed in with a refresh token.
#[utoipa::path(
    tag = "account",
    request_body(content = Grant, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = Tokens),
        (status = BAD_REQUEST, body = GrantRefusal),
        (status = UNPROCESSABLE_ENTITY, body = Invalid),
    )
)]
#[post("")]
async fn sign_in(
    form: Form<Grant>,
    db: Dep<db>,
    passwords: Dep<passwords>,
    keys: Dep<token_keys>,
    clock: Dep<clock>,
    settings: Dep<settings>,
) -> Result<impl Responder, Problem> {
    let lifetime = settings.refresh_lifetime;
    let (holder, refresh_token) = match form.0 {
        Grant::Password { username, password, scope } => {
            let user = users::find(&db, &username.to_lowercase()).await?;
            let hash = user.as_ref().map(|user| user.password.clone());
            let is_right = passwords.verify(password, hash).await?;
            let user = user.filter(|_| is_right).ok_or(WRONG_PASSWORD)?;
            let holder = Holder::new(user.id, granted(&scope, &user.scopes)?);
            let token = refresh::issue(&**db, &holder, clock.now(), lifetime).await?;
            (holder, token)
        }
        Grant::RefreshToken { refresh_token } => {
            refresh::redeem(&db, &refresh_token, clock.now(), lifetime).await?.ok_or(WRONG_TOKEN)?
        }
    };
    let access_token = keys
        .sign(holder.user_id, &holder.scopes, clock.now(), settings.token_lifetime)
        .map_err(Problem::Internal)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Tokens {
        access_token,
        token_type: "bearer",
        expires_in: settings.token_lifetime.as_secs(),
        refresh_token,
        scope: holder.scopes,
    }))
}

const WRONG_PASSWORD: Problem = Problem::Grant {
    error: "invalid_grant",
    description: "there is no such user, or the password is another",
};
const WRONG_TOKEN: Problem = Problem::Grant {
    error: "invalid_grant",
    description: "the refresh token is not good any more; sign in again",
};
const WRONG_SCOPE: Problem = Problem::Grant {
    error: "invalid_scope",
    description: "the user may not have one of the scopes that are asked for",
};

/// What is asked for, if all of it may be had; everything, if nothing is.
fn granted(asked: &str, may_have: &str) -> Result<String, Problem> {
    let asked: Vec<_> = asked.split_whitespace().collect();
    if asked.is_empty() {
        return Ok(may_have.to_owned());
    }
    match asked.iter().all(|scope| may_have.split(' ').any(|may| may == *scope)) {
        true => Ok(asked.join(" ")),
        false => Err(WRONG_SCOPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gets_what_is_asked_for_if_the_user_may_have_it() {
        assert_eq!(granted("", "a b").unwrap(), "a b");
        assert_eq!(granted(" b  a", "a b").unwrap(), "b a");
        assert!(granted("a c", "a b").is_err());
        assert!(granted("a", "ab").is_err());
    }
}
