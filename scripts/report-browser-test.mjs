// What scripts/report-browser-test does in the browser. Arguments: reports. CHROMIUM is the browser, SHOTS a directory for screenshots.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SLOWEST_MS = 1000;
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };

let wrong = 0;
const expect = (holds, what) => {
  if (!holds) { wrong += 1; console.log(`  WRONG: ${what}`); }
};

const open = async (browser, url, { theme = "light", size = "wide", scripts = true } = {}) => {
  const page = await browser.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => expect(false, `an error on the page: ${error.message}`));
  page.on("console", (message) => { if (message.type() === "error") expect(false, `the console says: ${message.text()}`); });
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport(SIZES[size]);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  await page.goto(url, { waitUntil: "load" });
  expect(requests.every((request) => request === url), `it asks for more than itself: ${requests.filter((request) => request !== url)}`);
  return page;
};

const check = async (page, name) => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of violations) {
    console.log(`  axe ${name}: ${impact}: ${id}: ${help} (${nodes.length}), such as ${nodes[0].html.slice(0, 160)}`);
    if (impact === "serious" || impact === "critical") wrong += 1;
  }
  if (violations.length === 0) console.log(`  axe ${name}: nothing found`);
};

// As much of the page as the browser can take a picture of.
const shoot = async (page, name) => {
  if (!process.env.SHOTS) return;
  const [width, height] = await page.evaluate(() => [innerWidth, Math.min(document.documentElement.scrollHeight, 12000)]);
  const clip = { x: 0, y: 0, width, height };
  await page.screenshot({ path: path.join(process.env.SHOTS, `${name}.png`), clip, captureBeyondViewport: true });
};

// Arrows open their evidence by keyboard.
const keyboard = async (page) => {
  const arrow = await page.$(".sequence a");
  if (!arrow) return;
  const target = await arrow.evaluate((link) => link.getAttribute("href").slice(1));
  await arrow.evaluate((link) => link.focus()); // the library focuses HTML only
  await page.keyboard.press("Enter");
  const opened = `document.getElementById(${JSON.stringify(target)}).closest("details").open`;
  await page.waitForFunction(opened, { timeout: 2000 }).catch(() => expect(false, `Enter on an arrow does not open ${target}`));
};

const search = async (page) => {
  const rows = () => page.$$eval("#log-rows tr", (all) => all.filter((row) => !row.hidden && row.cells.length === 4).length);
  const input = await page.$("#log-search");
  if (!input) return;
  const before = await rows();
  await input.type("no line has this");
  const none = "[...document.querySelectorAll('#log-rows tr')].every((row) => row.hidden || row.cells.length !== 4)";
  await page.waitForFunction(none, { timeout: 2000 }).catch(() => expect(false, "the search of the logs hides nothing"));
  await input.evaluate((field) => { field.value = ""; field.dispatchEvent(new Event("input")); });
  const all = `document.getElementById("log-count").textContent.startsWith("${before} ")`;
  await page.waitForFunction(all, { timeout: 2000 }).catch(() => expect(false, "an empty search does not bring all lines back"));
};

const theme = async (page) => {
  const colour = () => page.$eval("body", (body) => getComputedStyle(body).backgroundColor);
  const before = await colour();
  await page.click("#theme");
  expect(await colour() !== before, "the button does not change the colours");
  await page.click("#theme");
  await page.evaluate(() => localStorage.clear());
};

const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
try {
  for (const file of process.argv.slice(2)) {
    const url = pathToFileURL(file).href;
    const name = path.basename(path.dirname(file));
    console.log(`${name}: ${(fs.statSync(file).size / 1024).toFixed(0)} KiB`);
    await (await open(browser, url)).close(); // the browser itself warms up
    const page = await open(browser, url);
    const ms = await page.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventEnd);
    const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
    console.log(`  loaded in ${ms.toFixed(0)} ms, first painted after ${painted.toFixed(0)} ms`);
    expect(ms <= SLOWEST_MS, `it opens in more than ${SLOWEST_MS} ms`);
    await shoot(page, `${name}-light`);
    await check(page, "light");
    await theme(page);
    await search(page);
    await keyboard(page);
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
    await check(page, "everything opened");
    await shoot(page, `${name}-opened`);
    await page.close();
    for (const [mode, options] of [["dark", { theme: "dark" }], ["narrow", { size: "narrow" }], ["narrow, dark", { size: "narrow", theme: "dark" }]]) {
      const other = await open(browser, url, options);
      await check(other, mode);
      await shoot(other, `${name}-${mode.replace(", ", "-")}`);
      const light = await other.$eval("body", (body) => getComputedStyle(body).backgroundColor === "rgb(246, 246, 243)");
      expect(light === (options.theme !== "dark"), `${mode}: the colours are not those that the reader prefers`);
      const wider = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider <= 0, `${mode}: the page is ${wider} pixels wider than the window`);
      await other.close();
    }
    const plain = await open(browser, url, { scripts: false });
    await shoot(plain, `${name}-plain`);
    await plain.close();
  }
} finally {
  await browser.close();
}
console.log(wrong === 0 ? "all is well" : `${wrong} wrong`);
process.exitCode = wrong === 0 ? 0 : 1;
