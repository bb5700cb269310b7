//! Test of the dashboard.

use serde_json::Value;

use super::*;

/// Labels that Prometheus adds.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// Returns the values of all fields with this name.
fn texts<'j>(json: &'j Value, field: &str) -> Vec<&'j str> {
    match json {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == field => vec![&**text],
                value => texts(value, field),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| texts(value, field)).collect(),
        _ => Vec::new(),
    }
}

/// Returns the names of the metrics in an expression: each stands before its labels.
fn metrics_in(expression: &str) -> Vec<&str> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let before_labels = expression.match_indices('{').map(|(at, _)| &expression[..at]);
    before_labels.map(|text| &text[text.trim_end_matches(is_of_name).len()..]).collect()
}

/// Returns the label and the value of each condition on a metric in an expression.
fn conditions_in(expression: &str) -> Vec<(&str, &str, &str)> {
    let lists = expression.match_indices('{').map(|(at, _)| {
        let (list, _) = expression[at + 1..].split_once('}').expect("the end of its labels");
        (metrics_in(&expression[..=at]).pop().expect("its metric"), list)
    });
    let conditions = lists.flat_map(|(metric, list)| {
        let conditions = list.split("\",").filter(|condition| !condition.is_empty());
        conditions.map(move |condition| {
            let (label, value) = condition.split_once('"').expect("a value");
            (metric, label.trim_matches([' ', '=', '~', '!']), value.trim_matches('"'))
        })
    });
    conditions.collect()
}

/// Returns the values that a label of a metric may have: those of a run that has all families, and
/// those that the page names.
fn values_of(metric: &str, label: &str) -> BTreeSet<String> {
    let page = include_str!("../../../../docs/metrics.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| `{metric}`"))).expect("a row");
    let (_, meaning) = row.trim_end_matches(" |").rsplit_once(" | ").expect("its meaning");
    let named = meaning.split('`').skip(1).step_by(2).map(str::to_owned);
    let found = series(&stopping()).into_iter().filter(|series| series.name == metric);
    let labels = found.flat_map(|series| series.labels);
    labels.filter(|(name, _)| *name == label).map(|(_, value)| value).chain(named).collect()
}

/// Returns the labels that an expression groups by, or that a legend shows.
fn labels_in(text: &str, begin: &str, end: &str) -> Vec<String> {
    let lists = text.split(begin).skip(1).filter_map(|rest| rest.split(end).next());
    lists.flat_map(|list| list.split(',')).map(|label| label.trim().to_owned()).collect()
}

/// Checks that the conditions of an expression can be met: that its metrics have these labels, and
/// those of a few values these values.
fn assert_conditions(expression: &str) {
    for (metric, label, value) in conditions_in(expression) {
        let has = labels_of(metric).contains(label) || OF_PROMETHEUS.contains(&label);
        assert!(has, "{metric} has no {label}: {expression}");
        if ["outcome", "probe", "result", "state", "status"].contains(&label) {
            let values = values_of(metric, label);
            let mut unknown = value.split('|').filter(|value| !values.contains(*value));
            assert_eq!(unknown.next(), None, "a {label} of {metric}: {expression}");
        }
    }
}

#[test]
fn the_alerts_of_the_page_name_metrics_labels_and_values_that_there_are() {
    let page = include_str!("../../../../docs/metrics.md");
    let names: BTreeSet<_> = families().map(MetricFamily::name).collect();
    let alerts = page.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let alerts: Vec<_> = alerts.filter(|alert| alert.contains('{')).collect();
    assert!(alerts.len() > 2, "{alerts:?}");
    for alert in alerts {
        for metric in metrics_in(alert) {
            assert!(names.contains(metric), "{metric} in {alert}");
        }
        assert_conditions(alert);
    }
}

#[test]
fn the_dashboard_names_metrics_and_labels_that_there_are() {
    let dashboard = include_str!("../../../../docs/grafana.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let names: BTreeSet<_> = families().map(MetricFamily::name).collect();
    let expressions = texts(&dashboard, "expr");
    assert!(expressions.len() > 20, "{expressions:?}");
    let mut shown = BTreeSet::new();
    for expression in expressions {
        let metrics = metrics_in(expression);
        assert!(!metrics.is_empty(), "{expression}");
        let mut known: BTreeSet<_> = OF_PROMETHEUS.into();
        for metric in metrics {
            assert!(names.contains(metric), "{metric} in {expression}");
            shown.insert(metric);
            known.extend(labels_of(metric));
        }
        for label in labels_in(expression, "by (", ")") {
            assert!(known.contains(&*label), "{label} in {expression}");
        }
        assert_conditions(expression);
    }
    // A stop that is hurried, and details of a start, are for those who look closer.
    let left_out: Vec<_> = names.iter().filter(|name| !shown.contains(&***name)).collect();
    let expected = [
        "lifecycle_service_time_to_ready_seconds",
        "lifecycle_signal_duration_seconds",
        "lifecycle_stop_hurried",
    ];
    assert_eq!(left_out, expected);
    let targets = dashboard["panels"].as_array().expect("a list").iter();
    for target in targets.filter_map(|panel| panel["targets"].as_array()).flatten() {
        let expression = target["expr"].as_str().expect("an expression");
        let legend = target["legendFormat"].as_str().expect("a legend");
        let known = metrics_in(expression).into_iter().flat_map(labels_of).chain(OF_PROMETHEUS);
        let known: BTreeSet<_> = known.collect();
        for label in labels_in(legend, "{{", "}}") {
            assert!(known.contains(&*label), "{label} in the legend of {expression}");
        }
    }
    for query in texts(&dashboard, "query").into_iter().filter(|query| query.contains('(')) {
        assert!(query.starts_with("label_values(lifecycle_state"), "{query}");
    }
}
