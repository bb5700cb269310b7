//! Settings, which come from a file and the environment. Secrets come from the environment only.

use std::num::NonZeroU32;

use config::{Config, ConfigError, Environment, File};
use jiff::SignedDuration;
use lettre::Address;
use lettre::message::Mailbox;
use lifecycle_runtime::on_startup;
use serde::Deserialize;

/// Settings of the service: the defaults, overridden by the file that `SHOP_FILE` names
/// (`shop.toml` if there is one), overridden by the environment: `SHOP_WEBHOOK_URL` is
/// `webhook_url`.
///
/// There is no secret among them, so the file can be kept in a repository: it has no key for one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Longest wait for a database that can't be reached; none by default.
    pub database_patience: SignedDuration,
    /// URL that orders are delivered to. Without it they wait in the outbox until there is one.
    pub webhook_url: Option<String>,
    /// Longest time that the receiver may take to answer; 5 s by default. A delivery that was
    /// interrupted, by a crash for example, is made again after twice this time.
    pub webhook_timeout: SignedDuration,
    /// Sender of mails; `Shop <orders@shop.test>` by default.
    pub mail_from: Mailbox,
    /// Origins whose pages may call the API (CORS): `["https://shop.example"]`, in the environment
    /// separated by commas; none by default.
    pub allowed_origins: Vec<String>,
    /// Lifetime of an access token; 15 minutes by default.
    pub token_lifetime: SignedDuration,
    /// Lifetime of a refresh token; 14 days by default.
    pub refresh_lifetime: SignedDuration,
    /// Number of proxies in front of the shop, each of which adds its client's address to
    /// `X-Forwarded-For`; none by default. It has to be right: with too many a client can claim to
    /// be another one, with too few all clients count as one.
    pub proxies: usize,
    /// Number of requests that one address may make at once; 100 by default.
    pub burst: NonZeroU32,
    /// Number of further requests that it may make in each second; 50 by default.
    pub requests_per_second: NonZeroU32,
    /// Number of passwords that one address may try at once, and of further ones in each minute; 10
    /// by default.
    pub sign_ins_per_minute: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_patience: SignedDuration::ZERO,
            webhook_url: None,
            webhook_timeout: SignedDuration::from_secs(5),
            mail_from: Mailbox::new(
                Some("Shop".to_owned()),
                Address::new("orders", "shop.test").expect("an address"),
            ),
            allowed_origins: Vec::new(),
            token_lifetime: SignedDuration::from_mins(15),
            refresh_lifetime: SignedDuration::from_hours(14 * 24),
            proxies: 0,
            burst: const { NonZeroU32::new(100).unwrap() },
            requests_per_second: const { NonZeroU32::new(50).unwrap() },
            sign_ins_per_minute: const { NonZeroU32::new(10).unwrap() },
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}; a setting is a key of shop.toml, or a variable like SHOP_WEBHOOK_URL")]
    Unreadable(#[from] ConfigError),
    #[error("{0}")]
    Wrong(String),
}

/// Reads the settings before anything is opened: a misspelt setting ends the start instead of being
/// ignored.
#[on_startup]
pub fn settings() -> Result<Settings, SettingsError> {
    let file = match std::env::var("SHOP_FILE") {
        Ok(named) => File::with_name(&named),
        Err(_) => File::with_name("shop.toml").required(false),
    };
    Settings::read(
        file,
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )
}

impl Settings {
    fn read(
        file: File<
            impl config::FileSource<config::FileFormat> + Send + Sync + 'static,
            config::FileFormat,
        >,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        // In Kubernetes a service of the name `shop` puts its addresses into the environment of
        // every container.
        let is_ours = |name: &str| {
            name != "SHOP_FILE" && !name.starts_with("SHOP_SERVICE_") && !is_port(name)
        };
        let variables = variables.filter(|(name, _)| is_ours(name)).collect();
        let environment = Environment::with_prefix("SHOP")
            .source(Some(variables))
            // `SHOP_WEBHOOK_URL=` counts as unset.
            .ignore_empty(true)
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("allowed_origins");
        let settings: Self = Config::builder()
            .add_source(file)
            .add_source(environment)
            .build()?
            .try_deserialize()?;
        match settings.problem() {
            Some(problem) => Err(SettingsError::Wrong(problem)),
            None => Ok(settings),
        }
    }

    fn problem(&self) -> Option<String> {
        let times = [
            (
                "webhook_timeout",
                self.webhook_timeout,
                1,
                8,
                "what is under way is finished when the shop stops",
            ),
            ("token_lifetime", self.token_lifetime, 1_000, 24 * 3_600, "it can't be revoked"),
            (
                "refresh_lifetime",
                self.refresh_lifetime,
                1_000,
                400 * 24 * 3_600,
                "nobody comes back after that",
            ),
            ("database_patience", self.database_patience, 0, 50, "a start takes a minute at most"),
        ];
        for (name, time, least, most, why) in times {
            let (least, most) =
                (SignedDuration::from_millis(least), SignedDuration::from_secs(most));
            if time < least || time > most {
                return Some(format!("`{name}` is {time:#}; give it {least:#} to {most:#}: {why}"));
            }
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return Some(format!(
                "`allowed_origins` has `{origin}`; an origin is like https://shop.example, \
                 without a path and without `*`"
            ));
        }
        let url = self.webhook_url.as_ref()?;
        match reqwest::Url::parse(url) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => None,
            Ok(_) => {
                Some(format!("`webhook_url` is `{url}`; it has to begin with http:// or https://"))
            }
            Err(error) => Some(format!("`webhook_url` is `{url}`: {error}")),
        }
    }
}

/// Returns whether this is `SHOP_PORT`, `SHOP_PORT_80_TCP` …
fn is_port(name: &str) -> bool {
    name.strip_prefix("SHOP_PORT").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Returns whether a browser could send this as `Origin`.
fn is_origin(text: &str) -> bool {
    let is_url = reqwest::Url::parse(text)
        .is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == text);
    is_url && !text.contains('*')
}

#[cfg(test)]
mod tests {
    use config::FileFormat;

    use super::*;

    fn read(file: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(File::from_str(file, FileFormat::Toml), variables)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn have_defaults() {
        assert_eq!(read("", &[("PATH", "/bin"), ("SHOP_FILE", "x")]), Ok(Settings::default()));
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let file =
            "webhook_url = 'http://a'\nwebhook_timeout = '2s'\nallowed_origins = ['http://x']";
        let settings =
            read(file, &[("SHOP_WEBHOOK_URL", "http://b"), ("SHOP_BURST", "7")]).unwrap();
        assert_eq!(settings.webhook_url.as_deref(), Some("http://b"));
        assert_eq!(
            (settings.webhook_timeout, settings.burst.get()),
            (SignedDuration::from_secs(2), 7)
        );
        assert_eq!(settings.allowed_origins, ["http://x"]);
        assert_eq!(
            read(file, &[("SHOP_WEBHOOK_URL", "")]).unwrap().webhook_url.as_deref(),
            Some("http://a")
        );
        let settings = read(file, &[("SHOP_ALLOWED_ORIGINS", "http://y,http://z")]).unwrap();
        assert_eq!(settings.allowed_origins, ["http://y", "http://z"]);
    }

    #[test]
    fn what_kubernetes_says_of_a_service_of_this_name_is_no_setting() {
        let variables =
            ["SHOP_SERVICE_HOST", "SHOP_SERVICE_PORT_HTTP", "SHOP_PORT", "SHOP_PORT_80_TCP_ADDR"];
        assert_eq!(read("", &variables.map(|name| (name, "10.0.0.1"))), Ok(Settings::default()));
        refused("", &[("SHOP_PORTS", "80")], "unknown field `ports`");
    }

    #[track_caller]
    fn refused(file: &str, variables: &[(&str, &str)], part: &str) {
        let error = read(file, variables).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused("webhok_url = 'http://a'", &[], "unknown field `webhok_url`");
        refused("jwt_secret = 'x'", &[], "unknown field `jwt_secret`");
        refused("", &[("SHOP_WEBHOK_URL", "http://a")], "unknown field `webhok_url`");
        refused("burst = 'many'", &[], "for key `burst`");
        refused("mail_from = 'nobody'", &[], "for key `mail_from`");
        refused("", &[("SHOP_BURST", "0")], "expected a nonzero u32 for key `burst`");
        refused(
            "",
            &[("SHOP_WEBHOOK_TIMEOUT", "0s")],
            "`webhook_timeout` is 0s; give it 1ms to 8s",
        );
        refused("", &[("SHOP_WEBHOOK_TIMEOUT", "1m")], "`webhook_timeout` is 1m");
        refused("", &[("SHOP_TOKEN_LIFETIME", "500ms")], "`token_lifetime` is 500ms");
        refused("", &[("SHOP_DATABASE_PATIENCE", "10m")], "`database_patience` is 10m");
        for origin in
            ["*", "shop.example", "https://shop.example/", "https://*.shop.example", "mailto:a"]
        {
            refused(
                "",
                &[("SHOP_ALLOWED_ORIGINS", origin)],
                &format!("`allowed_origins` has `{origin}`"),
            );
        }
        refused("", &[("SHOP_WEBHOOK_URL", "ftp://a")], "has to begin with http:// or https://");
    }
}
