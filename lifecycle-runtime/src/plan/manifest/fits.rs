//! Check of a user's own manifest against the times that the program needs.

mod compose;
mod dockerfile;
mod kubernetes;
mod needed;
mod systemd;
mod times;
mod words;

use serde_json::Value;

use super::Program;
use crate::plan::Plan;

impl Plan {
    /// Panics if a manifest leaves the program less time than it needs: for a unit test of a
    /// program, with the text of the file that the program is deployed by.
    ///
    /// These are read: YAML or JSON for Kubernetes (every document with a pod in it: of a
    /// Deployment, a `StatefulSet`, a `CronJob` and the like), a file of compose, a service unit of
    /// systemd, and a Dockerfile. The following is found:
    ///
    /// - `terminationGracePeriodSeconds`, `stop_grace_period` or `TimeoutStopSec` that is not at
    ///   least a second longer than the grace period, even where it is the default (30 s, 10 s and
    ///   90 s), or as a `preStop` hook has used it up
    /// - a startup probe, or the `TimeoutStartSec` of a unit that waits for the start, that is over
    ///   before `startup_timeout`
    /// - a shell as process 1 of an image, which passes no signal on, and a signal for the stop
    ///   that begins none
    /// - `LIFECYCLE_*` variables that the program would refuse. Those that set a time count:
    ///   `LIFECYCLE_GRACE` in a manifest is the grace period of that program.
    ///
    /// Of several containers or services, those count that have the name of the program, a variable
    /// of its or its probes. Where the grace period is not set, the default of the place counts:
    /// 9 s with compose, else 25 s.
    ///
    /// # Panics
    ///
    /// If something doesn't fit: the message has each value, the place where it is, and what would
    /// fit. Also if the text is no manifest: the message says where it is none.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::Lifecycle;
    /// use std::time::Duration;
    ///
    /// // In a test: `include_str!("../deploy/service.yaml")`.
    /// let manifest = "
    /// services:
    ///   shop:
    ///     image: registry.example/shop:1
    ///     stop_grace_period: 30s
    /// ";
    /// Lifecycle::new().grace(Duration::from_secs(25)).plan()?.assert_fits(manifest);
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    #[track_caller]
    pub fn assert_fits(&self, manifest: &str) {
        let misfits = misfits(&self.program(), manifest);
        assert!(misfits.is_empty(), "{}", misfits.join("\n"));
    }
}

/// Returns everything in a manifest that doesn't fit a program, or the reason for which it is no
/// manifest.
pub(super) fn misfits(program: &Program, manifest: &str) -> Vec<String> {
    let found = if systemd::is_unit(manifest) {
        systemd::misfits(program, manifest)
    } else if dockerfile::is_dockerfile(manifest) {
        dockerfile::misfits(program, manifest)
    } else {
        documents(manifest).and_then(|documents| in_documents(program, &documents))
    };
    found.unwrap_or_else(|error| vec![error])
}

/// Parses the documents of a manifest.
fn documents(manifest: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(manifest, options)
        .map_err(|error| format!("this is no manifest: {error}"))
}

fn in_documents(program: &Program, documents: &[Value]) -> Result<Vec<String>, String> {
    let mut pods = Vec::new();
    let mut services = None;
    for document in documents {
        if document.get("kind").is_some() {
            pods.extend(kubernetes::pods(document));
        } else if let Some(named) = document.get("services") {
            services = Some(named);
        } else {
            return Err(format!(
                "this is no manifest: a document has neither `kind`, as one for Kubernetes, nor \
                 `services`, as one of compose: {}",
                beginning(document)
            ));
        }
    }
    if let Some(services) = services {
        return compose::misfits(program, services);
    }
    if pods.is_empty() {
        return Err("this is no manifest of a program: nothing in it has containers".to_owned());
    }
    let mut misfits = Vec::new();
    for pod in pods {
        misfits.extend(kubernetes::misfits(program, &pod)?);
    }
    Ok(misfits)
}

/// Returns the first part of a document, by which people recognise it.
fn beginning(document: &Value) -> String {
    document.to_string().chars().take(60).collect()
}
