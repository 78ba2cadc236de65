"""The employees API on Flask and MySQL: the real system that palier's tests load.

The same routes and answers as palier's demo (src/demo). Errors of the database are not hidden: they end as 500
with MySQL's own message, in the answer and in the log, because that is what palier has to find and to report.
"""

import os
import random
import threading

import pymysql
from flask import Flask, jsonify, request
from pymysql.constants import CR, ER
from werkzeug.exceptions import HTTPException

app = Flask(__name__)
app.json.sort_keys = False

COLUMNS = "id, name, email, department, salary, created_at"
FIELDS = ("name", "email", "department", "salary")
MAX_PER_PAGE = 100

# A DELETE may ask to fail: this share of those with the header ends as 500, half of them with the row still there, half
# of them with the row gone, for tests of what a client makes of that.
FAIL = "X-Fail-Delete"

# gunicorn serves with a fixed set of threads; each keeps a connection of its own.
_local = threading.local()


def execute(statement, arguments=()):
    """Runs one statement and returns its cursor. Every statement is a transaction of its own."""
    if getattr(_local, "connection", None) is None:
        _local.connection = pymysql.connect(
            host=os.environ.get("MYSQL_HOST", "127.0.0.1"),
            port=int(os.environ["MYSQL_PORT"]),
            unix_socket=os.environ.get("MYSQL_SOCKET"),
            user=os.environ["MYSQL_USER"],
            password=os.environ["MYSQL_PASSWORD"],
            database=os.environ.get("MYSQL_DATABASE", "businessdb"),
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            cursorclass=pymysql.cursors.DictCursor,
        )
    cursor = _local.connection.cursor()
    try:
        cursor.execute(statement, arguments)
    except pymysql.err.Error as error:
        if is_lost(error):
            _local.connection.close()
            _local.connection = None
        raise
    return cursor


def is_lost(error):
    """Whether the connection can't be used again; the next request then opens a new one."""
    code = error.args[0] if error.args else 0
    lost = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, 0, 4031)  # 0: PyMySQL's InterfaceError; 4031: idle too long
    return code in lost or not _local.connection.open


def employee(row):
    salary = row["salary"]
    return {
        **row,
        "salary": None if salary is None else float(salary),
        "created_at": row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def find(id):
    row = execute(f"SELECT {COLUMNS} FROM employees WHERE id = %s", (id,)).fetchone()
    return row and employee(row)


def refuse(status, message):
    return jsonify(error=message), status


def not_found(id):
    return refuse(404, f"no employee has the id {id}")


def fields():
    """The fields of the body and None, or None and the reason to refuse it."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        return None, "a JSON object is expected"
    values = {field: body[field] for field in FIELDS if body.get(field) is not None}
    for field, value in values.items():
        is_right = (
            isinstance(value, (int, float)) and not isinstance(value, bool)
            if field == "salary"
            else isinstance(value, str)
        )
        if not is_right:
            return None, f"{field} has the wrong type"
    if any(not values[field].strip() for field in ("name", "email") if field in values):
        return None, "name and email are required"
    return values, None


@app.get("/health")
def health():
    execute("SELECT 1")
    return jsonify(status="healthy", database="connected")


@app.get("/employees")
def list_employees():
    try:
        page = int(request.args.get("page", 1))
        per_page = min(int(request.args.get("per_page", 10)), MAX_PER_PAGE)
    except ValueError:
        page = per_page = 0
    if page < 1 or per_page < 1:
        return refuse(400, "page and per_page are numbers from 1")
    total = execute("SELECT COUNT(*) AS n FROM employees").fetchone()["n"]
    rows = execute(
        f"SELECT {COLUMNS} FROM employees ORDER BY id LIMIT %s OFFSET %s", (per_page, (page - 1) * per_page)
    ).fetchall()
    return jsonify(
        employees=[employee(row) for row in rows],
        total=total,
        page=page,
        per_page=per_page,
        pages=-(-total // per_page),
    )


@app.get("/stats")
def stats():
    rows = execute(
        "SELECT department, COUNT(*) AS n, COUNT(salary) AS n_salaries, SUM(salary) AS salaries"
        " FROM employees GROUP BY department"
    ).fetchall()
    n_salaries = sum(row["n_salaries"] for row in rows)
    salaries = sum(float(row["salaries"] or 0) for row in rows)
    return jsonify(
        total_employees=sum(row["n"] for row in rows),
        average_salary=round(salaries / n_salaries, 2) if n_salaries else 0.0,
        by_department={row["department"] or "none": row["n"] for row in rows},
    )


@app.post("/employees")
def create():
    values, refusal = fields()
    if refusal:
        return refuse(400, refusal)
    if "name" not in values or "email" not in values:
        return refuse(400, "name and email are required")
    cursor = execute(
        "INSERT INTO employees (name, email, department, salary) VALUES (%s, %s, %s, %s)",
        tuple(values.get(field) for field in FIELDS),
    )
    return jsonify(find(cursor.lastrowid)), 201


@app.get("/employees/<int:id>")
def read(id):
    found = find(id)
    return jsonify(found) if found else not_found(id)


@app.put("/employees/<int:id>")
def update(id):
    values, refusal = fields()
    if refusal:
        return refuse(400, refusal)
    if values:
        assignments = ", ".join(f"{field} = %s" for field in values)
        execute(f"UPDATE employees SET {assignments} WHERE id = %s", (*values.values(), id))
    found = find(id)
    return jsonify(found) if found else not_found(id)


@app.delete("/employees/<int:id>")
def delete(id):
    share, fate = float(request.headers.get(FAIL, 0)), random.random()
    if fate < share / 2:
        return refuse(500, "failed on purpose, before")
    if execute("DELETE FROM employees WHERE id = %s", (id,)).rowcount == 0:
        return not_found(id)
    if fate < share:
        return refuse(500, "failed on purpose, after")
    return jsonify(id=id, deleted=True)


@app.post("/raises")
def raise_salaries():
    """Raises two salaries in one transaction, in the order given: two of these in opposite order can deadlock."""
    body = request.get_json(force=True, silent=True) or {}
    first, second, pause = body.get("first"), body.get("second"), float(body.get("pause", 0))
    execute("BEGIN")
    try:
        for id in (first, second):
            execute("UPDATE employees SET salary = salary + 1 WHERE id = %s", (id,))
            if pause:
                execute("DO SLEEP(%s)", (pause,))
        execute("COMMIT")
    except pymysql.err.Error:
        if _local.connection is not None:
            execute("ROLLBACK")
        raise
    return jsonify(raised=[first, second])


@app.errorhandler(pymysql.err.MySQLError)
def database_failed(error):
    if isinstance(error, pymysql.err.IntegrityError) and error.args[0] == ER.DUP_ENTRY:
        return refuse(409, "another employee has this email")
    app.logger.error("%s %s: MySQL error %s", request.method, request.path, error)
    return refuse(500, str(error))


@app.errorhandler(HTTPException)
def refused(error):
    response = error.get_response()  # keeps the Allow header of a 405
    response.data = app.json.dumps({"error": error.description})
    response.content_type = "application/json"
    return response
