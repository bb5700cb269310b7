//! Who is asking, and what they may do.

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

/// Something that a token can allow.
pub trait Permission {
    /// As it stands in a token.
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        $($(#[$doc])* pub struct $name; impl Permission for $name { const NAME: &'static str = $text; })*

        /// The names of all, in their order.
        pub const PERMISSIONS: &[&str] = &[$($text),*];
    };
}

permissions! {
    /// To see one's own orders.
    ReadOrders: "orders:read";
    /// To place orders.
    WriteOrders: "orders:write";
    /// To see all orders, and to change what can be ordered.
    Admin: "admin";
}

/// What everybody may do who has an account.
const OF_CUSTOMERS: &str = "orders:read orders:write";

/// Whoever sent the request, with a token that allows `P`: an argument of the handlers that need
/// it.
pub struct Granted<P> {
    pub user: i64,
    /// When the token expires.
    pub until: Timestamp,
    is_admin: bool,
    permission: PhantomData<P>,
}

impl<P> Granted<P> {
    /// Whose orders they see: nothing stands for everybody's.
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
