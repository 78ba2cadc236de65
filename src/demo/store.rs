//! The employees table, in memory. It goes when the process goes, however it goes, and an answer waits for no disk and
//! no parser of SQL: a client that is being measured is to find out its own limits, not those of the demo's.
//!
//! The server's thread owns it. This module knows no HTTP.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    pub(super) total_employees: usize,
    pub(super) average_salary: f64,
    pub(super) by_department: serde_json::Map<String, serde_json::Value>,
}

/// The e-mail address is another employee's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Store(RefCell<Table>);

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<i64, Employee>,
    emails: HashSet<String>,
    /// The last id that was given. None is given twice: whoever undoes something twice would delete a stranger's row.
    last_id: i64,
}

const DEPARTMENTS: [&str; 6] = ["Engineering", "Finance", "Marketing", "Operations", "QA", "Sales"];
const FIRST_NAMES: [&str; 10] =
    ["Ada", "Blaise", "Clara", "Denis", "Emmy", "Felix", "Grace", "Hugo", "Ida", "Jules"];
const LAST_NAMES: [&str; 10] =
    ["Arnaud", "Bernoulli", "Curie", "Dupont", "Euler", "Fermat", "Germain", "Hopper", "Ibert", "Joliot"];

impl Store {
    /// A new table with that many employees, the same ones each time.
    pub(super) fn open(n_employees: usize) -> Self {
        let store = Self::default();
        for n in 0..n_employees {
            let first = FIRST_NAMES[n % FIRST_NAMES.len()];
            let last = LAST_NAMES[n / FIRST_NAMES.len() % LAST_NAMES.len()];
            let salary = f64::from(u32::try_from(n * 7919 % 60).unwrap_or(0)) * 1_000.0 + 40_000.0;
            store.0.borrow_mut().add(Employee {
                id: 0,
                name: format!("{first} {last}"),
                email: format!("{}.{}.{}@example.com", first.to_lowercase(), last.to_lowercase(), n + 1),
                department: Some(DEPARTMENTS[n % DEPARTMENTS.len()].to_owned()),
                salary: Some(salary),
                created_at: "2024-01-01T09:00:00Z".to_owned(),
            });
        }
        store
    }

    /// How many employees there are.
    pub(super) fn rows(&self) -> usize {
        self.0.borrow().rows.len()
    }

    /// The employees `offset..offset + limit`, by id.
    pub(super) fn list(&self, offset: usize, limit: usize) -> Vec<Employee> {
        self.0.borrow().rows.values().skip(offset).take(limit).cloned().collect()
    }

    /// The figures of `GET /stats`.
    pub(super) fn stats(&self) -> Stats {
        let table = self.0.borrow();
        // Those without a department come first.
        let mut by_department = BTreeMap::<Option<&str>, u64>::new();
        for row in table.rows.values() {
            *by_department.entry(row.department.as_deref()).or_default() += 1;
        }
        let salaries = table.rows.values().filter_map(|row| row.salary);
        let (n_salaries, sum) = salaries.fold((0.0, 0.0), |(n, sum), salary| (n + 1.0, sum + salary));
        Stats {
            total_employees: table.rows.len(),
            average_salary: if n_salaries > 0.0 { (sum / n_salaries * 100.0).round() / 100.0 } else { 0.0 },
            by_department: by_department
                .into_iter()
                .map(|(department, n)| (department.unwrap_or("none").to_owned(), n.into()))
                .collect(),
        }
    }

    /// The employee of that id.
    pub(super) fn find(&self, id: i64) -> Option<Employee> {
        self.0.borrow().rows.get(&id).cloned()
    }

    /// Adds an employee; the caller has seen to it that name and e-mail address are there.
    pub(super) fn create(&self, fields: Fields) -> Result<Employee, Taken> {
        let mut table = self.0.borrow_mut();
        let (name, email) = (fields.name.unwrap_or_default(), fields.email.unwrap_or_default());
        if table.emails.contains(&email) {
            return Err(Taken);
        }
        let created_at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let Fields { department, salary, .. } = fields;
        Ok(table.add(Employee { id: 0, name, email, department, salary, created_at }))
    }

    /// Writes the fields that are there; `None` if there is no such employee.
    pub(super) fn update(&self, id: i64, fields: Fields) -> Result<Option<Employee>, Taken> {
        let mut table = self.0.borrow_mut();
        let Table { rows, emails, .. } = &mut *table;
        let Some(row) = rows.get_mut(&id) else { return Ok(None) };
        if let Some(email) = fields.email.filter(|email| *email != row.email) {
            if !emails.insert(email.clone()) {
                return Err(Taken);
            }
            emails.remove(&row.email);
            row.email = email;
        }
        if let Some(name) = fields.name {
            row.name = name;
        }
        row.department = fields.department.or_else(|| row.department.take());
        row.salary = fields.salary.or(row.salary);
        Ok(Some(row.clone()))
    }

    /// Deletes an employee; whether there was one.
    pub(super) fn delete(&self, id: i64) -> bool {
        let mut table = self.0.borrow_mut();
        let Some(gone) = table.rows.remove(&id) else { return false };
        table.emails.remove(&gone.email);
        true
    }
}

impl Table {
    /// Adds a row under the next id.
    fn add(&mut self, row: Employee) -> Employee {
        self.last_id += 1;
        let row = Employee { id: self.last_id, ..row };
        self.emails.insert(row.email.clone());
        self.rows.insert(row.id, row.clone());
        row
    }
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
        let (one, other) = (Store::open(200), Store::open(200));
        assert_eq!(one.rows(), 200);
        assert_eq!(one.list(0, 200), other.list(0, 200));
    }

    #[test]
    fn a_row_is_created_read_changed_and_deleted() {
        let store = Store::open(3);
        let created = store.create(ada("ada@example.com")).unwrap();
        assert_eq!(created.id, 4);
        assert_eq!(store.find(4).as_ref(), Some(&created));

        let raise = || Fields { salary: Some(60_000.0), ..Fields::default() };
        let raised = store.update(4, raise()).unwrap().unwrap();
        assert_eq!(raised, Employee { salary: Some(60_000.0), ..created });
        assert_eq!(store.find(4), Some(raised));

        assert!(store.delete(4));
        assert!(!store.delete(4));
        assert_eq!(store.find(4), None);
        assert_eq!(store.update(4, raise()), Ok(None));
        assert_eq!(store.rows(), 3);
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let store = Store::open(0);
        let first = store.create(ada("ada@example.com")).unwrap().id;
        store.delete(first);
        assert!(store.create(ada("ada@example.com")).unwrap().id > first);
    }

    #[test]
    fn an_email_address_is_taken_once() {
        let store = Store::open(0);
        store.create(ada("ada@example.com")).unwrap();
        let other = store.create(ada("other@example.com")).unwrap().id;
        assert_eq!(store.create(ada("ada@example.com")), Err(Taken));
        assert_eq!(store.update(other, ada("ada@example.com")), Err(Taken));
        assert_eq!(store.rows(), 2);
    }

    #[test]
    fn stats_add_up() {
        let store = Store::open(0);
        let empty = store.stats();
        assert_eq!((empty.total_employees, empty.average_salary.to_bits()), (0, 0.0_f64.to_bits()));

        store.create(ada("a@example.com")).unwrap();
        store.create(Fields { salary: Some(60_000.0), ..ada("b@example.com") }).unwrap();
        store.create(Fields { salary: None, department: None, ..ada("c@example.com") }).unwrap();
        let stats = serde_json::to_value(store.stats()).unwrap();
        assert_eq!(
            stats,
            serde_json::json!({
                "total_employees": 3, "average_salary": 55_000.0, "by_department": {"none": 1, "QA": 2}
            })
        );
    }

    #[test]
    fn pages_follow_one_another() {
        let store = Store::open(25);
        let ids = |offset| store.list(offset, 10).iter().map(|e| e.id).collect::<Vec<_>>();
        assert_eq!(ids(0), (1..=10).collect::<Vec<_>>());
        assert_eq!(ids(20), (21..=25).collect::<Vec<_>>());
        assert_eq!(ids(30), Vec::<i64>::new());
    }
}
