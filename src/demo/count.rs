//! What the server received, by route, for tests that compare it with what a run says it sent.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// Where a request belongs. Requests that the API does not know are counted too: all of them add up to the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    List,
    Stats,
    Create,
    Update,
    Find,
    Delete,
    Other,
}

impl Route {
    const ALL: [Self; 8] = [
        Self::Health,
        Self::List,
        Self::Stats,
        Self::Create,
        Self::Update,
        Self::Find,
        Self::Delete,
        Self::Other,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Health => "GET /health",
            Self::List => "GET /employees",
            Self::Stats => "GET /stats",
            Self::Create => "POST /employees",
            Self::Update => "PUT /employees/:id",
            Self::Find => "GET /employees/:id",
            Self::Delete => "DELETE /employees/:id",
            Self::Other => "other",
        }
    }
}

/// Counters of one server. A request counts when its head has been read, whatever becomes of it.
#[derive(Default)]
pub(super) struct Counts {
    routes: [Cell<u64>; Route::ALL.len()],
    failed_on_purpose: Cell<u64>,
    connections: Cell<u64>,
}

impl Counts {
    pub(super) fn request(&self, route: Route) {
        increment(&self.routes[route as usize]);
    }

    pub(super) fn failed_on_purpose(&self) {
        increment(&self.failed_on_purpose);
    }

    pub(super) fn connection(&self) {
        increment(&self.connections);
    }

    /// The body of `GET /__count`.
    pub(super) fn to_json(&self, n_rows: usize) -> Value {
        let routes: Map<_, _> = Route::ALL
            .iter()
            .map(|&route| (route.name().to_owned(), self.routes[route as usize].get().into()))
            .collect();
        json!({
            "total": self.routes.iter().map(Cell::get).sum::<u64>(),
            "failed_on_purpose": self.failed_on_purpose.get(),
            "connections": self.connections.get(),
            "rows": n_rows,
            "routes": routes,
        })
    }
}

fn increment(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
