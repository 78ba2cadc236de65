-- The database under the backend. It goes into the template of the data folder once; every `up` copies that.
CREATE DATABASE businessdb CHARACTER SET utf8mb4;
USE businessdb;

CREATE TABLE employees (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    email VARCHAR(150) NOT NULL UNIQUE,
    department VARCHAR(100),
    salary DECIMAL(10, 2),
    created_at DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP()),
    KEY employees_department_salary (department, salary)
) ENGINE = InnoDB;

INSERT INTO employees (name, email, department, salary, created_at)
WITH RECURSIVE numbers (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < 200)
SELECT
    CONCAT('Employee ', seq),
    CONCAT('employee', seq, '@example.com'),
    ELT(1 + seq % 6, 'Engineering', 'Finance', 'Marketing', 'Operations', 'QA', 'Sales'),
    40000 + 1000 * (seq * 7919 % 60),
    '2024-01-01 09:00:00'
FROM numbers;

-- What the application and an observer log in as. No rights beyond its own database, so that it gets no share of
-- the connection that the server reserves for administrators; PROCESS is what reading InnoDB's metrics takes.
-- Over a Unix socket, a user is on `localhost`.
CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 'app-password', 'app'@'localhost' IDENTIFIED BY 'app-password';
GRANT ALL PRIVILEGES ON businessdb.* TO 'app'@'127.0.0.1', 'app'@'localhost';
GRANT PROCESS ON *.* TO 'app'@'127.0.0.1', 'app'@'localhost';

-- One who watches and cleans up, and one who may only look at a table.
CREATE USER 'observer'@'127.0.0.1' IDENTIFIED BY 'observer-Password-1',
    'observer'@'localhost' IDENTIFIED BY 'observer-Password-1';
GRANT PROCESS ON *.* TO 'observer'@'127.0.0.1', 'observer'@'localhost';
GRANT SELECT, DELETE ON businessdb.* TO 'observer'@'127.0.0.1', 'observer'@'localhost';
CREATE USER 'guest'@'127.0.0.1' IDENTIFIED BY 'guest-Password-1';
GRANT SELECT ON businessdb.employees TO 'guest'@'127.0.0.1';
