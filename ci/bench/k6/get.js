// One GET with one check, as palier's profiles/get.toml and profiles/many.toml have it. `ci/bench/run` gives the VUs
// and the duration on the command line, and the rest with -e.
import http from 'k6/http';
import { check, sleep } from 'k6';

export default function () {
  const res = http.get(__ENV.TARGET);
  check(res, { 'status 200': (r) => r.status === 200 });
  if (__ENV.PAUSE) {
    sleep(__ENV.PAUSE);
  }
}
