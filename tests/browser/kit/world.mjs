// A world for a test: a fresh database, a simulated Gong, `soundpost serve`, and a real browser. Everything that is started
// here ends here, by process id.
import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { chromium } from "playwright-core";
import { run } from "./postgres.mjs";

const exec = promisify(execFile);
export const PASSWORD = "seven maple bridges at dawn";
export const OWNER = "owner@acme.example";
const BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const need = (name) => process.env[name] ?? (() => { throw new Error(`${name} is not set; run cargo xtask test`); })();
const program = (name) => path.join(need("SOUNDPOST_BIN_DIR"), name);

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts everything. `calls`, `days`, `ask` (show Gong's consent page), `perSecond`, `more` (environment), `cuttable`. */
export async function start({ calls = 30, days = 20, ask = false, perSecond = 1000, cuttable = false, host = "localhost", more = {}, privateShare = 0.1 } = {}) {
  const endings = [];
  const world = { end: async () => { for (const ending of endings.reverse()) await ending(); } };
  try {
    world.folder = fs.mkdtempSync(path.join(os.tmpdir(), "soundpost-browser-"));
    endings.push(() => fs.rmSync(world.folder, { recursive: true, force: true }));
    world.database = await database(endings);
    world.gong = await gong(endings, { calls, days, ask, privateShare });
    await serve(endings, world, { perSecond, cuttable, host, more });
    world.browser = await chromium.launch({ executablePath: process.env.SOUNDPOST_CHROMIUM ?? "/usr/bin/chromium", args: BROWSER });
    endings.push(() => world.browser.close());
    return world;
  } catch (error) {
    await world.end();
    throw error;
  }
}

async function database(endings) {
  const admin = need("SOUNDPOST_TEST_DATABASE_URL");
  const name = `browser_${crypto.randomBytes(6).toString("hex")}`;
  await run(admin, `create database ${name}`);
  endings.push(() => run(admin, `drop database if exists ${name} with (force)`));
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return url.href;
}

function child(endings, file, args, options) {
  const process = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let tail = "";
  process.stderr.on("data", (data) => { tail = (tail + data).slice(-6000); });
  process.tail = () => tail;
  process.gone = once(process, "exit");
  endings.push(async () => {
    if (process.exitCode !== null || process.signalCode !== null) return;
    process.kill("SIGTERM");
    const patience = setTimeout(() => process.kill("SIGKILL"), 15_000);
    await process.gone;
    clearTimeout(patience);
  });
  return process;
}

async function gong(endings, { calls, days, ask, privateShare }) {
  const args = ["--listen", "127.0.0.1:0", "--calls", `${calls}`, "--days", `${days}`, "--private-share", `${privateShare}`,
    "--no-limit", "--print-json", "--exit-with-parent"];
  if (!ask) args.push("--auto-approve");
  const process = child(endings, program("gong-sim"), args, {});
  const [line] = await Promise.race([once(readline.createInterface({ input: process.stdout }), "line"),
    process.gone.then(() => { throw new Error(`gong-sim ended: ${process.tail()}`); })]);
  const ready = JSON.parse(line);
  const control = new URL(ready.authorize_url).origin;
  const ask_ = async (method, at, body) => {
    const answer = await fetch(`${control}/sim/${at}`, { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } });
    if (!answer.ok) throw new Error(`gong-sim ${at}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  return { ...ready, get: (at) => ask_("GET", at), post: (at, body = {}) => ask_("POST", at, body) };
}

async function serve(endings, world, { perSecond, cuttable, host, more }) {
  const [port, metrics] = [await freePort(), await freePort()];
  const proxy = cuttable ? await cutter(endings, port) : null;
  world.proxy = proxy;
  world.url = `http://${host}:${proxy?.port ?? port}`;
  world.metricsUrl = `http://127.0.0.1:${metrics}/metrics`;
  const key = (await exec(program("soundpost"), ["keys", "generate"], { env: { PATH: process.env.PATH } })).stdout.trim();
  world.env = {
    PATH: process.env.PATH, RUST_LOG: "warn", DATABASE_URL: world.database, SOUNDPOST_KEYS: key,
    SOUNDPOST_LISTEN: `127.0.0.1:${port}`, SOUNDPOST_METRICS_LISTEN: `127.0.0.1:${metrics}`, SOUNDPOST_PUBLIC_URL: world.url,
    SOUNDPOST_ESCROW_DIR: path.join(world.folder, "escrow"),
    GONG_CLIENT_ID: world.gong.client_id, GONG_CLIENT_SECRET: "sim-secret",
    GONG_AUTHORIZE_URL: world.gong.authorize_url, GONG_TOKEN_URL: world.gong.token_url,
    GONG_API_HOSTS: world.gong.api_bases.join(","),
    GONG_REQUESTS_PER_SECOND: `${perSecond}`, GONG_REQUESTS_PER_DAY: "1000000", ...more,
  };
  world.soundpost = (args, input) => command(args, world.env, input);
  await world.soundpost(["migrate"]);
  const made = await world.soundpost(["organizations", "create", "--name", "Acme Robotics", "--owner-email", OWNER, "--password-stdin", "--json"], `${PASSWORD}\n`);
  world.organization = JSON.parse(made).id;
  world.serving = child(endings, program("soundpost"), ["serve"], { env: world.env });
  const until = Date.now() + 30_000;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false);
    if (ready) return;
    if (world.serving.exitCode !== null || Date.now() > until) throw new Error(`soundpost is not ready: ${world.serving.tail()}`);
    await sleep(50);
  }
}

async function command(args, env, input) {
  const process = spawn(program("soundpost"), args, { env, stdio: ["pipe", "pipe", "pipe"] });
  let out = "", err = "";
  process.stdout.on("data", (data) => { out += data; });
  process.stderr.on("data", (data) => { err += data; });
  process.stdin.end(input ?? "");
  const [code] = await once(process, "close");
  if (code !== 0) throw new Error(`soundpost ${args.join(" ")} ended with ${code}: ${err}`);
  return out;
}

/** A proxy that can cut or hold back live streams, as networks do. */
async function cutter(endings, port) {
  const streams = new Set();
  const proxy = { cuts: 0, holding: false, lastEventIds: [] };
  const server = http.createServer((request, response) => {
    const live = request.url.endsWith("/events");
    if (live && request.headers["last-event-id"]) proxy.lastEventIds.push(request.headers["last-event-id"]);
    const ahead = http.request({ host: "127.0.0.1", port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (live) {
        streams.add(response);
        response.on("close", () => { streams.delete(response); answer.destroy(); });
        answer.on("data", (data) => { if (!proxy.holding) response.write(data); });
        answer.on("end", () => response.end());
      } else answer.pipe(response);
    });
    ahead.on("error", () => response.destroy());
    request.pipe(ahead);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.port = server.address().port;
  proxy.open = () => streams.size;
  proxy.cut = () => { for (const stream of streams) { stream.destroy(); proxy.cuts += 1; } };
  endings.push(() => { server.closeAllConnections(); server.close(); });
  return proxy;
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until `look` gives something true. */
export async function eventually(what, look, seconds = 30) {
  const until = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try { last = await look(); if (last) return last; } catch (error) { last = error; }
    if (Date.now() > until) throw new Error(`${what} did not happen within ${seconds} s; last seen: ${last?.message ?? JSON.stringify(last)}`);
    await sleep(100);
  }
}

/** A logged-in page in a browser context of its own. */
export async function enter(world, options = {}, email = OWNER, password = PASSWORD) {
  const context = await world.browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${world.url}/login`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(`${world.url}/`);
  return page;
}

/** Connects Gong by its button, as a person does. */
export async function connect(world, page, days = 20) {
  await page.goto(`${world.url}/settings/integrations/gong`);
  if (days) await page.locator("#history-days").fill(`${days}`);
  await page.locator(days ? "#history-on" : "#history-off").check();
  await page.locator("#connect").click();
  await page.locator("#panel[data-status=connected]").waitFor();
}

/** What the JSON API says, with the page's own session. */
export async function status(world, page) {
  const answer = await page.request.get(`${world.url}/api/v1/integrations/gong`);
  return answer.json();
}

/** Waits until the history is in. */
export async function settled(world, page, seconds = 60) {
  return eventually("the end of the backfill", async () => {
    const now = await status(world, page);
    return now.backfill?.state === "done" && now.counts.wanted === 0 && now;
  }, seconds);
}
