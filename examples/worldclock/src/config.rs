//! Configuration of the service, all of it by environment variables.

use std::ffi::OsString;
use std::path::PathBuf;

use lifecycle_runtime::on_startup;

/// The service's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `WORLDCLOCK_DB`: the database file, created if there is none; `worldclock.db` by default.
    pub database: PathBuf,
    /// `WORLDCLOCK_ZONES`: a zone table to import in place of the one that comes with the binary.
    pub zones: Option<PathBuf>,
    /// `WORLDCLOCK_BACKUP`: the path for a copy of the database when the service stops; no copy by
    /// default.
    pub backup: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "there is no setting {0}; the settings are WORLDCLOCK_DB, WORLDCLOCK_ZONES and \
         WORLDCLOCK_BACKUP"
    )]
    Unknown(String),
    #[error("{0} is empty; set it to the path of a file, or unset it")]
    Empty(String),
}

/// Reads the environment before anything is opened: a misspelt setting ends the start instead of
/// being ignored.
#[on_startup]
pub fn config() -> Result<Config, ConfigError> {
    Config::from_vars(std::env::vars_os())
}

impl Config {
    fn from_vars(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self { database: "worldclock.db".into(), zones: None, backup: None };
        for (name, value) in vars {
            let name = name.to_string_lossy();
            if !name.starts_with("WORLDCLOCK_") {
                continue;
            }
            if value.is_empty() {
                return Err(ConfigError::Empty(name.into_owned()));
            }
            match &*name {
                "WORLDCLOCK_DB" => config.database = value.into(),
                "WORLDCLOCK_ZONES" => config.zones = Some(value.into()),
                "WORLDCLOCK_BACKUP" => config.backup = Some(value.into()),
                _ => return Err(ConfigError::Unknown(name.into_owned())),
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_vars(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_vars(vars.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn has_defaults() {
        let config = from_vars(&[("PATH", "/bin")]).unwrap();
        assert_eq!(config, Config { database: "worldclock.db".into(), zones: None, backup: None });
    }

    #[test]
    fn takes_paths() {
        let config =
            from_vars(&[("WORLDCLOCK_DB", "/var/lib/clock.db"), ("WORLDCLOCK_ZONES", "zones.csv")])
                .unwrap();
        assert_eq!(config.database, PathBuf::from("/var/lib/clock.db"));
        assert_eq!(config.zones, Some("zones.csv".into()));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(
            from_vars(&[("WORLDCLOCK_DBB", "x")]),
            Err(ConfigError::Unknown("WORLDCLOCK_DBB".into()))
        );
        assert_eq!(
            from_vars(&[("WORLDCLOCK_DB", "")]),
            Err(ConfigError::Empty("WORLDCLOCK_DB".into()))
        );
    }
}
