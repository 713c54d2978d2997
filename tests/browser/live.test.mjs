// The page tells the truth by itself: status within five seconds, progress that never goes back, through broken streams.
import test from "node:test";
import assert from "node:assert/strict";
import { connect, enter, eventually, settled, sleep, start, status } from "./kit/world.mjs";

const PAGE = "/settings/integrations/gong";

async function metric(world, word) {
  const text = await (await fetch(world.metricsUrl)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("soundpost_connections{") || line.startsWith("soundpost_gong_connections{"));
  const line = lines.find((line) => line.includes(`status="${word}"`));
  return line ? Number(line.split(" ").pop()) : 0;
}

test("UIX-01 page, API and metric say the same word within five seconds", async (t) => {
  const world = await start({ calls: 25 });
  t.after(() => world.end());
  const page = await enter(world);
  const agree = async (word) => {
    const until = Date.now() + 5000;
    let page_, api, counted;
    do {
      const said = () => document.querySelector("#panel")?.dataset.status ?? document.querySelector("#status .pill")?.dataset.word;
      page_ = await page.evaluate(said).catch(() => "nothing: it is being loaded");
      api = (await status(world, page)).status;
      counted = await metric(world, word);
      if (page_ === word && api === word && (word === "disconnected" || counted >= 1)) return;
      await sleep(100);
    } while (Date.now() < until);
    assert.fail(`after five seconds the page says ${page_}, the API ${api}, the metric counts ${counted} ${word}`);
  };
  await page.goto(`${world.url}${PAGE}`);
  await agree("disconnected");
  await connect(world, page);
  await agree("connected");
  await settled(world, page);
  const change = (paused) => page.request.patch(`${world.url}/api/v1/integrations/gong`, { data: { paused }, headers: { origin: world.url } });
  await change(true); // somebody else, over the API; the page is open
  await agree("paused");
  assert.equal(await page.locator("[data-code=by_person] .button").count(), 1);
  await page.getByRole("button", { name: "Resume" }).click();
  await agree("connected");
  await world.gong.post("revoke", { company: 0 });
  await eventually("the dead grant is noticed", async () => {
    // A poll that was under way when the grant ended may have seen nothing of it: ask again.
    await page.request.post(`${world.url}/api/v1/integrations/gong/poll`, { headers: { origin: world.url } });
    await sleep(700);
    const now = await status(world, page);
    assert.equal(now.status, "reconnect_required", JSON.stringify({ reason: now.reason, last_error: now.last_error }));
    return true;
  }, 60);
  await agree("reconnect_required");
  assert.equal(await page.locator(".callout.bad .button").count(), 1, "one button");
  await page.locator(".callout.bad .button").click();
  await eventually("the connection is back", async () => {
    const title = await page.title();
    assert.ok(page.url().includes("?connected"), `${page.url()}: ${title}`);
    return true;
  }, 20);
  await agree("connected");
  await page.request.delete(`${world.url}/api/v1/integrations/gong`, { headers: { origin: world.url } });
  await agree("disconnected");
  const calls = (await status(world, page)).counts.calls;
  assert.ok(calls > 0, "calls stay");
  await page.getByText("were disconnected").or(page.getByText("Gong was disconnected")).first().waitFor();
});

test("UIX-04 the bar never goes back and ends at 100 % with what the database holds, through twenty cuts", async (t) => {
  const world = await start({ calls: 2000, days: 50, perSecond: 1.5, cuttable: true });
  t.after(() => world.end());
  const page = await enter(world);
  await connect(world, page, 60);
  await page.evaluate(() => {
    globalThis.seen = [];
    setInterval(() => { const bar = document.querySelector("#backfill-bar"); if (bar) globalThis.seen.push(bar.value); }, 50);
  });
  while (world.proxy.cuts < 20) {
    await eventually("the page opens its stream again", () => world.proxy.open() > 0, 15);
    await sleep(200);
    world.proxy.cut();
  }
  assert.ok(world.proxy.lastEventIds.length >= 15, "the stream goes on from the last event");
  await settled(world, page, 120);
  await eventually("the page says 100 %", async () => (await page.locator("[data-live=percent]").innerText()) === "100 %", 10);
  const seen = await page.evaluate(() => globalThis.seen);
  assert.ok(seen.every((value, at) => at === 0 || value >= seen[at - 1]), "monotonic");
  assert.ok(new Set(seen).size >= 4, `it moved: ${[...new Set(seen)].join(", ")}`);
  const { counts } = await status(world, page);
  const listed = await eventually("the numbers are those of the database", async () => {
    const shown = await page.locator("[data-live=calls]").innerText();
    return shown === counts.calls.toLocaleString("en-US") && shown;
  }, 10);
  const expected = (await world.gong.get("expected")).calls.filter((call) => call.private === false && call.visible_now);
  assert.ok(expected.length > 1000);
  assert.equal(Number(listed.replaceAll(",", "")), expected.length);
});

test("UIX-04 a page whose stream is alive asks for nothing while nothing happens", async (t) => {
  const world = await start({ calls: 10 });
  t.after(() => world.end());
  const page = await enter(world);
  await connect(world, page);
  await settled(world, page);
  await page.goto(`${world.url}${PAGE}`);
  await sleep(3000);
  let asked = 0;
  page.on("request", (request) => { if (request.url().endsWith("/panel")) asked += 1; });
  await sleep(20_000);
  assert.ok(asked <= 1, `the page asked ${asked} times within 20 seconds`);
  await page.request.patch(`${world.url}/api/v1/integrations/gong`, { data: { paused: true }, headers: { origin: world.url } });
  await eventually("the page says paused", async () => (await page.locator("#panel").getAttribute("data-status")) === "paused", 5);
});

test("UIX-04 behind a proxy that holds the stream back the page looks for itself within ten seconds", async (t) => {
  const world = await start({ calls: 10, cuttable: true });
  t.after(() => world.end());
  world.proxy.holding = true;
  const page = await enter(world);
  await connect(world, page);
  await settled(world, page);
  await sleep(500);
  let told = 0;
  await page.exposeFunction("told", () => { told += 1; });
  await page.evaluate((at) => {
    const stream = new EventSource(at);
    for (const name of ["status", "beat"]) stream.addEventListener(name, () => globalThis.told());
  }, "/api/v1/integrations/gong/events");
  await page.request.patch(`${world.url}/api/v1/integrations/gong`, { data: { paused: true }, headers: { origin: world.url } });
  await eventually("the page says paused", async () => (await page.locator("#panel").getAttribute("data-status")) === "paused", 10);
  assert.equal(told, 0, "the stream told nobody: the page looked for itself");
});
