// Connecting Gong: by keyboard, over and over across sites, without script, and after every kind of change of mind.
import test, { after, afterEach, before } from "node:test";
import assert from "node:assert/strict";
import { enter, settled, start, status } from "./kit/world.mjs";

const PAGE = "/settings/integrations/gong";
let world;
before(async () => { world = await start({ ask: true, calls: 40 }); });
after(() => world?.end());
// A test that failed on its way must not spoil the next one.
afterEach(async () => {
  await world.gong.post("consent", { consent: "ask" });
  const page = await enter(world);
  await page.request.delete(`${world.url}/api/v1/integrations/gong`, { headers: { origin: world.url } });
  for (const context of world.browser.contexts()) await context.close();
});

const arrived = (page) => page.locator("#panel[data-status=connected]").waitFor();
const approve = (page) => page.getByRole("button", { name: "Approve" }).click();
async function disconnect(page) {
  await page.goto(`${world.url}${PAGE}/disconnect`);
  await page.getByLabel(/Type disconnect/).fill("disconnect");
  await page.getByRole("button", { name: "Disconnect Gong" }).click();
  await page.waitForURL(/done=disconnected/);
}

test("UIX-03 TOK-03 an admin connects with the keyboard in at most four actions, across sites", async () => {
  const page = await enter(world);
  await page.goto(`${world.url}/`);
  let actions = 0;
  const press = async (name) => {
    for (let tabs = 0; tabs < 60; tabs += 1) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => {
        const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
        return { text: at.textContent.trim(), seen: box.width > 0, outline: style.outlineStyle !== "none" };
      });
      if (focused.text === name) {
        assert.ok(focused.seen && focused.outline, `${name} shows that it has the focus`);
        actions += 1;
        await page.keyboard.press("Enter");
        return;
      }
    }
    assert.fail(`${name} cannot be reached by keyboard`);
  };
  await press("Connect Gong"); // on the overview: what to do next
  await page.waitForURL(`${world.url}${PAGE}`);
  await press("Connect Gong"); // on the settings page
  await page.waitForURL(`${new URL(world.gong.authorize_url).origin}/**`);
  assert.notEqual(new URL(page.url()).hostname, new URL(world.url).hostname, "Gong is another site");
  await page.locator("#approve").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\?connected/);
  await arrived(page);
  assert.equal(await page.locator("#status").innerText(), "Connected");
  assert.ok(actions <= 4, `${actions} actions on our side`);
  await settled(world, page);
  await disconnect(page);
});

test("UIX-03 going back, reloading or closing on the way never leads to a dead end", async () => {
  const page = await enter(world);
  await page.goto(`${world.url}${PAGE}`);
  await page.locator("#connect").click();
  await page.waitForURL(/oauth2/);
  await page.goBack();
  await page.locator("#connect").click(); // a second flow beside the first
  await page.waitForURL(/oauth2/);
  await page.reload();
  await approve(page);
  await page.waitForURL(/\?connected/);
  await arrived(page);
  await page.reload();
  assert.equal(await page.locator("#panel").getAttribute("data-status"), "connected");
  await disconnect(page);

  await page.goto(`${world.url}${PAGE}`);
  await page.locator("#connect").click();
  await page.waitForURL(/oauth2/);
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("heading", { name: "Gong was not connected" }).waitFor();
  await page.locator("[data-code=access_denied] a").click(); // the one button
  await page.waitForURL(`${world.url}${PAGE}`);
  const other = await page.context().newPage(); // closed at Gong, opened anew
  await other.goto(`${world.url}${PAGE}`);
  await other.locator("#connect").click();
  await approve(other);
  await arrived(other);
  await disconnect(other);
});

test("UIX-03 a history of 0, 61 or -1 days is refused beside its field and nothing is begun", async () => {
  const page = await enter(world);
  const before = (await world.gong.get("summary"));
  for (const days of ["0", "61", "-1"]) {
    await page.goto(`${world.url}${PAGE}`);
    await page.evaluate(() => { document.querySelector("#history-days").form.noValidate = true; });
    await page.locator("#history-days").fill(days);
    await page.locator("#connect").click();
    assert.match(await page.locator("#history-error").innerText(), /from 1 to 60/);
    assert.equal(await page.locator("#history-days").getAttribute("aria-invalid"), "true");
  }
  assert.deepEqual((await world.gong.get("summary")).authorize ?? null, before.authorize ?? null);
});

test("TOK-10 each error of Gong's has its own page, and its own words are never shown", async () => {
  const page = await enter(world);
  const seen = new Set();
  for (const code of ["access_denied", "unauthorized_client", "invalid_scope", "server_error", "temporarily_unavailable", "invalid_request", "something_new"]) {
    await world.gong.post("consent", { consent: { error: code } });
    await page.goto(`${world.url}${PAGE}`);
    await page.locator("#connect").click();
    const title = await page.locator("main .callout h2").innerText();
    assert.equal(await page.locator("main .callout .button").count(), 1, code);
    seen.add(title);
    const described = "<img src=x onerror=alert(1)>";
    const answer = await page.goto(`${world.url}/api/integrations/gong/callback?error=${code}&state=x&error_description=${encodeURIComponent(described)}`);
    assert.ok(!(await answer.text()).includes("onerror"), code);
  }
  assert.ok(seen.size >= 6, [...seen].join(" / "));
  await world.gong.post("consent", { consent: "ask" });
});

test("UIX-16 connect, look, pause, disconnect without script", async () => {
  const page = await enter(world, { javaScriptEnabled: false });
  await page.goto(`${world.url}${PAGE}`);
  await page.locator("#connect").click();
  await approve(page);
  await page.getByText("Gong is connected.").waitFor();
  await settled(world, page);
  await page.goto(`${world.url}${PAGE}`);
  assert.equal(await page.locator("#status").innerText(), "Connected");
  const shown = await page.locator("[data-live=calls]").innerText();
  assert.equal(shown, (await status(world, page)).counts.calls.toLocaleString("en-US"));
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("The connection is paused.").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The connection works again.").waitFor();
  await page.getByRole("link", { name: "Calls", exact: true }).click();
  await page.getByRole("searchbox").fill("zzzz nothing");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Dark" }).click();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  await page.goto(`${world.url}${PAGE}`);
  await page.getByRole("link", { name: "Disconnect Gong" }).click();
  await page.getByRole("button", { name: "Disconnect Gong" }).click();
  await page.getByLabel(/Type disconnect/).fill("disconnect");
  await page.getByRole("button", { name: "Disconnect Gong" }).click();
  await page.getByText("Gong is disconnected.").waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You are logged out.").waitFor();
});

test("TOK-03 twenty of twenty connects come back across sites with a Strict session cookie and a Lax flow cookie", async () => {
  const page = await enter(world);
  const cookies = await page.context().cookies(world.url);
  assert.equal(cookies.find((cookie) => cookie.name === "soundpost")?.sameSite, "Strict");
  for (let round = 1; round <= 20; round += 1) {
    await page.goto(`${world.url}${PAGE}`);
    await page.locator("#connect").click();
    await page.waitForURL(/oauth2/);
    const flow = (await page.context().cookies(world.url)).find((cookie) => cookie.name === "soundpost_flow");
    assert.equal(flow?.sameSite, "Lax");
    await approve(page);
    await page.waitForURL(/\?connected/);
  await arrived(page);
    assert.equal(await page.locator("#panel").getAttribute("data-status"), "connected", `round ${round}`);
    if (round < 20) await page.request.delete(`${world.url}/api/v1/integrations/gong`, { headers: { origin: world.url } });
  }
});
