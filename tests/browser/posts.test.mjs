// Posts in a real browser: the first board, the list, evidence, a merge and its undoing, the review by keyboard, the trace of a
// call, the settings; every page in both themes and at 320 px.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { violations, overflow } from "./kit/axe.mjs";
import { run } from "./kit/postgres.mjs";
import { connect, enter, eventually, settled, start } from "./kit/world.mjs";

let world, page, calls;
before(async () => {
  world = await start({ calls: 30 });
  page = await enter(world, { bypassCSP: true });
  await connect(world, page);
  await settled(world, page);
  const stored = await (await page.request.get(`${world.url}/api/v1/calls?limit=6&state=stored`)).json();
  calls = stored.items.map((call) => call.id);
});
after(() => world?.end());

const uuid = (n) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** A post with one piece of evidence for each account, as the stages would have left it. */
function post(n, title, state, accounts, doubt) {
  const organization = "(select id from organizations limit 1)", board = "(select id from boards order by created_at limit 1)";
  const lines = [`insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, tags, state, analyzer, created_at, updated_at)
    values ('${uuid(n)}', ${organization}, ${board}, ${quoted(title)}, 'So that nobody has to type it off.', 'All that is known.', 'missing_capability', 'negative', 'high', 'reporting', '{export}', '${state}', 'basic/1', now() + ${n} * interval '1 s', now())`];
  accounts.forEach((account, at) => {
    const call = calls[(n + at) % calls.length].slice(5).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    const quotes = JSON.stringify([{ text: `Could you ${title}?`, place: { turn: 0, sentence: 0 }, speaker: "Ines Okafor", side: "customer", account, start_ms: 61000, end_ms: 63500 }]);
    lines.push(`insert into evidence (id, organization_id, post_id, call_id, content_hash, place, title, summary, description, kind, sentiment, priority, area, pain_points, quotes, author, account, call_title, call_url, called_at, similarity, joined, doubt_post_id, analyzer, created_at)
      values ('${uuid(n * 100 + at)}', ${organization}, '${uuid(n)}', '${call}', 'story-${n}', ${n * 10 + at}, ${quoted(title)}, 'So that nobody has to type it off.', 'All.', 'missing_capability', 'negative', 'high', 'reporting', '{typing}', ${quoted(quotes)}, 'Ines Okafor', '${account}', 'Quarterly review', 'https://us-1.app.gong.io/call?id=7', now() - interval '${at + 1} days', ${doubt ? 0.78 : "null"}, 'maker', ${doubt ? `'${uuid(doubt)}'` : "null"}, 'basic/1', now())`);
  });
  return lines;
}

async function check(name) {
  const faults = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
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

async function checkAll(paths) {
  const faults = [];
  for (const path of paths) {
    const answer = await page.goto(`${world.url}${path}`);
    assert.equal(answer.status(), 200, path);
    faults.push(...await check(path));
  }
  assert.deepEqual(faults, []);
}

test("without a board every page leads to the first one", async () => {
  await checkAll(["/posts", "/review", "/settings/feedback", `/calls/${calls[0]}/feedback`]);
  await page.goto(`${world.url}/settings/integrations/gong`);
  await page.getByRole("link", { name: "Make a board" }).click();
  await page.getByRole("heading", { name: "Make the first board" }).waitFor();
  await page.locator("#new-name").fill("Freight");
  await page.locator("#new-categories").fill("Reporting, Mobile");
  await page.getByRole("button", { name: "Make the board" }).click();
  await page.getByText("The board is there.").waitFor();
  await page.goto(`${world.url}/posts`);
  await page.getByRole("heading", { name: /Calls are being looked at|No posts yet|The model is not here yet/ }).waitFor();
});

test("a post is found, opened, merged into another, and the merge undone", async () => {
  await page.goto("about:blank");
  await run(world.database, ...post(1, "export the shipment report", "published", ["helio.example", "kestrel.example"]), ...post(2, "send the weekly report as a file", "published", ["brightwater.example"]));
  await page.goto(`${world.url}/posts`);
  assert.deepEqual(await page.locator(".row-title").allInnerTexts(), ["export the shipment report", "send the weekly report as a file"], "most asked first");
  await page.locator("#q").fill("weekly");
  await eventually("the list is searched while typing", async () => (await page.locator(".row-title").count()) === 1);
  await page.locator(".row-title").click();
  await page.getByRole("heading", { level: 1, name: "send the weekly report as a file" }).waitFor();
  assert.match(await page.locator("blockquote").innerText(), /Could you send the weekly report as a file\?/);
  const gong = await page.getByRole("link", { name: /listen in Gong/ }).getAttribute("href");
  assert.ok(gong.startsWith("https://us-1.app.gong.io/call?id=7&highlights="), gong);
  await page.locator("#merge summary").click();
  await page.locator("#merge-q").fill("shipment");
  await page.locator("#merge").getByRole("button", { name: "Search" }).click();
  await page.getByRole("button", { name: "Merge into export the shipment report" }).click();
  await page.getByText("Merged.").waitFor();
  await page.getByRole("heading", { level: 1, name: "export the shipment report" }).waitFor();
  assert.equal(await page.locator("article.evidence").count(), 3);
  assert.match(await page.locator(".title-line").innerText(), /3 accounts/);
  await checkAll(["/posts", `/posts/post_${uuid(1).replaceAll("-", "")}`]);
  await page.getByRole("button", { name: /Take it out.*send the weekly report as a file/ }).click();
  await page.getByText("Taken out.").waitFor();
  await page.getByRole("heading", { level: 1, name: "send the weekly report as a file" }).waitFor();
  await page.goto(`${world.url}/posts`);
  assert.equal(await page.locator(".row-title").count(), 2, "two posts again");
});

test("a post is changed, and a change that comes too late is told and not lost", async () => {
  const path = `${world.url}/posts/post_${uuid(1).replaceAll("-", "")}`;
  await page.goto(path);
  const late = await page.context().newPage();
  await late.goto(path);
  await page.locator("#status").selectOption("planned");
  await page.getByRole("button", { name: "Set the status" }).click();
  await page.getByText("The post has its new status.").waitFor();
  await late.locator("#edit summary").click();
  await late.locator("#title").fill("Export every report");
  await late.getByRole("button", { name: "Save" }).click();
  await late.getByRole("alert").getByText(/changed meanwhile/).waitFor();
  assert.equal(await late.locator("#title").inputValue(), "Export every report", "what was typed is still there");
  await late.getByRole("button", { name: "Save" }).click();
  await late.getByRole("heading", { level: 1, name: "Export every report" }).waitFor();
  await late.close();
});

test("the review is done by keyboard", async () => {
  await page.goto("about:blank");
  await run(world.database, ...post(3, "print the report", "review", ["north.example"], 1), ...post(4, "see the map offline", "review", ["south.example"]), ...post(5, "talk about prices", "review", ["east.example"]));
  await checkAll(["/review", `/posts/post_${uuid(3).replaceAll("-", "")}`]);
  await page.goto(`${world.url}/review`);
  assert.equal(await page.locator("[data-review]").count(), 3);
  const chosen = () => page.evaluate(() => document.activeElement.closest("[data-review]")?.querySelector("h2").innerText);
  await page.keyboard.press("r");
  await page.keyboard.press("j");
  assert.equal(await chosen(), undefined, "without a chosen post the keys are letters");
  assert.equal(await page.locator("[data-review]").count(), 3);
  await page.getByRole("button", { name: "Begin with the first" }).press("Enter");
  assert.equal(await chosen(), "talk about prices");
  await page.keyboard.press("j");
  assert.equal(await chosen(), "see the map offline");
  await page.keyboard.press("k");
  await page.keyboard.press("r");
  await page.getByText("The post is rejected.").waitFor();
  assert.equal(await chosen(), "see the map offline", "the next one is at hand");
  await page.keyboard.press("a");
  await page.getByText("The post is published.").waitFor();
  assert.equal(await chosen(), "print the report");
  await page.keyboard.press("m");
  await page.getByText("Merged.").waitFor();
  await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  const posts = await (await page.request.get(`${world.url}/api/v1/posts`)).json();
  assert.deepEqual(posts.items.map((one) => one.title).sort(), ["Export every report", "see the map offline", "send the weekly report as a file"]);
  assert.equal(posts.items.find((one) => one.title === "Export every report").accounts, 3);
});

test("the list says by itself that something waits", async () => {
  await page.goto(`${world.url}/posts`);
  await eventually("the stream is open", async () => (await page.locator("[data-live-panel]").getAttribute("data-live")) === "stream");
  await run(world.database, ...post(6, "a new wish", "review", ["west.example"]), "select pg_notify('soundpost_news', (select id from organizations limit 1)::text || ':feedback')");
  await page.getByText("1 post waits for review.").waitFor({ timeout: 15_000 });
});

test("settings are saved, tried and refused in words", async () => {
  await page.goto(`${world.url}/settings/feedback`);
  assert.ok(await page.locator("#analyzer-model").isDisabled());
  await page.getByText("SOUNDPOST_LANGUAGE_MODEL").waitFor();
  await page.locator("#mode-approval").check();
  await page.locator("#how").getByRole("button", { name: "Save" }).click();
  await page.getByText("The settings are saved.").waitFor();
  assert.ok(await page.locator("#mode-approval").isChecked());
  await page.locator("#join-at").fill("0.8");
  await page.locator("#ask-at").fill("0.9");
  await page.locator("#alike").getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").waitFor();
  assert.equal(await page.locator("#join-at").inputValue(), "0.8");
  await page.locator("#ask-at").fill("0.7");
  await page.getByRole("button", { name: "See what would change" }).click();
  await page.getByRole("heading", { name: "With 0.8 and 0.7" }).waitFor();
  await checkAll(["/settings/feedback", "/", `/calls/${calls[0]}`, `/calls/${calls[0]}/feedback`]);
});
