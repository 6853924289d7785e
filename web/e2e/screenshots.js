// node screenshots.js DIR: a picture of every page in both languages, light
// and dark, wide and on a phone, and each as it would be printed.
import { mkdirSync } from "node:fs";
import { everyPage, languages, launch, login, narrow, open, wide } from "./browser.js";

const dir = process.argv[2];
if (!dir) {
  console.error("usage: node screenshots.js DIR");
  process.exit(2);
}
mkdirSync(dir, { recursive: true });
const browser = await launch();
let count = 0;
for (const { lang, head } of languages) {
  const inside = (await open(browser)).page;
  const outside = (await open(browser, { locale: lang })).page;
  await login(inside, head);
  const { pages } = await everyPage(inside);
  for (const { name, path, out } of pages) {
    const page = out ? outside : inside;
    await page.goto(path);
    for (const colorScheme of ["light", "dark"]) {
      for (const size of [wide, narrow]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize(size);
        await page.screenshot({ path: `${dir}/${name}.${lang}.${colorScheme}.${size.width}.png`, fullPage: true });
        count++;
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.pdf({ path: `${dir}/${name}.${lang}.pdf`, format: "A4" });
  }
}
await browser.close();
console.log(`${count} pictures in ${dir}`);
