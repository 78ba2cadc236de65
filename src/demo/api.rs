//! Routing, and what each route answers. It knows neither sockets nor clocks.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::count::Route;
use super::store::{Employee, Fields, Store, Taken};

/// One answer, complete.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The `Allow` header, which a 405 must have (RFC 9110 §15.5.6).
    pub(super) allow: Option<&'static str>,
    /// JSON.
    pub(super) body: Vec<u8>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Health,
    List,
    Stats,
    Create,
    Update(i64),
    Find(i64),
    Delete(i64),
    /// The path exists, for these methods.
    WrongMethod(&'static str),
    Unknown,
    /// `GET /__count`, which the server answers itself.
    Count,
}

impl Call {
    /// The call that a method and a path make.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let is = |wanted: &Method| method == wanted;
        match path {
            "/health" if is(&Method::GET) => Self::Health,
            "/stats" if is(&Method::GET) => Self::Stats,
            "/__count" if is(&Method::GET) => Self::Count,
            "/health" | "/stats" | "/__count" => Self::WrongMethod("GET"),
            "/employees" if is(&Method::GET) => Self::List,
            "/employees" if is(&Method::POST) => Self::Create,
            "/employees" => Self::WrongMethod("GET, POST"),
            _ => match path.strip_prefix("/employees/").and_then(|id| id.parse().ok()) {
                Some(id) if is(&Method::GET) => Self::Find(id),
                Some(id) if is(&Method::PUT) => Self::Update(id),
                Some(id) if is(&Method::DELETE) => Self::Delete(id),
                Some(_) => Self::WrongMethod("GET, PUT, DELETE"),
                None => Self::Unknown,
            },
        }
    }

    /// The route it counts for; `None` for the count itself.
    pub(super) const fn route(self) -> Option<Route> {
        Some(match self {
            Self::Health => Route::Health,
            Self::List => Route::List,
            Self::Stats => Route::Stats,
            Self::Create => Route::Create,
            Self::Update(_) => Route::Update,
            Self::Find(_) => Route::Find,
            Self::Delete(_) => Route::Delete,
            Self::WrongMethod(_) | Self::Unknown => Route::Other,
            Self::Count => return None,
        })
    }
}

impl Answer {
    /// A JSON error.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "error": message }))
    }

    /// 200 with that body.
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("invariant: bodies have string keys and no custom serializers");
        Self { status, allow: None, body }
    }

    fn not_found(id: i64) -> Self {
        Self::error(StatusCode::NOT_FOUND, &format!("no employee has the id {id}"))
    }

    fn taken() -> Self {
        Self::error(StatusCode::CONFLICT, "another employee has this email")
    }

    fn bad_request(message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, message)
    }
}

/// Does what the call asks for.
pub(super) fn answer(store: &Store, call: Call, query: &str, body: &[u8]) -> Answer {
    match call {
        Call::Health => Answer::ok(&json!({ "status": "healthy", "database": "connected" })),
        Call::List => list(store, query),
        Call::Stats => Answer::ok(&store.stats()),
        Call::Create => create(store, body),
        Call::Update(id) => update(store, id, body),
        Call::Find(id) => store.find(id).map_or_else(|| Answer::not_found(id), |found| Answer::ok(&found)),
        Call::Delete(id) if store.delete(id) => Answer::ok(&json!({ "id": id, "deleted": true })),
        Call::Delete(id) => Answer::not_found(id),
        Call::WrongMethod(allow) => Answer {
            allow: Some(allow),
            ..Answer::error(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allow} here"))
        },
        Call::Unknown | Call::Count => Answer::error(StatusCode::NOT_FOUND, "no such path"),
    }
}

/// The body of `GET /employees`.
#[derive(Serialize)]
struct Listing {
    employees: Vec<Employee>,
    total: usize,
    page: usize,
    per_page: usize,
    pages: usize,
}

/// More on one page than this and a single request would be a load of its own.
const MAX_PER_PAGE: usize = 100;

fn list(store: &Store, query: &str) -> Answer {
    let (Some(page), Some(per_page)) = (positive(query, "page", 1), positive(query, "per_page", 10)) else {
        return Answer::bad_request("page and per_page are numbers from 1");
    };
    let per_page = per_page.min(MAX_PER_PAGE);
    let total = store.rows();
    let employees = store.list((page - 1).saturating_mul(per_page), per_page);
    Answer::ok(&Listing { employees, total, page, per_page, pages: total.div_ceil(per_page) })
}

/// The parameter of that name, or its default; `None` if it is there and no number from 1.
fn positive(query: &str, name: &str, default: usize) -> Option<usize> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.map_or(Some(default), |value| value.parse().ok().filter(|&number| number >= 1))
}

fn create(store: &Store, body: &[u8]) -> Answer {
    let fields = match fields(body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if fields.name.is_none() || fields.email.is_none() {
        return Answer::bad_request("name and email are required");
    }
    match store.create(fields) {
        Ok(created) => Answer::json(StatusCode::CREATED, &created),
        Err(Taken) => Answer::taken(),
    }
}

fn update(store: &Store, id: i64, body: &[u8]) -> Answer {
    let fields = match fields(body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    match store.update(id, fields) {
        Ok(Some(updated)) => Answer::ok(&updated),
        Ok(None) => Answer::not_found(id),
        Err(Taken) => Answer::taken(),
    }
}

/// The fields of a JSON object; what is there must have its type, and a name or an address is never blank.
fn fields(body: &[u8]) -> Result<Fields, Answer> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Answer::bad_request(&format!("not JSON: {error}")))?;
    if !value.is_object() {
        return Err(Answer::bad_request("a JSON object is expected"));
    }
    let fields: Fields =
        serde_json::from_value(value).map_err(|error| Answer::bad_request(&error.to_string()))?;
    let is_blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    if is_blank(&fields.name) || is_blank(&fields.email) {
        return Err(Answer::bad_request("name and email are required"));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(store: &Store, request: &str, body: &str, status: u16, expected: &Value) {
        let (method, uri) = request.split_once(' ').unwrap();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let call = Call::of(&method.parse().unwrap(), path);
        let answer = answer(store, call, query, body.as_bytes());
        let mut found: Value = serde_json::from_slice(&answer.body).unwrap();
        if let Some(object) = found.as_object_mut() {
            object.shift_remove("created_at");
        }
        assert_eq!((answer.status.as_u16(), &found), (status, expected), "{request}");
    }

    #[test]
    fn every_route_answers_as_the_employees_service_does() {
        let store = Store::open(0);
        let ada = json!({"id": 1, "name": "Ada", "email": "a@b.c", "department": "QA", "salary": 5.5});
        let bob = json!({"id": 2, "name": "Bob", "email": "b@b.c", "department": null, "salary": null});
        let error = |message: &str| json!({ "error": message });
        let ada_body = r#"{"name":"Ada","email":"a@b.c","department":"QA","salary":5.5}"#;

        check(&store, "GET /health", "", 200, &json!({"status": "healthy", "database": "connected"}));
        check(&store, "POST /employees", ada_body, 201, &ada);
        check(&store, "POST /employees", ada_body, 409, &error("another employee has this email"));
        check(&store, "POST /employees", r#"{"name":"Bob","email":"b@b.c"}"#, 201, &bob);
        check(&store, "GET /employees/2", "", 200, &bob);
        check(
            &store,
            "PUT /employees/2",
            r#"{"email":"a@b.c"}"#,
            409,
            &error("another employee has this email"),
        );
        check(&store, "PUT /employees/2", "{}", 200, &bob);
        check(
            &store,
            "GET /stats",
            "",
            200,
            &json!({"total_employees": 2, "average_salary": 5.5, "by_department": {"none": 1, "QA": 1}}),
        );
        check(&store, "DELETE /employees/2", "", 200, &json!({"id": 2, "deleted": true}));
        for (request, body) in
            [("DELETE /employees/2", ""), ("GET /employees/2", ""), ("PUT /employees/2", r#"{"name":"B"}"#)]
        {
            check(&store, request, body, 404, &error("no employee has the id 2"));
        }
    }

    #[test]
    fn a_body_that_cannot_be_stored_is_refused() {
        let store = Store::open(1);
        let required = json!({"error": "name and email are required"});
        for body in ["{}", r#"{"name":"A"}"#, r#"{"email":"a@b.c"}"#, r#"{"name":" ","email":"a@b.c"}"#] {
            check(&store, "POST /employees", body, 400, &required);
        }
        check(&store, "PUT /employees/1", r#"{"name":""}"#, 400, &required);
        check(&store, "POST /employees", "[]", 400, &json!({"error": "a JSON object is expected"}));
        for body in ["", "{", r#"{"name":1,"email":"a@b.c"}"#, r#"{"name":"A","email":"a@b.c","salary":"x"}"#]
        {
            let answer = answer(&store, Call::Create, "", body.as_bytes());
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        }
        assert_eq!(store.rows(), 1);
    }

    #[test]
    fn a_list_is_paged() {
        let store = Store::open(25);
        for (query, expected) in [
            ("", Some((10, 1, 10, 3))),
            ("page=3&per_page=10", Some((5, 3, 10, 3))),
            ("per_page=1000", Some((25, 1, 100, 1))),
            ("page=18446744073709551615", Some((0, usize::MAX, 10, 3))),
            ("page=0", None),
            ("page=x", None),
            ("per_page=-1", None),
        ] {
            let answer = answer(&store, Call::List, query, b"");
            let list: Value = serde_json::from_slice(&answer.body).unwrap();
            let found = list["employees"].as_array().map(|employees| {
                let number = |name: &str| usize::try_from(list[name].as_u64().unwrap()).unwrap();
                assert_eq!(number("total"), 25);
                (employees.len(), number("page"), number("per_page"), number("pages"))
            });
            assert_eq!(found, expected, "{query}");
            assert_eq!(answer.status.as_u16(), if found.is_some() { 200 } else { 400 });
        }
    }

    #[test]
    fn what_is_no_route_is_told_apart() {
        let call = |method: &str, path| Call::of(&method.parse().unwrap(), path);
        assert_eq!(call("GET", "/"), Call::Unknown);
        assert_eq!(call("GET", "/employees/x"), Call::Unknown);
        assert_eq!(call("GET", "/employees/1/x"), Call::Unknown);
        assert_eq!(call("POST", "/health"), Call::WrongMethod("GET"));
        assert_eq!(call("DELETE", "/employees"), Call::WrongMethod("GET, POST"));
        assert_eq!(call("PATCH", "/employees/1"), Call::WrongMethod("GET, PUT, DELETE"));
        assert_eq!(call("GET", "/__count").route(), None);
    }
}
