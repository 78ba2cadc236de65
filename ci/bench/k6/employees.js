// The employees scenario, step for step and check for check as profiles/scenarios/employees.toml has it.
import http from 'k6/http';
import { check, sleep } from 'k6';

const BASE = __ENV.TARGET;
const RUN = __ENV.RUN;
const JSON_BODY = { 'Content-Type': 'application/json' };

function employee(salary) {
  return JSON.stringify({
    name: `LoadTest User ${RUN}-${__VU}-${__ITER}`,
    email: `loadtest-${crypto.randomUUID()}@example.com`,
    department: 'QA',
    salary: salary,
  });
}

export default function () {
  let res = http.get(`${BASE}/health`);
  check(res, {
    'health check status 200': (r) => r.status === 200,
    'health check is healthy': (r) => r.json('status') === 'healthy',
  });

  res = http.get(`${BASE}/employees?page=1&per_page=10`);
  check(res, {
    'GET employees status 200': (r) => r.status === 200,
    'employees list returned': (r) => Array.isArray(r.json('employees')),
  });

  res = http.get(`${BASE}/stats`);
  check(res, {
    'GET stats status 200': (r) => r.status === 200,
    'stats contains total_employees': (r) => r.json('total_employees') !== undefined,
  });

  res = http.post(`${BASE}/employees`, employee(50000), { headers: JSON_BODY });
  check(res, {
    'POST employee status 201': (r) => r.status === 201,
    'employee created with ID': (r) => r.json('id') !== undefined,
  });
  const id = res.json('id');

  if (id !== undefined) {
    // One name for all ids: k6 would make a time series of each address.
    const url = http.url`${BASE}/employees/${id}`;
    res = http.put(url, employee(55000), { headers: JSON_BODY });
    check(res, { 'PUT employee status 200': (r) => r.status === 200 });

    res = http.get(url);
    check(res, { 'GET specific employee status 200': (r) => r.status === 200 });

    res = http.del(url);
    check(res, { 'DELETE employee status 200': (r) => r.status === 200 });
  }

  if (__ENV.PAUSE) {
    sleep(__ENV.PAUSE);
  }
}
