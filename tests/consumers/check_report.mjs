// check_report.mjs REPORT.html [--fast] [--shots DIR] [TEXT...]: opens a report in Chromium as people and CI systems do.
//
// Wide, on a phone and dark: nothing on the console, no violation of the page's own Content-Security-Policy, no
// request but for the page itself, nothing wider than the window, no serious finding of axe-core. The slider and the
// sorting have to work. Under Jenkins' default policy, which lets neither scripts nor styles through, all charts have
// to be there, with colours, and every TEXT to be read. `check-report.sh` calls it with Node and the packages of
// setup.sh. `--fast` looks at two of the four ways only: wide and light, narrow and dark.
import { createServer } from "node:http";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const modules = createRequire(join(process.env.NODE_MODULES, "x.js"));
const puppeteer = modules("puppeteer-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

const args = process.argv.slice(2);
const file = args.shift();
const isFast = args[0] === "--fast";
if (isFast) args.shift();
let shots;
if (args[0] === "--shots") {
  shots = args[1];
  args.splice(0, 2);
  mkdirSync(shots, { recursive: true });
}
const page = readFileSync(file);
const JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';";

let bad = 0;
const check = (name, holds, text = "") => {
  if (!holds) bad = 1;
  console.log(`${holds ? "PASS" : "FAIL"} ${name}${text && ` ${text}`}`);
};

const requests = [];
const server = createServer((request, response) => {
  requests.push(request.url);
  const headers = { "content-type": "text/html; charset=utf-8" };
  if (request.url.startsWith("/jenkins")) headers["content-security-policy"] = JENKINS;
  response.writeHead(200, headers);
  response.end(page);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run"],
});

const ways = [
  { name: "wide", width: 1280, height: 900 },
  { name: "phone", width: 375, height: 740 },
  { name: "dark", width: 1280, height: 900, dark: true },
  { name: "dark-phone", width: 375, height: 740, dark: true },
].filter((it) => !isFast || ["wide", "dark-phone"].includes(it.name));

async function open(way, path) {
  const tab = await browser.newPage();
  const said = [];
  tab.on("console", (message) => said.push(message.text()));
  tab.on("pageerror", (error) => said.push(String(error)));
  await tab.setViewport({ width: way.width, height: way.height });
  const media = [{ name: "prefers-color-scheme", value: way.dark ? "dark" : "light" }];
  await tab.emulateMediaFeatures(media);
  await tab.goto(origin + path, { waitUntil: "load" });
  return { tab, said };
}

async function shoot(tab, name) {
  if (shots) await tab.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

try {
  for (const way of ways) {
    const { tab, said } = await open(way, `/report.html?${way.name}`);
    check(`${way.name}: nothing on the console`, said.length === 0, said.slice(0, 3).join(" | "));
    const wider = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`${way.name}: fits the window`, wider <= 0, wider > 0 ? `${wider} px too wide` : "");
    await tab.evaluate(axe);
    const found = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const serious = found.violations.filter((it) => ["serious", "critical"].includes(it.impact));
    const told = serious.map((it) => `${it.id}: ${it.nodes.slice(0, 2).map((node) => node.html.slice(0, 160)).join(" ; ")}`);
    check(`${way.name}: axe-core`, serious.length === 0, told.join("\n     "));
    await shoot(tab, way.name);
    await tab.close();
  }

  const { tab, said } = await open(ways[0], "/report.html?script");
  const charts = await tab.$$eval("#charts svg[data-x]", (all) => all.length);
  if (charts > 0) {
    await tab.focus("#moment");
    for (let n = 0; n < 3; n += 1) await tab.keyboard.press("ArrowRight");
    const values = await tab.$$eval("output[data-line]", (all) => all.map((it) => it.textContent));
    check("the slider shows values", values.length > 0 && values.some((it) => /\d/.test(it)), values.slice(0, 4).join(", "));
    const chart = await tab.$("#charts .wide svg");
    const box = await chart.boundingBox();
    await tab.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const moment = await tab.$eval("#cursor output", (it) => it.textContent);
    check("the mouse points at a moment of all charts", /\d+m\d\ds/.test(moment), moment);
    const hairs = await tab.$$eval("#charts .hair[visibility=visible]", (all) => all.length);
    check("the moment is marked in all charts", hairs === charts, `${hairs} of ${charts}`);
    await shoot(tab, "hover");
  }
  if (await tab.$("table[data-sortable] th:first-child button")) {
    await tab.click("table[data-sortable] th:first-child button");
    const names = await tab.$$eval("table[data-sortable] tbody th", (all) => all.map((it) => it.textContent));
    const sorted = [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    check("steps can be sorted", names.join() === sorted.join());
  }
  check("nothing on the console after that", said.length === 0, said.join(" | "));
  await tab.close();

  const bare = await open(ways[0], "/jenkins/report.html");
  const text = await bare.tab.evaluate(() => document.body.innerText);
  for (const wanted of args) check(`under Jenkins' policy: ${wanted}`, text.includes(wanted));
  const drawn = await bare.tab.$$eval("figure svg[role=img]", (all) =>
    all.filter((it) => it.getBoundingClientRect().width > 0)
      .map((it) => getComputedStyle(it.querySelector("path[stroke]")).stroke));
  const wanted = await bare.tab.$$eval("figure > .wide svg", (all) => all.length);
  const coloured = drawn.filter((it) => it.startsWith("rgb")).length;
  check("under Jenkins' policy: every chart once, in colours", coloured === wanted, `${coloured} of ${wanted}`);
  const styled = await bare.tab.evaluate(() => getComputedStyle(document.body).maxWidth);
  check("under Jenkins' policy: the style is blocked, as there", styled === "none", styled);
  await shoot(bare.tab, "jenkins");
  await bare.tab.close();

  const others = requests.filter((url) => !/^\/(jenkins\/)?report\.html/.test(url));
  check("no further request", others.length === 0, others.slice(0, 3).join(" "));
  if (shots) {
    const { tab } = await open(ways[0], "/report.html?print");
    await tab.pdf({ path: join(shots, "print.pdf"), format: "A4" });
    await tab.close();
  }
} finally {
  await browser.close();
  server.close();
}
process.exit(bad);
