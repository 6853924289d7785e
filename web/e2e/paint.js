// Prints, of each page as one opens it the first time, when Chromium first
// paints something, how many bytes come, and how many requests the paint waits
// for beside the page itself (style sheets, and scripts without defer).
import { everyPage, launch, login, open } from "./browser.js";

const browser = await launch();
const { page } = await open(browser);
await login(page, "olga");
const { pages } = await everyPage(page);
const state = await page.context().storageState();
console.log("page                          paint   bytes  blocking");
for (const { name, path, out } of pages) {
  // A fresh context has an empty cache.
  const fresh = await open(browser, out ? {} : { storageState: state });
  await fresh.page.goto(path, { waitUntil: "load" });
  const figures = await fresh.page.evaluate(() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (!paint) return;
      const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
      resolve({
        paint: paint.startTime,
        bytes: all.reduce((sum, e) => sum + e.transferSize, 0),
        blocking: all.filter((e) => e.renderBlockingStatus === "blocking").length,
      });
    }).observe({ type: "paint", buffered: true });
  }));
  console.log(`${name.padEnd(28)} ${figures.paint.toFixed(0).padStart(4)} ms ${String(figures.bytes).padStart(7)} ${String(figures.blocking).padStart(9)}`);
  await fresh.context.close();
}
await browser.close();
