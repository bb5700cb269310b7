//! Authentication of requests, and the permissions of their users.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Ready, ready};
use jiff::Timestamp;
use lifecycle_runtime::Dep;

use crate::clock::clock;
use crate::problem::Problem;

mod api;
mod passwords;
mod refresh;
mod tokens;
mod users;

pub use api::routes;
pub use tokens::token_keys;
#[cfg(test)]
pub use tokens::{TokenKeys, tests::SECRET};

/// An action that a token can allow.
pub trait Permission {
    /// Name of the permission in a token.
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl Permission for $name {
                const NAME: &'static str = $text;
            }
        )*

        /// Names of all permissions, in their order.
        pub const PERMISSIONS: &[&str] = &[$($text),*];
    };
}

permissions! {
    /// Permission to see one's own orders.
    ReadOrders: "orders:read";
    /// Permission to place orders.
    WriteOrders: "orders:write";
    /// Permission to see all orders, and to change what can be ordered.
    Admin: "admin";
}

/// Permissions of every user who has an account.
const OF_CUSTOMERS: &str = "orders:read orders:write";

/// The user who sent the request with a token that allows `P`. Handlers that need the permission
/// take it as an argument.
pub struct Granted<P> {
    pub user: i64,
    /// Time at which the token expires.
    pub until: Timestamp,
    is_admin: bool,
    permission: PhantomData<P>,
}

impl<P> Granted<P> {
    /// Returns the user whose orders the sender may see; `None` stands for every user.
    pub fn sees(&self) -> Option<i64> {
        (!self.is_admin).then_some(self.user)
    }
}

impl<P: Permission> FromRequest for Granted<P> {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready((|| {
            let keys = Dep::<token_keys>::from_request(request, payload).into_inner()?;
            let clock = Dep::<clock>::from_request(request, payload).into_inner()?;
            let claims = keys.read(bearer(request)?, clock.now())?;
            if !claims.allows(P::NAME) {
                return Err(Problem::Forbidden(P::NAME).into());
            }
            Ok(Self {
                user: claims.user()?,
                until: claims.until(),
                is_admin: claims.allows(Admin::NAME),
                permission: PhantomData,
            })
        })())
    }
}

fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let header =
        request.headers().get(AUTHORIZATION).ok_or(Problem::Unauthorized("not authenticated"))?;
    let token = header.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    token.ok_or(Problem::Unauthorized("the header `authorization` has to be `Bearer` and a token"))
}
