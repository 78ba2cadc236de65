//! The embedded employees API: something real to load before one has a system of one's own.
//!
//! It answers as the employees service does, from a real embedded database, so its latencies, row counts and
//! errors are real too. It can be made worse on purpose: slower by [`Options::latency`], failing by
//! [`Options::error_rate`]. What it received it counts, so that a test can compare a run's counts with the
//! server's, request for request: `GET /__count` answers, is not counted itself, never delayed and never failed.
//!
//! | route | answers |
//! |---|---|
//! | `GET /health` | 200 `{"status":"healthy","database":"connected"}` |
//! | `GET /employees?page=1&per_page=10` | 200 `{"employees":[…],"total":n,"page":1,"per_page":10,"pages":n}`; `per_page` is 100 at most |
//! | `GET /stats` | 200 `{"total_employees":n,"average_salary":x,"by_department":{…}}` |
//! | `POST /employees` | 201 and the employee; 400 without name or email; 409 for an e-mail address that is taken |
//! | `PUT /employees/:id` | 200 and the employee; fields that are left out stay; 400, 404, 409 |
//! | `GET /employees/:id` | 200 and the employee, or 404 |
//! | `DELETE /employees/:id` | 200 `{"id":n,"deleted":true}`, or 404 |
//! | `GET /__count` | 200 `{"total":n,"failed_on_purpose":n,"connections":n,"rows":n,"routes":{"GET /health":n,…}}` |
//!
//! All else is 404 or 405. Every answer is JSON; an error is `{"error":"…"}`.
//!
//! It does not stall, reset or truncate on command: the tests have a server of their own for that. It knows no
//! other module of palier.

mod api;
mod count;
mod server;
mod store;

pub use server::{Demo, Options};
