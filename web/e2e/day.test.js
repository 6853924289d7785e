// A manager's day and a head's day on the demo's data, in both languages; the
// manager's once more without JavaScript. Each step looks at what a person
// would see, and nothing may go wrong beside it (watch in browser.js).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { languages, launch, login, open, password } from "./browser.js";

const words = {
  ru: { calendar: "Календарь", done: "Сделано", undo: "Вернуть как было", refused: "Неверн", plan: (client) => `звонок ${client} завтра 10:00 !` },
  en: { calendar: "Calendar", done: "Done", undo: "Undo", refused: "wrong", plan: (client) => `call ${client} tomorrow 10:00 !` },
};

// day makes the steps of a test share one page, and fails the step in which
// the watched page did something wrong.
async function day(t, options) {
  const browser = await launch();
  t.after(() => browser.close());
  const { page, watched } = await open(browser, options);
  const step = (name, run) => t.test(name, async () => {
    await run();
    assert.deepEqual(watched.faults.splice(0), []);
  });
  return { page, watched, step };
}

// follow does what loads another page, and waits until that is there: a click
// alone returns when the request is sent, with the old page still shown.
const follow = (page, what) => Promise.all([page.waitForEvent("domcontentloaded"), what()]);
const press = (locator) => follow(locator.page(), () => locator.click());

const heading = (page) => page.locator("h1").first();
const notice = (page) => page.locator('main [role="status"]').first();

async function managersDay(t, lang, manager, options) {
  const say = words[lang];
  const { page, watched, step } = await day(t, options);
  const rows = page.locator("li.row:has(button[value=done])");
  const rowOf = (action) => page.locator(`li.row:has(form[action="${action}"])`).first();

  await step("a wrong password is refused in words", async () => {
    watched.expected = [401, 403, 422];
    await page.goto("/login");
    await page.locator('input[name="login"]').fill(manager);
    await page.locator('input[name="password"]').fill(password + "?");
    await press(page.locator("main form button").first());
    assert.match(await page.locator("main [role=alert]").innerText(), /\S/);
    watched.expected = [];
  });

  await step("login leads to the calendar", async () => {
    await login(page, manager);
    assert.equal(await page.locator("html").getAttribute("lang"), lang);
    assert.equal(await page.locator("header nav a[aria-current]").innerText(), say.calendar);
    assert.ok((await rows.count()) > 2, "the demo's managers have something to do");
  });

  await step("week and month", async () => {
    for (const layout of ["week", "month"]) {
      await press(page.locator(`nav.layouts a[href*="layout=${layout}"]`).first());
      await page.waitForURL((u) => u.searchParams.get("layout") === layout);
      assert.ok(await page.locator(`.grid.of-${layout} .cell.today`).isVisible(), `${layout} shows today`);
    }
    await page.goto("/");
  });

  await step("marked done, undone and done again", async () => {
    const form = rows.first().locator("form.acts");
    const action = await form.getAttribute("action");
    const done = () => rowOf(action).locator("button[value=done]");
    await press(done());
    assert.match(await notice(page).innerText(), /\S/);
    assert.equal(await done().count(), 0, "what is done cannot be done again");
    await press(notice(page).locator("button", { hasText: say.undo }));
    assert.equal(await done().count(), 1, "undone, it is to be done again");
    await press(done());
    assert.equal(await done().count(), 0);
  });

  await step("snoozed by a word", async () => {
    const form = rows.first().locator("form.acts");
    const action = await form.getAttribute("action");
    const before = await rowOf(action).innerText();
    await form.locator("details.more > summary").click();
    const choice = form.locator("select[name=value]");
    await choice.selectOption({ index: (await choice.locator("option").count()) - 1 });
    await press(form.locator("button[value=snooze]"));
    assert.match(await notice(page).innerText(), /\S/);
    if (await rowOf(action).count()) assert.notEqual(await rowOf(action).innerText(), before, "the row says its new day");
  });

  let client, clientPage;
  await step("a contact is planned in one line", async () => {
    const link = rows.locator('.meta a[href^="/clients/"]').first();
    client = await link.innerText();
    clientPage = await link.getAttribute("href");
    await page.locator("details.tool:has(form[action='/contacts']) > summary, details.tool:has(form[action='/contacts/quick']) > summary").first().click();
    await page.locator('input[name="line"]').fill(say.plan(client));
    await follow(page, () => page.locator('input[name="line"]').press("Enter"));
    assert.match(await notice(page).innerText(), /10:00/);
    await page.goto(clientPage);
    assert.match(await page.locator("main").innerText(), /10:00/);
  });

  await step("the client's correspondence", async () => {
    assert.ok((await heading(page).innerText()).includes(client));
    const letter = page.locator("#contacts details > summary").first();
    await letter.click();
    assert.match(await page.locator("#contacts details[open]").first().innerText(), /\S{3}/);
    await press(page.locator("#contacts a.title").first());
    await page.waitForURL(/\/contacts\/\d+/);
    assert.match(await heading(page).innerText(), /\S/);
  });

  await step("a letter as it looked", async () => {
    await page.goto("/clients");
    const clients = await page.locator('main a[href^="/clients/"]').evaluateAll((links) => links.map((a) => a.getAttribute("href")));
    const letter = page.locator("#contacts li:has(.estimate) a.title").first(); // what a letter took is estimated
    for (const at of clients) {
      await page.goto(at);
      if (await letter.count()) break;
    }
    await press(letter);
    await page.locator("summary:has(+ iframe)").click();
    const frame = page.frameLocator("iframe.original");
    assert.match(await frame.locator("body").innerText(), /\S{3}/);
    assert.equal(await frame.locator(".note").count(), 0, "it is there");
  });

  await step("a deal", async () => {
    await page.goto("/deals");
    const next = await page.locator("main .next").first().innerText();
    assert.match(next, /[1-9]/, "what is next");
    assert.doesNotMatch(next, /(^|[^\d,.])0[,.]00/, "what is next has its sum");
    const deal = page.locator('main a[href^="/deals/"]').first();
    const number = await deal.innerText();
    await press(deal);
    await page.waitForURL(/\/deals\/\d+/);
    assert.ok((await heading(page).innerText()).includes(number));
    assert.match(await page.locator("main").innerText(), /\d,\d\d|\d\.\d\d/, "sums");
  });

  await step("set-up says the own addresses", async () => {
    await page.goto("/setup");
    assert.ok((await page.locator("main code").allInnerTexts()).some((s) => s.includes("/dav/")));
    assert.ok((await page.locator("main code").allInnerTexts()).includes(manager));
  });

  await step("a saved filter becomes a calendar and goes again", async () => {
    const name = `${lang} ${options ? "plain" : "script"} !`;
    await page.goto("/calendars/new");
    await page.locator('input[name="name"]').fill(name);
    await page.locator('input[name="importance"][value="high"]').check();
    await press(page.locator("button.main"));
    const own = page.locator('main a[href^="/calendars/"]', { hasText: name });
    await press(own);
    assert.ok(await page.locator('input[name="importance"][value="high"]').isChecked());
    await press(page.locator('button[value="delete"]'));
    assert.equal(await own.count(), 0);
  });

  await step("what others' is not here", async () => {
    watched.expected = [404];
    assert.equal((await page.goto("/clients/999999")).status(), 404);
    assert.match(await heading(page).innerText(), /\S/);
    watched.expected = [];
  });

  await step("logout", async () => {
    await page.goto("/");
    await press(page.locator('form[action="/logout"] button'));
    await page.waitForURL("**/login**");
    await page.goto("/clients");
    assert.equal(new URL(page.url()).pathname, "/login", "nothing is shown without a session");
  });
}

// file is what a link downloads.
async function file(page, link) {
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  return readFileSync(await download.path());
}

async function headsDay(t, lang, head) {
  const { page, step } = await day(t);

  await step("a report by its parameters, with a chart", async () => {
    await login(page, head);
    await page.goto("/reports");
    await press(page.locator('main a[href="/reports/contacts"]'));
    await page.locator("select[name=period]").selectOption("year");
    await press(page.locator("main form.filter button.main"));
    assert.ok((await page.locator("main table tbody tr").count()) > 1);
    assert.ok(await page.locator("main svg").first().isVisible(), "a chart");
  });

  await step("drill-down: a figure leads to what it counts", async () => {
    const before = page.url();
    await press(page.locator('main table a[href*="rows=1"]').first());
    await page.waitForURL((u) => u.searchParams.get("rows") === "1");
    assert.match(await heading(page).innerText(), /\S/);
    await page.goto(before);
  });

  await step("export as CSV and XLSX", async () => {
    const csv = await file(page, page.locator('.downloads a[href*="csv"]').first());
    assert.ok(csv.toString("utf8").split("\n").length > 2, "rows");
    const xlsx = await file(page, page.locator('.downloads a[href*="xlsx"]').first());
    assert.equal(xlsx.subarray(0, 2).toString(), "PK");
  });

  await step("the report is saved, opened and deleted", async () => {
    await press(page.locator('main a[href*="/reports/saved/new"]'));
    const name = `${lang} contacts`;
    await page.locator('input[name="name"]').fill(name);
    await press(page.locator("main form.filter button.main").first());
    await page.goto("/reports/saved");
    const own = page.locator('main a', { hasText: name }).first();
    assert.ok(await own.isVisible());
    await press(page.locator(`tr:has-text("${name}") a[href^="/reports/saved/"], li:has-text("${name}") a[href^="/reports/saved/"]`).first());
    await press(page.locator('button[value="delete"]'));
    await page.goto("/reports/saved");
    assert.equal(await page.locator("main a", { hasText: name }).count(), 0);
  });

  await step("status: mailboxes and jobs", async () => {
    await page.goto("/status");
    assert.match(await page.locator("main table").first().innerText(), /@|vector|anna/);
    assert.ok((await page.locator("main form[action^='/status/jobs/']").count()) > 0);
  });

  await step("an unknown sender is registered", async () => {
    await page.goto("/questions");
    if (!(await page.locator('main a[href^="/senders"]').count())) await page.goto("/status");
    const link = page.locator('main a[href^="/senders"]').first();
    const href = await link.getAttribute("href");
    await press(link);
    await page.locator('input[name="client"][value="new"]').check();
    await page.locator('form[method="post"] input[name="name"]').fill(`ООО «${lang}»`);
    await press(page.locator('button[value="accept"]'));
    await page.goto("/status");
    assert.equal(await page.locator(`main a[href="${href}"]`).count(), 0, "it is not asked again");
    await page.goto("/clients?name=" + encodeURIComponent(`«${lang}»`));
    assert.ok(await page.locator("main a", { hasText: `«${lang}»` }).first().isVisible());
  });

  await step("two clients become one, and two again", async () => {
    await page.goto("/clients");
    const names = page.locator('main a[href^="/clients/"]');
    const [kept, gone] = [await names.nth(0).innerText(), await names.nth(1).innerText()];
    const [keptHref, goneHref] = [await names.nth(0).getAttribute("href"), await names.nth(1).getAttribute("href")];
    await page.goto(`${keptHref}/merge?with=${goneHref.split("/")[2]}`);
    assert.ok((await page.locator("main").innerText()).includes(gone));
    await press(page.locator("form.acts button.main"));
    await page.goto(keptHref);
    assert.ok((await heading(page).innerText()).includes(kept));
    await press(page.locator('form[action^="/merges/"] button').first());
    assert.equal((await page.goto(goneHref)).status(), 200);
    assert.ok((await heading(page).innerText()).includes(gone));
  });

  await step("the log of changes has it", async () => {
    await page.goto("/changes");
    assert.ok((await page.locator("main tbody tr, main li").count()) > 2);
  });
}

for (const { lang, head, manager } of languages) {
  test(`a manager's day, ${lang}`, (t) => managersDay(t, lang, manager));
  test(`a head's day, ${lang}`, (t) => headsDay(t, lang, head));
}
test("a manager's day without JavaScript, ru", (t) => managersDay(t, "ru", "maria", { javaScriptEnabled: false }));
