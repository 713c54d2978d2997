// Every page in every state and both themes: accessible, inside its window, with words for emptiness and failure.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { violations, overflow } from "./kit/axe.mjs";
import { run } from "./kit/postgres.mjs";
import { OWNER, PASSWORD, connect, enter, eventually, settled, start, status } from "./kit/world.mjs";

const PAGE = "/settings/integrations/gong";
const SIGNED_IN = ["/", "/calls", "/calls?q=zzzz", "/settings/integrations", PAGE, "/settings/members", "/settings/api-keys", "/activity", "/docs", "/docs/errors", "/docs/api", "/password", "/no-such-page"];
let world, page;
before(async () => {
  world = await start({ calls: 60 });
  page = await enter(world, { bypassCSP: true });
});
after(() => world?.end());

/** Looks at the present page in both themes and at phone width. */
async function check(name) {
  const faults = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // colours that are on their way have no contrast yet
    faults.push(...(await violations(page)).map((fault) => `${name}, ${colorScheme}: ${fault}`));
  }
  const size = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const wider = await overflow(page);
  if (wider > 0) faults.push(`${name}: ${wider} px wider than a window of 320 px`);
  faults.push(...(await violations(page)).map((fault) => `${name}, 320 px: ${fault}`));
  await page.setViewportSize(size);
  return faults;
}

async function checkAll(paths, state) {
  const faults = [];
  for (const path of paths) {
    await page.goto(`${world.url}${path}`);
    faults.push(...await check(`${path} ${state}`));
  }
  assert.deepEqual(faults, []);
}

test("UIX-06 UIX-09 nothing connected: every page is accessible and says what to do next", async () => {
  await checkAll(SIGNED_IN, "while nothing is connected");
  await page.goto(`${world.url}/`);
  await page.getByRole("link", { name: "Connect Gong" }).waitFor();
  await page.goto(`${world.url}/calls`);
  await page.getByRole("heading", { name: "No calls yet" }).waitFor();
});

test("UIX-06 the log-in page, empty and refused", async () => {
  const stranger = await world.browser.newContext({ bypassCSP: true });
  const mine = page;
  page = await stranger.newPage();
  await checkAll(["/login", "/docs/errors"], "logged out");
  await page.goto(`${world.url}/login`);
  await page.getByLabel("E-mail").fill(OWNER);
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  assert.deepEqual(await check("/login refused"), []);
  page = mine;
  await stranger.close();
});

test("UIX-06 connected: every page, a call, the disconnect page and dialog", async () => {
  await connect(world, page);
  await settled(world, page);
  const calls = await (await page.request.get(`${world.url}/api/v1/calls?limit=1&state=stored`)).json();
  await checkAll([...SIGNED_IN, `/calls/${calls.items[0].id}`, `${PAGE}/disconnect`], "while connected");
  await page.goto(`${world.url}${PAGE}`);
  await page.locator("#disconnect").click();
  assert.deepEqual(await check("disconnect dialog"), []);
});

test("UIX-06 paused and missing scope", async () => {
  const patch = (paused) => page.request.patch(`${world.url}/api/v1/integrations/gong`, { data: { paused }, headers: { origin: world.url } });
  await page.goto("about:blank"); // an open page would follow the status by itself, in the middle of the next step
  await patch(true);
  await checkAll(["/", PAGE], "while paused");
  await page.goto("about:blank");
  await patch(false);
  await page.request.delete(`${world.url}/api/v1/integrations/gong`, { headers: { origin: world.url } });
  await checkAll(["/", PAGE, "/calls"], "while disconnected");
  await world.gong.post("config", { scope_granted: "api:calls:read:basic api:calls:read:extensive api:users:read api:workspaces:read" });
  await connect(world, page, 0);
  await eventually("the missing scope shows", async () => (await status(world, page)).scopes.missing.includes("api:calls:read:transcript"));
  await page.goto(`${world.url}${PAGE}`);
  await page.locator("[data-code=missing_scope]").first().waitFor();
  assert.match(await page.locator(".callout[data-code=missing_scope] h2").innerText(), /api:calls:read:transcript/);
  await checkAll(["/", PAGE], "with a missing scope");
});

test("UIX-06 members, keys and what is shown once", async () => {
  await page.goto(`${world.url}/settings/members`);
  await page.getByLabel("E-mail").fill("new@acme.example");
  await page.getByRole("button", { name: "Add member" }).click();
  await page.getByRole("heading", { name: "The member was added" }).waitFor();
  assert.ok((await page.locator("#secret").inputValue()).length >= 12);
  assert.deepEqual(await check("first password"), []);
  await page.goto(`${world.url}/settings/api-keys`);
  await page.getByLabel("Name").fill("<b>Loader</b>");
  await page.getByRole("button", { name: "Make key" }).click();
  const secret = await page.locator("#secret").inputValue();
  assert.match(secret, /^spk_/);
  assert.ok(!page.url().includes(secret));
  await checkAll(["/settings/members", "/settings/api-keys", "/activity"], "with content");
  await page.goto(`${world.url}/settings/api-keys`);
  assert.ok(!(await page.content()).includes(secret), "a secret is shown once");
  await page.getByRole("link", { name: /Revoke/ }).click();
  await page.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("The key is revoked.").waitFor();
});

test("UIX-05 the dialog lists effects, wants the word, keeps the focus and gives it back", async () => {
  await page.goto(`${world.url}${PAGE}`);
  await page.locator("#disconnect").click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  const effects = await dialog.locator("ul li").allInnerTexts();
  for (const word of [/disconnected/, /credentials are deleted/, /cancelled/, /stay|nothing to keep/]) {
    assert.ok(effects.some((effect) => word.test(effect)), `${word} among ${effects.join(" / ")}`);
  }
  assert.equal(await dialog.getByText(/erase/i).count(), 0, "erasing is another thing");
  for (let tab = 0; tab < 12; tab += 1) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.querySelector("dialog[open]").contains(document.activeElement)), "the focus stays inside");
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "disconnect", "the focus comes back");
  await page.locator("#disconnect").click();
  await dialog.getByLabel(/Type disconnect/).fill("delete");
  await dialog.getByRole("button", { name: "Disconnect Gong" }).click();
  assert.equal((await status(world, page)).status, "connected", "another word does nothing");
  await dialog.getByLabel(/Type disconnect/).fill("disconnect");
  await dialog.getByRole("button", { name: "Disconnect Gong" }).click();
  await page.getByText("Gong is disconnected.").waitFor();
  assert.equal((await status(world, page)).status, "disconnected");
});

test("UIX-09 no page moves while it loads", async () => {
  await page.setViewportSize({ width: 1280, height: 800 });
  for (const path of ["/", "/calls", PAGE]) {
    await page.goto(`${world.url}${path}`);
    const shift = await page.evaluate(() => new Promise((resolve) => {
      let sum = 0;
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; }).observe({ type: "layout-shift", buffered: true });
      setTimeout(() => resolve(sum), 1000);
    }));
    assert.ok(shift <= 0.1, `${path} moved by ${shift}`);
  }
});

test("UIX-09 who is not logged in comes back to the page that was wanted", async () => {
  const stranger = await world.browser.newContext();
  const lost = await stranger.newPage();
  await lost.goto(`${world.url}/calls`);
  assert.match(lost.url(), /\/login\?next=%2Fcalls/);
  await lost.getByLabel("E-mail").fill(OWNER);
  await lost.getByLabel("Password").fill(PASSWORD);
  await lost.getByRole("button", { name: "Log in" }).click();
  await lost.waitForURL(`${world.url}/calls`);
  await stranger.close();
});

test("UIX-09 while the database is away every page says so with a next step, and it mends itself", async () => {
  const admin = process.env.SOUNDPOST_TEST_DATABASE_URL;
  const name = new URL(world.database).pathname.slice(1);
  await run(admin, `alter database ${name} with allow_connections false`,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
  try {
    const answer = await page.goto(`${world.url}/calls`);
    assert.equal(answer.status(), 503);
    assert.equal(await page.locator("main .button").count(), 1, "one thing to do");
    assert.match(await page.locator("main").innerText(), /Try again/);
    assert.deepEqual(await check("/calls without a database"), []);
  } finally {
    await run(admin, `alter database ${name} with allow_connections true`);
  }
  await eventually("the calls are back", async () => (await page.goto(`${world.url}/calls`)).status() === 200);
});
