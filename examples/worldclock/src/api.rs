//! The routes, which take and answer JSON, and a page that leads to them.

use std::future::ready;

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Html, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Resource, Responder};
use jiff::Timestamp;
use lifecycle_runtime::Dep;
use serde::{Deserialize, Serialize};

use crate::clocks::{self, Clock, ClockChange, NewClock};
use crate::countries::countries;
use crate::error::ApiError;
use crate::store::db;
use crate::zones::{LocalTime, Zone, Zones, zones};

/// Longest body in bytes, far more than any that makes sense here.
const BODY_LIMIT: usize = 4096;

/// Page for people who open the service in a browser.
const PAGE: &str = include_str!("../static/index.html");

pub fn routes(app: &mut web::ServiceConfig) {
    app.app_data(web::JsonConfig::default().limit(BODY_LIMIT).error_handler(ApiError::json))
        .app_data(web::QueryConfig::default().error_handler(ApiError::query))
        .app_data(web::PathConfig::default().error_handler(ApiError::path))
        .service(resource("/", "GET").get(show_page))
        .service(resource("/zones", "GET").get(list_zones))
        .service(resource("/zones/{zone:.*}", "GET").get(show_zone))
        .service(resource("/clocks", "GET, POST").get(list_clocks).post(add_clock))
        .service(
            resource("/clocks/{id}", "GET, PATCH, DELETE")
                .get(show_clock)
                .patch(change_clock)
                .delete(remove_clock),
        )
        .default_service(web::to(|request: HttpRequest| {
            ready(Err::<HttpResponse, _>(ApiError::NoRoute(request.path().to_owned())))
        }));
}

/// Makes a resource that answers every other method with a JSON error, too.
fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| {
        ready(Err::<HttpResponse, _>(ApiError::Method {
            method: request.method().to_string(),
            allowed,
        }))
    }))
}

/// A zone or a clock, and the local time there.
#[derive(Serialize)]
struct Timed<T> {
    #[serde(flatten)]
    what: T,
    #[serde(flatten)]
    time: Option<LocalTime>,
}

impl<'a> Timed<&'a Zone> {
    fn zone(zone: &'a Zone, now: Timestamp) -> Self {
        Self { what: zone, time: Some(zone.time_at(now)) }
    }
}

impl Timed<Clock> {
    fn clock(clock: Clock, zones: &Zones, now: Timestamp) -> Self {
        let time = zones.get(&clock.zone).map(|zone| zone.time_at(now));
        Self { what: clock, time }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    country: Option<String>,
}

async fn show_page() -> impl Responder {
    Html::new(PAGE)
}

async fn list_zones(
    filter: Query<Filter>,
    zones: Dep<zones>,
    countries: Dep<countries>,
) -> Result<impl Responder, ApiError> {
    let country = filter.into_inner().country.map(|code| code.to_ascii_uppercase());
    if let Some(code) = country.as_ref().filter(|code| countries.name(code).is_none()) {
        return Err(ApiError::NoCountry(code.clone()));
    }
    let now = Timestamp::now();
    let listed = zones.iter().filter(|zone| country.as_ref().is_none_or(|code| zone.is_in(code)));
    Ok(HttpResponse::Ok().json(listed.map(|zone| Timed::zone(zone, now)).collect::<Vec<_>>()))
}

async fn show_zone(name: Path<String>, zones: Dep<zones>) -> Result<impl Responder, ApiError> {
    let Some(zone) = zones.get(&name) else {
        return Err(ApiError::NoZone { suggestion: zones.similar(&name), name: name.into_inner() });
    };
    Ok(HttpResponse::Ok().json(Timed::zone(zone, Timestamp::now())))
}

async fn list_clocks(db: Dep<db>, zones: Dep<zones>) -> Result<impl Responder, ApiError> {
    let now = Timestamp::now();
    let clocks = clocks::all(&db).await?.into_iter().map(|clock| Timed::clock(clock, &zones, now));
    Ok(Json(clocks.collect::<Vec<_>>()))
}

async fn add_clock(
    new: Json<NewClock>,
    db: Dep<db>,
    zones: Dep<zones>,
) -> Result<impl Responder, ApiError> {
    check_zone(Some(&new.zone), &zones)?;
    let clock = clocks::add(&db, &new).await?;
    let location = format!("/clocks/{}", clock.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(Timed::clock(
        clock,
        &zones,
        Timestamp::now(),
    )))
}

async fn show_clock(
    id: Path<i64>,
    db: Dep<db>,
    zones: Dep<zones>,
) -> Result<impl Responder, ApiError> {
    found(*id, clocks::find(&db, *id).await?, &zones)
}

async fn change_clock(
    id: Path<i64>,
    change: Json<ClockChange>,
    db: Dep<db>,
    zones: Dep<zones>,
) -> Result<impl Responder, ApiError> {
    check_zone(change.zone.as_deref(), &zones)?;
    found(*id, clocks::change(&db, *id, &change).await?, &zones)
}

async fn remove_clock(id: Path<i64>, db: Dep<db>) -> Result<impl Responder, ApiError> {
    if !clocks::remove(&db, *id).await? {
        return Err(ApiError::NoClock(id.to_string()));
    }
    Ok(HttpResponse::NoContent())
}

fn found(id: i64, clock: Option<Clock>, zones: &Zones) -> Result<impl Responder + use<>, ApiError> {
    let clock = clock.ok_or_else(|| ApiError::NoClock(id.to_string()))?;
    Ok(Json(Timed::clock(clock, zones, Timestamp::now())))
}

fn check_zone(name: Option<&str>, zones: &Zones) -> Result<(), ApiError> {
    match name {
        Some(name) if zones.get(name).is_none() => {
            Err(ApiError::UnknownZone { name: name.to_owned(), suggestion: zones.similar(name) })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
