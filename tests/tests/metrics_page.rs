//! Checks of the page about metrics and of the dashboard, as far as Prometheus reads them. The
//! names in them are checked beside the metrics themselves.

use lifecycle_tests::promtool;
use serde_json::Value;

const PAGE: &str = include_str!("../../lifecycle-runtime/docs/metrics.md");

/// Returns the block of YAML on the page that begins with this line.
fn yaml(first: &str) -> &'static str {
    let blocks = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next());
    let mut blocks = blocks.map(|block| block.expect("its end"));
    blocks.find(|block| block.starts_with(first)).unwrap_or_else(|| panic!("no {first}"))
}

#[test]
fn prometheus_takes_the_scrape_config_of_the_page() {
    promtool::check("config", yaml("scrape_configs:"));
}

#[test]
fn prometheus_takes_the_alerts_of_the_page() {
    let rules = yaml("groups:");
    assert!(rules.matches("- alert:").count() > 4, "{rules}");
    promtool::check("rules", rules);
}

/// Returns the rules that record the expressions of a dashboard.
fn rules(json: &Value, rules: &mut Vec<Value>) {
    match json {
        Value::Object(fields) => {
            if let Some(expression) = fields.get("expr").and_then(Value::as_str) {
                let expression = expression
                    .replace("$job", ".*")
                    .replace("$instance", ".*")
                    .replace("$__rate_interval", "1m")
                    .replace("$__interval", "1m")
                    .replace("$__range", "1h");
                assert!(!expression.contains('$'), "{expression}");
                let name = format!("expression_{}", rules.len());
                rules.push(serde_json::json!({ "record": name, "expr": expression }));
            }
            fields.values().for_each(|value| self::rules(value, rules));
        }
        Value::Array(values) => values.iter().for_each(|value| self::rules(value, rules)),
        _ => {}
    }
}

#[test]
fn prometheus_takes_the_expressions_of_the_dashboard() {
    let dashboard = include_str!("../../lifecycle-runtime/docs/grafana.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let mut found = Vec::new();
    rules(&dashboard, &mut found);
    assert!(found.len() > 20, "{found:?}");
    // JSON is YAML, too.
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": found }] });
    promtool::check("rules", &groups.to_string());
}
