// Just enough of PostgreSQL's protocol to create and drop a database: start-up, SCRAM or no password, simple queries.
import net from "node:net";
import crypto from "node:crypto";

const message = (type, body) => {
  const head = Buffer.alloc(type ? 5 : 4);
  if (type) head.write(type, 0, "latin1");
  head.writeInt32BE(body.length + 4, type ? 1 : 0);
  return Buffer.concat([head, body]);
};
const text = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(`${part}\0`, "utf8")));

/** Runs statements one by one as the user of `url`. */
export async function run(url, ...statements) {
  const address = new URL(url);
  const socket = net.connect({ host: address.hostname, port: Number(address.port || 5432) });
  const messages = reader(socket);
  const user = decodeURIComponent(address.username), password = decodeURIComponent(address.password);
  const version = Buffer.alloc(4);
  version.writeInt32BE(196608);
  socket.write(message("", Buffer.concat([version, text("user", user, "database", address.pathname.slice(1) || "postgres"), Buffer.from([0])])));
  await enter(socket, messages, password);
  for (const statement of statements) {
    socket.write(message("Q", text(statement)));
    await until(messages, "Z");
  }
  socket.end(message("X", Buffer.alloc(0)));
}

async function enter(socket, messages, password) {
  let scram;
  for (;;) {
    const { type, body } = await next(messages);
    if (type === "Z") return;
    if (type !== "R") continue;
    const kind = body.readInt32BE(0), rest = body.subarray(4).toString("utf8");
    if (kind === 10) {
      scram = new Scram(password);
      const first = Buffer.from(scram.first);
      const size = Buffer.alloc(4);
      size.writeInt32BE(first.length);
      socket.write(message("p", Buffer.concat([text("SCRAM-SHA-256"), size, first])));
    } else if (kind === 11) socket.write(message("p", Buffer.from(scram.final(rest))));
    else if (kind === 3) socket.write(message("p", text(password)));
    else if (kind !== 0 && kind !== 12) throw new Error(`PostgreSQL asks for authentication ${kind}, which the tests do not know`);
  }
}

class Scram {
  constructor(password) {
    this.password = password;
    this.bare = `n=,r=${crypto.randomBytes(18).toString("base64")}`;
    this.first = `n,,${this.bare}`;
  }
  final(server) {
    const part = Object.fromEntries(server.split(",").map((pair) => [pair[0], pair.slice(2)]));
    const salted = crypto.pbkdf2Sync(this.password, Buffer.from(part.s, "base64"), Number(part.i), 32, "sha256");
    const hmac = (key, value) => crypto.createHmac("sha256", key).update(value).digest();
    const client = hmac(salted, "Client Key");
    const stored = crypto.createHash("sha256").update(client).digest();
    const without = `c=biws,r=${part.r}`;
    const signature = hmac(stored, `${this.bare},${server},${without}`);
    return `${without},p=${Buffer.from(client.map((byte, at) => byte ^ signature[at])).toString("base64")}`;
  }
}

async function* reader(socket) {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      yield { type: String.fromCharCode(rest[0]), body: rest.subarray(5, end) };
      rest = rest.subarray(end);
    }
  }
}

async function next(messages) {
  const { value, done } = await messages.next();
  if (done) throw new Error("PostgreSQL closed the connection");
  if (value.type === "E") throw new Error(`PostgreSQL: ${value.body.toString("utf8").replaceAll("\0", " ")}`);
  return value;
}

async function until(messages, type) {
  while ((await next(messages)).type !== type);
}
