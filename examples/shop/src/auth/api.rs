//! Sign-up, sign-in and refresh: the password flow of OAuth2.

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

/// Length in characters.
pub const SHORTEST_PASSWORD: u64 = 12;

/// Adds the routes. Those that hash a password have a limit of their own.
pub fn routes(app: &mut ServiceConfig<'_>) {
    app.service(scope("/users").wrap(from_fn(limit_sign_ins)).service(sign_up));
    app.service(scope("/token").wrap(from_fn(limit_sign_ins)).service(sign_in));
}

/// An account to make.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The address that mails go to, and the name to sign in with.
    #[validate(length(max = 254), custom(function = mail_address))]
    #[schema(format = Email, max_length = 254, example = "ana@example.org")]
    email: String,
    #[validate(length(min = "SHORTEST_PASSWORD", max = 128))]
    #[schema(min_length = 12, max_length = 128, example = "correct horse battery")]
    password: String,
}

/// An account that was made.
#[derive(Serialize, ToSchema)]
struct NewUserId {
    #[schema(example = 1)]
    id: i64,
}

/// Makes an account.
///
/// It may place orders and see its own. `POST /token` signs in.
#[utoipa::path(
    tag = "account",
    request_body = NewUser,
    responses(
        (status = CREATED, description = "The id of the account", body = NewUserId),
        (
            status = CONFLICT,
            description = "There is an account for this address already, or the address is \
                           the shop's own",
            body = Refusal,
            example = json!({ "detail": "there is an account for this address already" })
        ),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["body", "password"], "msg": "has to be 12 to 128 long", "type": "length",
            }] })
        ),
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

/// A token request of OAuth2. Any other field is ignored, as RFC 6749 says.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "grant_type", rename_all = "snake_case")]
enum Grant {
    Password {
        #[schema(example = "ana@example.org")]
        username: String,
        #[schema(format = Password, example = "correct horse battery")]
        password: String,
        /// Scopes for the token, separated by spaces; by default all that the user may have.
        #[serde(default)]
        #[schema(example = "orders:read orders:write")]
        scope: String,
    },
    RefreshToken {
        #[schema(example = "cfhYq0Zu9iTt1y1gGgV4DjnZ3fL1mYf0QJ8bX2wK7dE")]
        refresh_token: String,
    },
}

/// Tokens of a sign-in.
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// The token for the header `authorization: Bearer …` of every request.
    #[schema(example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The time until the access token expires, in seconds.
    #[schema(example = 900)]
    expires_in: i64,
    /// A token for one use, which gives the next one.
    #[schema(example = "cfhYq0Zu9iTt1y1gGgV4DjnZ3fL1mYf0QJ8bX2wK7dE")]
    refresh_token: String,
    /// The scopes of the access token, separated by spaces.
    #[schema(example = "orders:read orders:write")]
    scope: String,
}

/// Signs in with a password, or stays signed in with a refresh token.
///
/// This is the token endpoint of OAuth2 (RFC 6749), with the grants `password` and `refresh_token`.
/// A refresh token is good once. A second use ends the whole sign-in, as the token may have been
/// stolen.
#[utoipa::path(
    tag = "account",
    request_body(content = Grant, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = OK,
            description = "An access token, and a refresh token for the next one",
            body = Tokens
        ),
        (
            status = BAD_REQUEST,
            description = "The password is wrong, the refresh token is not good any more, or \
                           the user may not have a scope that is asked for",
            body = GrantRefusal
        ),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["body", "grant_type"],
                "msg": "unknown variant `magic`, expected `password` or `refresh_token`",
                "type": "value",
            }] })
        ),
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

/// Returns the scopes that are asked for, if the user may have all of them; if none is asked for,
/// all that the user may have.
fn granted(asked: &str, may_have: &str) -> Result<String, Problem> {
    let asked: Vec<_> = asked.split_whitespace().collect();
    if asked.is_empty() {
        return Ok(may_have.to_owned());
    }
    let is_allowed = |scope: &str| may_have.split(' ').any(|may| may == scope);
    if asked.iter().all(|scope| is_allowed(scope)) { Ok(asked.join(" ")) } else { Err(WRONG_SCOPE) }
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
