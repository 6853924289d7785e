// What the scripts of this directory share: a Chromium that is watched, how one
// logs in, and which pages there are.
//
// The environment says where the demo is (cmd/intouchd/browser_test.go sets
// it): INTOUCH_URL, INTOUCH_PASSWORD, and INTOUCH_LINKS, the
// addresses of links in mails, parted by spaces.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

export const base = process.env.INTOUCH_URL?.replace(/\/$/, "");
export const password = process.env.INTOUCH_PASSWORD;
const links = (process.env.INTOUCH_LINKS ?? "").split(" ").filter(Boolean);
assert.ok(base && password, "INTOUCH_URL and INTOUCH_PASSWORD say where the demo is");

// languages has, for each, a head and a manager who read it. The demo's head
// reads Russian; the English one is made beside it (browser_test.go).
export const languages = [
  { lang: "ru", head: "olga", manager: "anna" },
  { lang: "en", head: "helen", manager: "james" },
];

export const wide = { width: 1200, height: 800 };
export const narrow = { width: 360, height: 740 };

export function launch() {
  return chromium.launch({
    executablePath: process.env.INTOUCH_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--disable-quic", "--no-first-run", "--disable-background-networking"],
    chromiumSandbox: false, // the CI is root in a container
  });
}

// watch notes what a page must never do: an error in the console (a violation
// of the policy is one), an exception, a request that fails or goes elsewhere.
// expected are the statuses beside 2xx and 3xx that a step is there to see.
export function watch(context) {
  const faults = [];
  const watched = { faults, expected: [] };
  const fault = (what) => faults.push(what);
  context.on("console", (m) => {
    if (m.type() !== "error" && m.type() !== "warning") return;
    if (watched.expected.some((s) => m.text().includes(`status of ${s}`))) return;
    fault(`console of ${m.page()?.url()}: ${m.text()}`);
  });
  context.on("weberror", (e) => fault(`exception on ${e.page()?.url()}: ${e.error()}`));
  context.on("requestfailed", (r) => {
    // A download and a page that is left end their request so.
    if (r.failure()?.errorText !== "net::ERR_ABORTED") fault(`${r.method()} ${r.url()}: ${r.failure()?.errorText}`);
  });
  context.on("response", (r) => {
    if (r.status() >= 400 && !watched.expected.includes(r.status())) fault(`${r.request().method()} ${r.url()}: ${r.status()}`);
  });
  context.on("request", (r) => {
    if (!r.url().startsWith(base + "/") && !r.url().startsWith("data:")) fault(`a request elsewhere: ${r.url()}`);
  });
  return watched;
}

// open is a page in a context of its own; options are playwright's.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: wide, baseURL: base, ...options });
  context.setDefaultTimeout(15000);
  const watched = watch(context);
  const page = await context.newPage();
  return { context, page, watched };
}

export async function login(page, who) {
  await page.goto("/login");
  await page.locator('input[name="login"]').fill(who);
  await page.locator('input[name="password"]').fill(password);
  await page.locator('main form button').first().click();
  await page.waitForURL((u) => u.pathname === "/");
}

// patterns are the pages that web.go registers, as "GET /clients/{id}" has it,
// without what is no page for a browser.
const noPages = ["/reports/schema.json", "/setup/intouch.mobileconfig", "/search/suggestions", "/contacts/{id}/original", "/persons/{id}/about.json"];

export function patterns() {
  const text = readFileSync(new URL("../web.go", import.meta.url), "utf8");
  const found = [...text.matchAll(/\b(?:page|open)\("GET ([^"]+)"/g)].map((m) => m[1].replace("{$}", ""));
  assert.ok(found.length > 20, "web.go registers its pages some other way: teach patterns()");
  return found.filter((p) => !noPages.includes(p));
}

// patternOf is the registered pattern that answers the path: the one with the
// fewest wildcards.
export function patternOf(path, all) {
  const fits = (p) => new RegExp("^" + p.replace(/\{[^}]+\}/g, "[^/]+") + "$").test(path);
  return all.filter(fits).sort((a, b) => a.split("{").length - b.split("{").length)[0];
}

// furnish makes what some pages are about and the demo does not have: a saved
// filter, and a contact whose client is only text.
async function furnish(page) {
  const post = async (path, form) => {
    const answer = await page.request.post(path, { form, headers: { origin: base } });
    assert.equal(answer.status(), 200, `${path}: ${answer.status()}`);
  };
  await page.goto("/calendars");
  if (!(await page.locator('main a[href^="/calendars/"]:not([href="/calendars/new"])').count())) {
    await post("/calendars", { name: "!", importance: "high", do: "save" });
  }
  const day = new Date(Date.now() + 864e5).toISOString().slice(0, 10);
  await post("/contacts", { kind: "call", subject: "ORT-7", client: "Meridian", day, time: "10:00", minutes: "30", importance: "normal", back: "/" });
}

// everyPage finds an address for each registered page by following links from
// the calendar on, and adds those that nothing leads to: the login, links of
// mails, pages of an error. Each has name (for files), path and out: whether it
// is seen without a session.
export async function everyPage(page) {
  await furnish(page);
  const all = patterns();
  const found = new Map(); // name → path
  const queue = ["/", "/clients", "/persons", "/questions", "/deals", "/contacts/new", "/senders", "/reports/saved/new", "/calendars/new"];
  const seen = new Set();
  while (queue.length) {
    const path = queue.shift();
    const plain = path.split("?")[0];
    const pattern = patternOf(plain, all);
    if (!pattern || pattern === "/login") continue;
    // Of each page one, of the reports each.
    const name = pattern === "/reports/{name}" ? plain : pattern;
    if (found.has(name)) continue;
    const answer = await page.request.get(path, { maxRedirects: 0 });
    const type = answer.headers()["content-type"] ?? "";
    if (answer.status() !== 200 || !type.startsWith("text/html")) continue;
    found.set(name, path);
    await page.goto(path);
    const hrefs = await page.locator("a[href]").evaluateAll((as) => as.map((a) => a.href));
    const actions = await page.locator("form").evaluateAll((fs) => fs.filter((f) => f.method === "get").map((f) => f.action));
    for (const href of [...hrefs, ...actions]) {
      const u = new URL(href);
      if (u.origin !== base) continue;
      const next = u.pathname + u.search;
      if (!seen.has(next)) seen.add(next), queue.push(next);
    }
  }
  const pages = [...found].map(([name, path]) => ({ name: fileName(name), path }));
  pages.push({ name: "not-found", path: "/no-such-page", status: 404 });
  pages.push({ name: "login", path: "/login", out: true });
  links.forEach((url, i) => pages.push({ name: `link-${i + 1}`, path: new URL(url).pathname, out: true }));
  pages.push({ name: "link-broken", path: "/mail/broken", out: true, status: 404 });
  const missing = all.filter((p) => p !== "/login" && !found.has(p) && p !== "/reports/{name}");
  return { pages, missing };
}

function fileName(pattern) {
  return pattern.replace(/[{}]/g, "").replace(/^\//, "").replaceAll("/", "-") || "calendar";
}
