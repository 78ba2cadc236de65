//! Profiles of a few lines.

/// One step, `get`, with one check, `is ok`, under so many virtual users for so long; they pause for 20 ms. What
/// comes after it, such as thresholds, is for the test to add.
pub(crate) fn steady(vus: u32, duration: &str) -> String {
    format!(
        r#"
pause = "20ms"

[target]
url = "http://127.0.0.1:9"

[load]
executor = "constant-vus"
vus = {vus}
duration = "{duration}"
graceful_stop = "1s"

[[step]]
name = "get"
get = "/"
checks = [{{ name = "is ok", status = 200 }}]
"#
    )
}

/// Two steps against the demo: `create` adds an employee, and `delete` takes it back.
pub(crate) const CREATE_AND_DELETE: &str = r#"
[[step]]
name = "create"
post = "/employees"
json = { name = "LoadTest User {{run}}-{{vu}}", email = "{{uuid}}@example.com" }
capture = { id = { json = "$.id" } }
undo = "delete"
[[step]]
name = "delete"
delete = "/employees/{{id}}"
needs = ["id"]
"#;
