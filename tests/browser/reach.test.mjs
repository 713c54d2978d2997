// Every page by keyboard alone, at four times its size, without motion, in the visitor's zone and language.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { overflow } from "./kit/axe.mjs";
import { run } from "./kit/postgres.mjs";
import { connect, enter, settled, start } from "./kit/world.mjs";

const GONG = "/settings/integrations/gong";
const PAGES = ["/", "/calls", "/settings/integrations", GONG, `${GONG}/disconnect`, "/settings/members", "/settings/api-keys",
  "/settings/dead-letters", "/settings/dead-letters?show=all", "/settings/dead-letters/discard?kind=backfill&code=gong_refused",
  "/activity", "/docs", "/docs/errors", "/docs/api", "/password", "/no-such-page"];
let world, page;
before(async () => {
  world = await start({ calls: 60 });
  page = await enter(world, { reducedMotion: "reduce" });
  await connect(world, page, 19);
  await settled(world, page);
  const organization = world.organization.replace("org_", "");
  await run(world.database, `insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code, state, closed_reason)
    select n::text, '${organization}', 'nobody', 'backfill', gen_random_uuid(), n::text, 0, 8, 8, 'gong_refused',
      case when n % 3 = 0 then 'discarded' else 'dead' end, case when n % 3 = 0 then 'not needed' end from generate_series(1, 9) n`);
});
after(() => world?.end());

/** What can be operated on this page, marked by number in the order of the markup; a group of radio buttons is one. */
const mark = () => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const seen = new Set();
  const shown = all.filter((e) => {
    const group = e.type === "radio" && `${e.form?.action} ${e.name}`;
    const counts = !e.disabled && e.type !== "hidden" && e.checkVisibility({ visibilityProperty: true }) && !(group && seen.has(group));
    if (counts && group) seen.add(group);
    return counts;
  });
  // As properties: what the page compares is its markup.
  shown.forEach((e, n) => { e.stop = n; });
  globalThis.stops = shown;
  for (const radio of document.querySelectorAll("input[type=radio]")) {
    const first = shown.find((e) => e.type === "radio" && e.name === radio.name && e.form === radio.form);
    if (first) radio.stop = first.stop;
  }
  return shown.map((e) => `${e.tagName.toLowerCase()} ${(e.textContent || e.name || e.id).trim().slice(0, 40)}`);
};

/** The element that has the focus: its number, and whether one sees that it has it. */
const focused = () => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  // A live update may have put a new element in the place of one that was marked.
  const gone = e.stop === undefined ? globalThis.stops.findIndex((old) => !old.isConnected && old.tagName === e.tagName) : -1;
  if (gone >= 0) { globalThis.stops[gone] = e; e.stop = gone; }
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return { stop: e.stop, outlined, inside, name: `${e.tagName.toLowerCase()} ${(e.textContent || e.name || e.id).trim().slice(0, 40)}` };
};

/** Targets that are smaller than 24 by 24 pixels and do not stand in a line of text. */
const small = () => globalThis.stops.filter((e) => !e.matches("time, [role=region]")).flatMap((e) => {
  const boxes = [e, ...(e.labels ?? [])].map((part) => part.getBoundingClientRect());
  const wide = Math.max(...boxes.map((b) => b.width)), high = Math.max(...boxes.map((b) => b.height));
  const within = e.parentElement, around = within.textContent.trim() !== e.textContent.trim();
  const inText = e.tagName === "A" && getComputedStyle(e).display === "inline" && (around || within.matches("p, li, td, dd, div"));
  return inText || e.classList.contains("skip") || (wide >= 24 && high >= 24) ? [] : [`${e.outerHTML.slice(0, 90)} is ${Math.round(wide)} x ${Math.round(high)}`];
});

test("UIX-07 every control of every page is reached by Tab, in order, visibly, and nothing keeps the focus", async () => {
  const faults = [];
  await page.setViewportSize({ width: 1280, height: 800 });
  for (const path of PAGES) {
    await page.goto(`${world.url}${path}`);
    const names = await page.evaluate(mark);
    assert.ok(names.length > 5, `${path} has controls`);
    const order = [];
    let left = false;
    for (let n = 0; n < names.length + 10 && !left; n += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(focused);
      if (!at) { left = true; break; }
      if (order.length && at.stop !== undefined && Number(at.stop) === order[0] && order.length > 1) { left = true; break; }
      if (at.stop === undefined) { faults.push(`${path}: ${at.name} takes the focus and is no control`); continue; }
      if (!at.outlined) faults.push(`${path}: one does not see that ${at.name} has the focus`);
      if (!at.inside) faults.push(`${path}: ${at.name} has the focus outside of the window`);
      order.push(Number(at.stop));
    }
    if (!left) faults.push(`${path}: the focus does not come out again`);
    names.forEach((name, n) => { if (!order.includes(n)) faults.push(`${path}: ${name} is never reached`); });
    const back = order.findIndex((stop, n) => n > 0 && stop < order[n - 1]);
    if (back > 0) faults.push(`${path}: ${names[order[back]]} comes after ${names[order[back - 1]]}`);
    faults.push(...(await page.evaluate(small)).map((fault) => `${path}: ${fault}`));
  }
  assert.deepEqual(faults, []);
});

test("UIX-07 the dialog keeps the focus while it is open and gives it back", async () => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${world.url}${GONG}`);
  await page.locator("#disconnect").focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  for (let n = 0; n < 8; n += 1) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest("dialog[open]") !== null), `after ${n + 1} times Tab`);
  }
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "disconnect");
});

/** What can be operated, by what it does. */
const controls = () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter((e) => !e.disabled && e.type !== "hidden" && e.checkVisibility({ visibilityProperty: true }))
  .map((e) => e.tagName + (e.getAttribute("href") ?? e.id ?? "") + (e.name ?? "") + (e.tagName === "BUTTON" ? e.textContent.trim() : ""));
const moving = () => [...document.querySelectorAll("*")].filter((e) => {
  const style = getComputedStyle(e);
  const long = (times) => times.split(",").some((time) => parseFloat(time) > 0.01);
  return (style.animationName !== "none" && long(style.animationDuration)) || long(style.transitionDuration);
}).map((e) => e.outerHTML.slice(0, 80));

test("UIX-08 at 400 % nothing is lost, nothing scrolls sideways, and nothing moves", async () => {
  const faults = [];
  for (const path of PAGES) {
    await page.setViewportSize({ width: 1280, height: 1024 });
    await page.goto(`${world.url}${path}`);
    const wide = new Set(await page.evaluate(controls));
    // 1280 pixels at 400 % are 320; the menu is behind its button then.
    await page.setViewportSize({ width: 320, height: 256 });
    await page.goto(`${world.url}${path}`);
    const wider = await overflow(page);
    if (wider > 0) faults.push(`${path}: ${wider} px wider than its window`);
    const narrow = new Set(await page.evaluate(controls));
    const menu = page.getByRole("button", { name: "Menu", exact: true });
    if (await menu.isVisible()) await menu.click();
    for (const control of await page.evaluate(controls)) narrow.add(control);
    for (const control of wide) if (!narrow.has(control)) faults.push(`${path}: ${control} is lost`);
    if ((await overflow(page)) > 0) faults.push(`${path}: wider than its window with the menu open`);
    faults.push(...(await page.evaluate(moving)).map((what) => `${path}: ${what} moves`));
    const running = await page.evaluate(() => document.getAnimations().length);
    if (running) faults.push(`${path}: ${running} animations run`);
  }
  assert.deepEqual(faults, []);
});

async function visitor(locale, timezoneId, more = {}) {
  const context = await world.browser.newContext({ locale, timezoneId, storageState: await page.context().storageState(), ...more });
  return context.newPage();
}

test("UIX-14 times stand in the visitor's zone, with the zone, on hover and on focus; relative words change at the right second", async () => {
  for (const [locale, zone] of [["de-DE", "Europe/Berlin"], ["en-US", "America/New_York"], ["ja-JP", "Asia/Tokyo"]]) {
    const mine = await visitor(locale, zone);
    await mine.goto(`${world.url}/activity`);
    const time = mine.locator("time[data-relative]").first();
    const at = await time.getAttribute("datetime");
    const expected = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "long", timeZone: zone }).format(new Date(at));
    const plain = (text) => text.replace(/\s/gu, " ");
    assert.equal(plain(await time.getAttribute("title")), plain(expected), locale);
    await time.focus();
    await mine.keyboard.press("Shift+Tab");
    await mine.keyboard.press("Tab");
    const shown = await time.evaluate((e) => getComputedStyle(e, "::after").content);
    assert.ok(plain(shown).includes(plain(expected)), `on focus: ${shown}`);
    const look = (seconds) => time.evaluate((e, ago) => {
      e.dateTime = new Date(Date.now() - ago * 1000).toISOString();
      document.dispatchEvent(new Event("visibilitychange"));
      return e.textContent;
    }, seconds);
    assert.deepEqual([await look(5), await look(59.2), await look(60.2), await look(23 * 3600 + 60), await look(24 * 3600 + 60), await look(25 * 3600)],
      ["just now", "59 seconds ago", "1 minute ago", "23 hours ago", "1 day ago", "1 day ago"]);
    assert.equal(await look(-2 * 3600 - 60), "in 2 hours");
    const number = await mine.evaluate(() => {
      const cell = document.createElement("strong");
      cell.className = "number";
      cell.textContent = "1,234,567";
      document.body.append(cell);
      document.dispatchEvent(new Event("visibilitychange"));
      return cell.textContent;
    });
    assert.equal(number, (1234567).toLocaleString(locale));
    await mine.context().close();
  }
});

test("UIX-14 without script times are in UTC and say so", async () => {
  const mine = await visitor("de-DE", "Europe/Berlin", { javaScriptEnabled: false });
  await mine.goto(`${world.url}/activity`);
  const time = mine.locator("time[data-relative]").first();
  assert.match(await time.getAttribute("title"), /^\d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC$/);
  assert.match(await time.textContent(), /ago$|just now/);
  await mine.context().close();
});

test("UIX-13 two admins in two windows: the second is told who was faster and keeps the form", async () => {
  const [one, two] = [await visitor("en-GB", "UTC"), await visitor("en-GB", "UTC")];
  for (const tab of [one, two]) await tab.goto(`${world.url}${GONG}`);
  await one.getByLabel("Look for new calls every").selectOption("900");
  await one.locator("#save-settings").click();
  await one.getByText("The settings are saved.").waitFor();
  await two.getByLabel("Look for new calls every").selectOption("7200");
  await two.locator("#save-settings").click();
  await two.getByRole("alert").getByText("meanwhile", { exact: false }).first().waitFor();
  assert.match(await two.getByRole("alert").textContent(), /now 15 minutes, in your form 2 hours/);
  assert.equal(await two.getByLabel("Look for new calls every").inputValue(), "7200");
  assert.equal(await overflow(two), 0);
  await two.locator("#save-settings").click();
  await two.getByText("The settings are saved.").waitFor();
  for (const tab of [one, two]) await tab.context().close();
});
