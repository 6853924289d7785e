// Every page, in both languages, light and dark, wide and on a phone: axe-core
// finds nothing serious, nothing scrolls sideways, the keyboard reaches all.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { everyPage, languages, launch, login, narrow, open, wide } from "./browser.js";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

// The policy forbids scripts of others, so that axe-core comes through the
// debugger; the policy itself is what the pages are watched with in day.test.js.
async function findings(page, rules) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate((rules) => axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) }), rules);
  return violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.impact}: ${v.id}: ${v.help}\n    ${v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160) + (n.any[0] ? " — " + n.any[0].message : "")).join("\n    ")}`);
}
const axeSource = (await import("node:fs")).readFileSync(axe, "utf8");

// tooSmall are buttons and links beside text that a finger misses: WCAG 2.2's
// 24 pixels, or 24 around them free of others. Links within a sentence are
// excused there, and so is what only a screen reader meets.
function tooSmall() {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const targets = [...document.querySelectorAll("button, select, summary, input:not([type=hidden])")].filter(shown);
  return targets
    .filter((e) => !e.closest(".sr") && !(e.labels && [...e.labels].some((l) => l.getBoundingClientRect().height >= 24)))
    .filter((e) => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24; })
    .map((e) => { const r = e.getBoundingClientRect(); return `${e.outerHTML.slice(0, 100)}: ${Math.round(r.width)}×${Math.round(r.height)}`; });
}

// sideways is what makes the page wider than the screen.
function sideways() {
  const limit = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= limit) return [];
  const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > limit + 1);
  return [`${document.documentElement.scrollWidth} px of ${limit}`, ...out.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
}

// tabbed goes through the page by the key Tab and gives what it never reached
// and what it reached without showing where one is.
async function tabbed(page) {
  const count = await page.evaluate(() => {
    const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled;
    const all = [...document.querySelectorAll("a[href], button, select, textarea, summary, input:not([type=hidden])")].filter(shown);
    // One of each group of radio buttons takes the focus.
    const groups = new Set();
    window.unreached = new Set(all.filter((e) => e.type !== "radio" || (!groups.has(e.name) && groups.add(e.name))));
    window.blind = [];
    document.activeElement?.blur();
    document.addEventListener("focusin", (event) => {
      const e = event.target;
      if (e.type === "radio") for (const u of window.unreached) if (u.type === "radio" && u.name === e.name) window.unreached.delete(u);
      window.unreached.delete(e);
      const s = getComputedStyle(e);
      const inside = e.closest("label, li, tr");
      const ring = (x) => x && x.outlineStyle !== "none" && parseFloat(x.outlineWidth) > 0;
      if (!ring(s) && s.boxShadow === "none" && !ring(inside && getComputedStyle(inside))) window.blind.push(e.outerHTML.slice(0, 120));
    });
    return all.length;
  });
  // A date takes several stops. Very long pages are gone through in part.
  const limit = 300;
  for (let i = 1; i <= Math.min(limit, 2 * count + 10); i++) {
    await page.keyboard.press("Tab");
    if (i % 10 === 0 && (await page.evaluate(() => window.unreached.size)) === 0) break;
  }
  return page.evaluate((all) => ({
    unreached: all ? [...window.unreached].slice(0, 5).map((e) => e.outerHTML.slice(0, 120)) : [],
    blind: window.blind.slice(0, 5),
  }), count < limit - 40);
}

for (const { lang, head } of languages) {
  test(`every page, ${lang}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const inside = await open(browser);
    const outside = await open(browser);
    for (const { watched } of [inside, outside]) watched.expected.push(404);
    await login(inside.page, head);
    const { pages, missing } = await everyPage(inside.page);
    await t.test("all registered pages are found", () => assert.deepEqual(missing, []));
    for (const { name, path, out, status = 200 } of pages) {
      await t.test(name, async () => {
        const { page, watched } = out ? outside : inside;
        const bad = [];
        const answer = await page.goto(path);
        assert.equal(answer.status(), status, path);
        if (!out) assert.equal(await page.locator("html").getAttribute("lang"), lang);
        // The words of a language matter to names and widths; colours and
        // the way of the focus are the same in both.
        for (const size of [wide, narrow]) {
          const say = (what, found) => bad.push(...found.map((f) => `${size.width} px: ${what}: ${f}`));
          await page.setViewportSize(size);
          say("axe", await findings(page));
          say("wider than the screen", await page.evaluate(sideways));
          if (size === narrow) say("too small to touch", await page.evaluate(tooSmall));
          if (lang !== "ru") continue;
          await page.emulateMedia({ colorScheme: "dark" });
          say("dark: axe", await findings(page, ["color-contrast", "link-in-text-block"]));
          await page.emulateMedia({ colorScheme: "light" });
          if (size === narrow) continue;
          const { unreached, blind } = await tabbed(page);
          say("Tab never comes to", unreached);
          say("has no visible focus", blind);
        }
        bad.push(...watched.faults.splice(0));
        assert.equal(bad.length, 0, `${path}\n` + bad.slice(0, 40).join("\n"));
      });
    }
  });
}
