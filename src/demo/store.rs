//! The employees table: `SQLite` in memory. It goes when the process goes, however it goes, and an answer waits for
//! no disk: a client that is being measured is to find out its own limits, not those of the demo's.
//!
//! There is one connection and the server's thread owns it. A query takes microseconds, less than handing it to
//! another thread would, so calls block: that is the simple way and the fast one. Statements are prepared once.
//! This module knows no HTTP.

use std::io;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, OpenFlags, OptionalExtension, Result, Row, Rows, ffi, params};
use serde::{Deserialize, Serialize};

/// One row.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Employee {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) department: Option<String>,
    pub(super) salary: Option<f64>,
    pub(super) created_at: String,
}

/// What a client may write: all of it optional, because an update leaves out what stays.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) department: Option<String>,
    pub(super) salary: Option<f64>,
}

/// Figures over the whole table.
#[derive(Debug, Serialize)]
pub(super) struct Stats {
    pub(super) total_employees: i64,
    pub(super) average_salary: f64,
    pub(super) by_department: serde_json::Map<String, serde_json::Value>,
}

/// The database.
pub(super) struct Store {
    connection: Connection,
}

/// A write that fails, for an e-mail address that is taken, is rolled back from a journal in memory.
const SETTINGS: &str = "
    PRAGMA journal_mode = MEMORY;
    PRAGMA temp_store = MEMORY;
";

/// AUTOINCREMENT, because without it an id is given again once the newest row is deleted, and whoever undoes
/// something twice would delete a stranger's row. The index makes `stats` a scan of the index alone.
const SCHEMA: &str = "
    CREATE TABLE employees (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE,
        department TEXT,
        salary REAL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    CREATE INDEX employees_department_salary ON employees (department, salary);
";

const DEPARTMENTS: [&str; 6] = ["Engineering", "Finance", "Marketing", "Operations", "QA", "Sales"];
const FIRST_NAMES: [&str; 10] =
    ["Ada", "Blaise", "Clara", "Denis", "Emmy", "Felix", "Grace", "Hugo", "Ida", "Jules"];
const LAST_NAMES: [&str; 10] =
    ["Arnaud", "Bernoulli", "Curie", "Dupont", "Euler", "Fermat", "Germain", "Hopper", "Ibert", "Joliot"];

impl Store {
    /// A new database with that many employees, the same ones each time.
    pub(super) fn open(n_employees: usize) -> io::Result<Self> {
        let connection = open().map_err(io::Error::other)?;
        fill(&connection, n_employees).map_err(io::Error::other)?;
        Ok(Self { connection })
    }

    /// Whether the database answers.
    pub(super) fn ping(&self) -> Result<()> {
        self.connection.prepare_cached("SELECT 1")?.query_row([], |_| Ok(()))
    }

    /// How many employees there are.
    pub(super) fn rows(&self) -> Result<i64> {
        self.connection.prepare_cached("SELECT COUNT(*) FROM employees")?.query_row([], |row| row.get(0))
    }

    /// The employees `offset..offset + limit`, by id.
    pub(super) fn list(&self, offset: i64, limit: i64) -> Result<Vec<Employee>> {
        self.connection
            .prepare_cached(
                "SELECT id, name, email, department, salary, created_at FROM employees
                 ORDER BY id LIMIT ?2 OFFSET ?1",
            )?
            .query_map([offset, limit], employee)?
            .collect()
    }

    /// The figures of `GET /stats`.
    pub(super) fn stats(&self) -> Result<Stats> {
        let mut statement = self.connection.prepare_cached(
            "SELECT department, COUNT(*), COUNT(salary), TOTAL(salary) FROM employees GROUP BY department",
        )?;
        let mut stats =
            Stats { total_employees: 0, average_salary: 0.0, by_department: serde_json::Map::new() };
        let mut n_salaries = 0.0;
        let mut sum = 0.0;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let department: Option<String> = row.get(0)?;
            let n_employees: i64 = row.get(1)?;
            n_salaries += row.get::<_, f64>(2)?;
            sum += row.get::<_, f64>(3)?;
            stats.total_employees += n_employees;
            stats.by_department.insert(department.unwrap_or_else(|| "none".to_owned()), n_employees.into());
        }
        if n_salaries > 0.0 {
            stats.average_salary = (sum / n_salaries * 100.0).round() / 100.0;
        }
        Ok(stats)
    }

    /// The employee of that id.
    pub(super) fn find(&self, id: i64) -> Result<Option<Employee>> {
        self.connection
            .prepare_cached(
                "SELECT id, name, email, department, salary, created_at FROM employees WHERE id = ?1",
            )?
            .query_row([id], employee)
            .optional()
    }

    /// Adds an employee; the caller has seen to it that name and e-mail address are there.
    pub(super) fn create(&self, fields: &Fields) -> Result<Employee> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO employees (name, email, department, salary) VALUES (?1, ?2, ?3, ?4)
             RETURNING id, name, email, department, salary, created_at",
        )?;
        let rows = statement.query(params![fields.name, fields.email, fields.department, fields.salary])?;
        returned(rows)?.ok_or(Error::QueryReturnedNoRows)
    }

    /// Writes the fields that are there; `None` if there is no such employee.
    pub(super) fn update(&self, id: i64, fields: &Fields) -> Result<Option<Employee>> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE employees SET name = COALESCE(?2, name), email = COALESCE(?3, email),
                    department = COALESCE(?4, department), salary = COALESCE(?5, salary)
             WHERE id = ?1 RETURNING id, name, email, department, salary, created_at",
        )?;
        returned(statement.query(params![id, fields.name, fields.email, fields.department, fields.salary])?)
    }

    /// Deletes an employee; whether there was one.
    pub(super) fn delete(&self, id: i64) -> Result<bool> {
        Ok(self.connection.prepare_cached("DELETE FROM employees WHERE id = ?1")?.execute([id])? > 0)
    }
}

/// Whether a write failed because the e-mail address is taken.
pub(super) fn is_duplicate(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}

fn open() -> Result<Connection> {
    // Only one thread has the connection, so it needs no lock of its own.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_in_memory_with_flags(flags)?;
    // Otherwise a statement with a bound LIMIT is compiled again each time, for its new limit.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn fill(connection: &Connection, n_employees: usize) -> Result<()> {
    connection.execute_batch(SETTINGS)?;
    connection.execute_batch(SCHEMA)?;
    connection.set_prepared_statement_cache_capacity(16);
    let transaction = connection.unchecked_transaction()?;
    let mut insert = transaction.prepare(
        "INSERT INTO employees (name, email, department, salary, created_at)
         VALUES (?1, ?2, ?3, ?4, '2024-01-01T09:00:00Z')",
    )?;
    for n in 0..n_employees {
        let first = FIRST_NAMES[n % FIRST_NAMES.len()];
        let last = LAST_NAMES[n / FIRST_NAMES.len() % LAST_NAMES.len()];
        let email = format!("{}.{}.{}@example.com", first.to_lowercase(), last.to_lowercase(), n + 1);
        let salary = f64::from(u32::try_from(n * 7919 % 60).unwrap_or(0)) * 1_000.0 + 40_000.0;
        insert.execute(params![
            format!("{first} {last}"),
            email,
            DEPARTMENTS[n % DEPARTMENTS.len()],
            salary
        ])?;
    }
    drop(insert);
    transaction.commit()
}

/// The row that a write returns. It is stepped on to its end, because only a statement that ends is committed.
fn returned(mut rows: Rows<'_>) -> Result<Option<Employee>> {
    let mut returned = None;
    while let Some(row) = rows.next()? {
        returned = Some(employee(row)?);
    }
    Ok(returned)
}

fn employee(row: &Row<'_>) -> Result<Employee> {
    Ok(Employee {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        department: row.get(3)?,
        salary: row.get(4)?,
        created_at: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(email: &str) -> Fields {
        Fields {
            name: Some("Ada".to_owned()),
            email: Some(email.to_owned()),
            department: Some("QA".to_owned()),
            salary: Some(50_000.0),
        }
    }

    #[test]
    fn the_seed_is_the_same_each_time() {
        let (one, other) = (Store::open(200).unwrap(), Store::open(200).unwrap());
        assert_eq!(one.rows().unwrap(), 200);
        assert_eq!(one.list(0, 200).unwrap(), other.list(0, 200).unwrap());
    }

    #[test]
    fn a_row_is_created_read_changed_and_deleted() {
        let store = Store::open(3).unwrap();
        let created = store.create(&ada("ada@example.com")).unwrap();
        assert_eq!(created.id, 4);
        assert_eq!(store.find(4).unwrap().as_ref(), Some(&created));

        let raise = Fields { salary: Some(60_000.0), ..Fields::default() };
        let raised = store.update(4, &raise).unwrap().unwrap();
        assert_eq!(raised, Employee { salary: Some(60_000.0), ..created });
        assert_eq!(store.find(4).unwrap(), Some(raised));

        assert!(store.delete(4).unwrap());
        assert!(!store.delete(4).unwrap());
        assert_eq!(store.find(4).unwrap(), None);
        assert_eq!(store.update(4, &raise).unwrap(), None);
        assert_eq!(store.rows().unwrap(), 3);
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let store = Store::open(0).unwrap();
        let first = store.create(&ada("ada@example.com")).unwrap().id;
        store.delete(first).unwrap();
        assert!(store.create(&ada("ada@example.com")).unwrap().id > first);
    }

    #[test]
    fn an_email_address_is_taken_once() {
        let store = Store::open(0).unwrap();
        store.create(&ada("ada@example.com")).unwrap();
        let other = store.create(&ada("other@example.com")).unwrap().id;
        assert!(is_duplicate(&store.create(&ada("ada@example.com")).unwrap_err()));
        assert!(is_duplicate(&store.update(other, &ada("ada@example.com")).unwrap_err()));
        assert_eq!(store.rows().unwrap(), 2);
    }

    #[test]
    fn stats_add_up() {
        let store = Store::open(0).unwrap();
        let empty = store.stats().unwrap();
        assert_eq!((empty.total_employees, empty.average_salary.to_bits()), (0, 0.0_f64.to_bits()));

        store.create(&ada("a@example.com")).unwrap();
        store.create(&Fields { salary: Some(60_000.0), ..ada("b@example.com") }).unwrap();
        store.create(&Fields { salary: None, department: None, ..ada("c@example.com") }).unwrap();
        let stats = serde_json::to_value(store.stats().unwrap()).unwrap();
        assert_eq!(
            stats,
            serde_json::json!({
                "total_employees": 3, "average_salary": 55_000.0, "by_department": {"none": 1, "QA": 2}
            })
        );
    }

    #[test]
    fn pages_follow_one_another() {
        let store = Store::open(25).unwrap();
        let ids = |offset| store.list(offset, 10).unwrap().iter().map(|e| e.id).collect::<Vec<_>>();
        assert_eq!(ids(0), (1..=10).collect::<Vec<_>>());
        assert_eq!(ids(20), (21..=25).collect::<Vec<_>>());
        assert_eq!(ids(30), Vec::<i64>::new());
    }

    #[test]
    fn what_is_deleted_is_used_again() {
        let store = Store::open(0).unwrap();
        let pages =
            || -> i64 { store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap() };
        let before = pages();
        for n in 0..3_000 {
            let id = store.create(&ada(&format!("{n}@example.com"))).unwrap().id;
            assert!(store.delete(id).unwrap());
        }
        let after = pages();
        assert!(after <= before + 2, "{before} pages, then {after}");
    }

    #[test]
    fn there_is_no_file() {
        assert_eq!(Store::open(1).unwrap().connection.path(), Some(""));
    }
}
