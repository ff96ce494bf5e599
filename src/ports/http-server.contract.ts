import { createServer, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { Fault } from "../kernel/outcome.ts";
import type {
	HttpHandler,
	HttpLimits,
	HttpRequest,
	HttpResponse,
	HttpServer,
	Listening,
} from "./http-server.ts";
import { testCertificate, testKey } from "./http-tls.fixture.ts";
import { type RawClient, rawClient } from "./raw-client.fixture.ts";

/** What an adapter may be unable to do; the value says why, and stands in the name of the skipped case. */
export interface HttpServerGaps {
	readonly headerLimit?: string;
	readonly connectionLimit?: string;
	readonly slowHeaders?: string;
	readonly lingering?: string;
	readonly absoluteTarget?: string;
	readonly expectations?: string;
	readonly strictParsing?: string;
	readonly idleTimeout?: string;
	readonly pipelining?: string;
	readonly earlyHead?: string;
	readonly equalLengths?: string;
}

const limits: HttpLimits = {
	bodyBytes: 100_000,
	headerBytes: 8_192,
	connections: 100,
	headersTimeout: 20_000,
	requestTimeout: 30_000,
	keepAliveTimeout: 20_000,
};

const text = (value: string) => new TextEncoder().encode(value);
const string = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function httpServerContract(
	name: string,
	make: () => HttpServer,
	gaps: HttpServerGaps = {},
): void {
	/** A case that an adapter with this gap cannot pass. */
	function unless(
		gap: keyof HttpServerGaps,
		title: string,
		test: () => Promise<void>,
	): void {
		const reason = gaps[gap];
		it.skipIf(reason !== undefined)(
			reason ? `${title} (cannot: ${reason})` : title,
			test,
		);
	}

	describe(`http server: ${name}`, () => {
		const servers: Listening[] = [];
		const clients: RawClient[] = [];
		const faults: unknown[] = [];

		afterEach(async () => {
			for (const client of clients.splice(0)) client.socket.destroy();
			for (const server of servers.splice(0)) await server.stop();
			faults.length = 0;
		});

		async function listen(
			handler: HttpHandler,
			changed: Partial<HttpLimits> = {},
			tls?: { key: string; certificate: string },
		): Promise<Listening> {
			const server = await make().listen(
				{
					host: "127.0.0.1",
					port: 0,
					limits: { ...limits, ...changed },
					onFault: (error) => faults.push(error),
					...(tls ? { tls } : {}),
				},
				handler,
			);
			servers.push(server);
			return server;
		}

		async function dial(server: Listening): Promise<RawClient> {
			const client = await rawClient(server.port);
			clients.push(client);
			return client;
		}

		/** One request on a connection of its own; everything that came back until it was whole or the end. */
		async function ask(server: Listening, request: string): Promise<string> {
			const client = await dial(server);
			client.send(request);
			return client.answer();
		}

		const echo: HttpHandler = async (request, response) => {
			const body = await request.body();
			response.head(200, { "content-type": "text/plain" });
			response.end(body);
		};
		const get = (path: string, headers = "") =>
			`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
		const post = (body: string, headers = "") =>
			`POST /echo HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

		describe("a request", () => {
			it("carries method, path, query, headers and the client's address", async () => {
				const server = await listen((request, response) => {
					response.head(200, {});
					const { method, path, query, remote } = request;
					response.end(
						text(
							JSON.stringify({
								method,
								path,
								query,
								remote,
								x: request.header("x-thing"),
							}),
						),
					);
				});
				const answer = await ask(
					server,
					get("/a/b%20c?q=1&q=?2", "X-Thing: one\r\n"),
				);
				expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toEqual({
					method: "GET",
					path: "/a/b%20c",
					query: "q=1&q=?2",
					remote: "127.0.0.1",
					x: "one",
				});
			});

			it("joins repeated headers, and finds nothing that was not sent", async () => {
				const found: unknown[] = [];
				const server = await listen((request, response) => {
					for (const name of [
						"x-many",
						"authorization",
						"x-none",
						"constructor",
						"__proto__",
					]) {
						found.push(request.header(name));
					}
					response.head(200, {});
					response.end();
				});
				await ask(
					server,
					get("/", "X-Many: 1\r\nX-MANY: 2\r\nAuthorization: Bearer k\r\n"),
				);
				expect(found).toEqual([
					"1, 2",
					"Bearer k",
					undefined,
					undefined,
					undefined,
				]);
			});

			it("gives its body whole, with a length, in chunks, one byte at a time, and none", async () => {
				const server = await listen(echo);
				expect(await ask(server, post("hello"))).toMatch(/\r\n\r\nhello$/);
				const chunked =
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
				expect(await ask(server, chunked)).toMatch(/\r\n\r\nabcdefg$/);
				expect(await ask(server, get("/"))).toMatch(/content-length: 0\r\n/i);
				const client = await dial(server);
				for (const character of post("slow")) {
					client.send(character);
					await new Promise((resolve) => setImmediate(resolve));
				}
				expect(await client.answer()).toMatch(/\r\n\r\nslow$/);
			});

			it("gives its body again when asked again", async () => {
				const server = await listen(async (request, response) => {
					const [first, second] = await Promise.all([
						request.body(),
						request.body(),
					]);
					response.head(200, {});
					response.end(text(String(first === second)));
				});
				expect(await ask(server, post("x"))).toMatch(/true$/);
			});

			it("keeps its connection for the next one", async () => {
				const server = await listen(echo);
				const client = await dial(server);
				client.send(post("one"));
				expect(await client.answer()).toMatch(/one$/);
				client.send(post("two"));
				expect(await client.answer()).toMatch(/two$/);
				if (!gaps.connectionLimit) expect(server.connections()).toBe(1);
			});

			it("keeps its connection when its short body was not wanted", async () => {
				const server = await listen((_request, response) => {
					response.head(401, {});
					response.end(text("no"));
				});
				const client = await dial(server);
				client.send(post("unread"));
				await client.answer();
				client.send(post("unread"));
				expect(await client.answer()).toContain("401");
			});

			unless(
				"pipelining",
				"pipelined ones are answered in order, whoever is quicker",
				async () => {
					const server = await listen(async (request, response) => {
						if (request.path === "/slow")
							await new Promise((resolve) => setTimeout(resolve, 30));
						response.head(200, {});
						response.write(text(request.path));
						response.end(text(";"));
					});
					const client = await dial(server);
					client.send(
						get("/slow") +
							get("/quick") +
							get("/last", "Connection: close\r\n"),
					);
					const all = await client.rest();
					expect(all.match(/\/\w+/g)?.filter((part) => part !== "/1")).toEqual([
						"/slow",
						"/quick",
						"/last",
					]);
				},
			);

			unless(
				"absoluteTarget",
				"with an absolute target is taken when it names the host, else refused",
				async () => {
					const server = await listen((request, response) => {
						response.head(200, {});
						response.end(text(`${request.path}|${request.query}`));
					});
					expect(await ask(server, get("http://A/x?y=1"))).toMatch(/\/x\|y=1$/);
					expect(await ask(server, get("http://a"))).toMatch(/\/\|$/);
					expect(await ask(server, get("http://evil/x"))).toMatch(
						/^HTTP\/1.1 400 /,
					);
					expect(await ask(server, get("x/y"))).toMatch(/^HTTP\/1.1 400 /);
				},
			);

			it("for an upgrade is answered as if it had not asked", async () => {
				const server = await listen(echo);
				const answer = await ask(
					server,
					get(
						"/",
						"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: aaaaaaaaaaaaaaaaaaaaaa==\r\nSec-WebSocket-Version: 13\r\n",
					),
				);
				expect(answer).toMatch(/^HTTP\/1.1 200 /);
			});

			it("to CONNECT elsewhere is refused", async () => {
				let handled = false;
				const server = await listen((_request, response) => {
					handled = true;
					response.head(200, {});
					response.end();
				});
				const answer = await ask(
					server,
					"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
				);
				expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
				expect(handled).toBe(false);
			});

			unless(
				"expectations",
				"that waits for 100 gets it when the body is asked for",
				async () => {
					const server = await listen(echo);
					const client = await dial(server);
					client.send(
						"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
					);
					expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 100 /);
					client.send("body");
					expect(await client.answer()).toMatch(/body$/);
				},
			);

			unless(
				"expectations",
				"that waits for 100 in vain is told why and closed",
				async () => {
					const server = await listen((_request, response) => {
						response.head(401, {});
						response.end(text("who?"));
					});
					const client = await dial(server);
					client.send(
						"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
					);
					const all = await client.rest();
					expect(all).toMatch(/^HTTP\/1.1 401 /);
					expect(all).toMatch(/connection: close/i);
				},
			);
		});

		describe("an answer", () => {
			it("told whole has a length and nothing else about it", async () => {
				const server = await listen((_request, response) => {
					expect(response.started).toBe(false);
					response.head(201, {
						"x-own": "a\tb",
						"Content-Length": "999",
						"transfer-encoding": "gzip",
						connection: "upgrade",
					});
					expect(response.started).toBe(true);
					response.end(text("grüß"));
				});
				const answer = await ask(server, get("/"));
				expect(answer).toMatch(/^HTTP\/1.1 201 Created\r\n/);
				expect(answer).toMatch(/\r\ncontent-length: 6\r\n/i);
				expect(answer).toMatch(/\r\nx-own: a\tb\r\n/i);
				expect(answer).not.toMatch(/999|gzip|upgrade/);
				expect(faults).toEqual([]);
			});

			it("in pieces arrives in chunks, each as it is written", async () => {
				let response: HttpResponse | undefined;
				const server = await listen((_request, given) => {
					response = given;
					given.head(200, { "content-type": "text/event-stream" });
					given.write(text("data: 1\n\n"));
				});
				const client = await dial(server);
				client.send(get("/"));
				expect(await client.until("\r\n\r\n")).toMatch(
					/transfer-encoding: chunked/i,
				);
				expect(await client.until("\n\n")).toContain("data: 1\n\n");
				const large = "x".repeat(40_000);
				response?.write(text(large));
				response?.write(new Uint8Array([0, 127, 128, 255]));
				response?.end(text("end"));
				response?.end(text("again"));
				const body = await client.chunkedBody();
				expect(body.length).toBe(9 + 40_000 + 4 + 3);
				expect([...body.subarray(40_009, 40_013)]).toEqual([0, 127, 128, 255]);
				expect(string(body)).toMatch(/^data: 1\n\nxx/);
				expect(string(body.subarray(-3))).toBe("end");
			});

			unless("earlyHead", "sends its head at once when asked to", async () => {
				const server = await listen((_request, response) => {
					response.head(200, { "x-early": "yes" });
					response.write(new Uint8Array(0));
				});
				const client = await dial(server);
				client.send(get("/"));
				expect(await client.until("\r\n\r\n")).toMatch(/x-early: yes/);
			});

			it("carries any byte, in any size", async () => {
				for (const size of [1, 16_384, 16_385, 300_000]) {
					const bytes = Uint8Array.from(
						{ length: size },
						(_, index) => index * 7,
					);
					const server = await listen((_request, response) => {
						response.head(200, {});
						response.end(bytes);
					});
					const client = await dial(server);
					client.send(get("/", "Connection: close\r\n"));
					const all = await client.restBytes();
					expect(Buffer.compare(all.subarray(-size), bytes)).toBe(0);
				}
			});

			it("without a body has none: HEAD, 204, 304", async () => {
				const server = await listen((request, response) => {
					response.head(
						request.path === "/" ? 200 : Number(request.path.slice(1)),
						{},
					);
					response.end(request.path === "/" ? text("unseen") : undefined);
				});
				const client = await dial(server);
				for (const request of [
					"HEAD / HTTP/1.1",
					"GET /204 HTTP/1.1",
					"GET /304 HTTP/1.1",
				]) {
					client.send(`${request}\r\nHost: a\r\n\r\n`);
					const answer = await client.until("\r\n\r\n");
					expect(answer).toMatch(/\r\n\r\n$/);
					expect(answer).not.toMatch(/chunked|unseen/);
				}
			});

			it("to HTTP/1.0 is not sent in chunks", async () => {
				const server = await listen((_request, response) => {
					response.head(200, {});
					response.write(text("a"));
					response.end(text("b"));
				});
				const client = await dial(server);
				client.send("GET / HTTP/1.0\r\n\r\n");
				expect(await client.rest()).toMatch(/\r\n\r\nab$/);
			});

			it("refuses heads that break out, come late or come twice", async () => {
				const thrown: unknown[] = [];
				const attempt = (work: () => unknown) => {
					try {
						work();
					} catch (error) {
						thrown.push((error as Fault).code);
					}
				};
				const server = await listen((_request, response) => {
					attempt(() => response.write(text("early")));
					attempt(() => response.head(200, { "x-a": "1\r\nx-b: 2" }));
					attempt(() => response.head(200, { "x-a": "1\nx" }));
					attempt(() => response.head(200, { "x-a": "\u0000" }));
					attempt(() => response.head(200, { "x-a": "\u007f" }));
					attempt(() => response.head(200, { "x-a": "\u20ac" }));
					attempt(() => response.head(200, { "x a": "1" }));
					attempt(() => response.head(200, { "x-a\r\nb": "1" }));
					attempt(() => response.head(101, {}));
					attempt(() => response.head(2.5, {}));
					response.head(200, {});
					attempt(() => response.head(200, {}));
					response.end(text("fine"));
				});
				expect(await ask(server, get("/"))).toMatch(/fine$/);
				expect(thrown).toEqual([
					"http/head-missing",
					...Array(9).fill("http/bad-head"),
					"http/head-twice",
				]);
			});

			it("of a handler that throws is 500 without detail, and the owner hears of it", async () => {
				for (const handler of [
					() => {
						throw new Error("secret one");
					},
					async () => {
						throw new Error("secret two");
					},
					(_request: HttpRequest, response: HttpResponse) => {
						response.head(200, { "x-a": "b" });
						throw new Error("secret three");
					},
				]) {
					const server = await listen(handler);
					const answer = await ask(server, get("/"));
					expect(answer).toMatch(/^HTTP\/1.1 500 /);
					expect(answer).not.toMatch(/secret|x-a/);
					expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({
						error: { code: "http/internal" },
					});
				}
				expect(faults.map(String)).toEqual([
					"Error: secret one",
					"Error: secret two",
					"Error: secret three",
				]);
			});

			it("of a handler that throws in the middle is broken off", async () => {
				const server = await listen(async (_request, response) => {
					response.head(200, {});
					response.write(text("half"));
					await new Promise((resolve) => setTimeout(resolve, 20));
					throw new Error("later");
				});
				const client = await dial(server);
				client.send(get("/"));
				const all = await client.rest();
				expect(all).toContain("half");
				expect(all).not.toMatch(/\r\n0\r\n\r\n$/);
				expect(faults.map(String)).toEqual(["Error: later"]);
			});

			it("can be broken off, and the server lives", async () => {
				let gone = 0;
				const server = await listen((request, response) => {
					response.onGone(() => gone++);
					response.head(200, {});
					if (request.path === "/fine") response.end(text("fine"));
					else {
						response.write(text("half"));
						setTimeout(() => response.abort(), 20);
					}
				});
				const client = await dial(server);
				client.send(get("/"));
				expect(await client.rest()).not.toMatch(/\r\n0\r\n\r\n$/);
				expect(await ask(server, get("/fine"))).toMatch(/fine$/);
				expect(gone).toBe(0);
			});

			it("to a slow client says so, and when to go on", async () => {
				const chunk = new Uint8Array(65_536).fill(120);
				const total = 200;
				let written = 0;
				let refusals = 0;
				const server = await listen((_request, response) => {
					response.head(200, {});
					const pump = () => {
						while (written < total) {
							written++;
							if (!response.write(chunk)) {
								refusals++;
								return;
							}
						}
						response.end();
					};
					response.onDrain(pump);
					pump();
				});
				const client = await dial(server);
				client.socket.pause();
				client.send(get("/", "Connection: close\r\n"));
				await new Promise((resolve) => setTimeout(resolve, 100));
				const stalled = written;
				expect(stalled).toBeLessThan(total);
				await new Promise((resolve) => setTimeout(resolve, 50));
				expect(written).toBe(stalled);
				client.socket.resume();
				const all = await client.restBytes();
				expect(all.length).toBeGreaterThan(total * 65_536);
				expect(refusals).toBeGreaterThan(0);
			});
		});

		describe("a client that leaves", () => {
			it("in the middle of an answer is noticed once, and what is written then is ignored", async () => {
				let gone = 0;
				let response: HttpResponse | undefined;
				const server = await listen((_request, given) => {
					response = given;
					given.onGone(() => gone++);
					given.head(200, {});
					given.write(text("first"));
				});
				const client = await dial(server);
				client.send(get("/"));
				await client.until("first");
				client.socket.resetAndDestroy();
				await expect.poll(() => gone).toBe(1);
				expect(response?.write(text("x"))).toBe(true);
				response?.end(text("y"));
				response?.abort();
				await new Promise((resolve) => setTimeout(resolve, 20));
				expect(gone).toBe(1);
				expect(faults).toEqual([]);
			});

			it("while nobody waits for its body brings nothing down", async () => {
				const unhandled: unknown[] = [];
				const hear = (reason: unknown) => unhandled.push(reason);
				process.on("unhandledRejection", hear);
				let gone = 0;
				const server = await listen((request, response) => {
					response.onGone(() => gone++);
					void request.body();
				});
				const client = await dial(server);
				client.send(
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
				);
				await new Promise((resolve) => setTimeout(resolve, 30));
				client.socket.destroy();
				await expect.poll(() => gone).toBe(1);
				await new Promise((resolve) => setTimeout(resolve, 20));
				process.off("unhandledRejection", hear);
				expect(unhandled).toEqual([]);
			});

			it("before its answer began is noticed", async () => {
				let gone = 0;
				let arrived = false;
				const server = await listen((_request, response) => {
					arrived = true;
					response.onGone(() => gone++);
				});
				const client = await dial(server);
				client.send(get("/"));
				await expect.poll(() => arrived).toBe(true);
				client.socket.destroy();
				await expect.poll(() => gone).toBe(1);
			});

			it("while its body is read rejects the reading", async () => {
				let gone = 0;
				let arrived = false;
				let code: string | undefined;
				const server = await listen(async (request, response) => {
					arrived = true;
					response.onGone(() => gone++);
					await request.body().catch((error) => {
						code = error.code;
					});
				});
				const client = await dial(server);
				client.send(
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
				);
				await expect.poll(() => arrived).toBe(true);
				client.socket.destroy();
				await expect.poll(() => code).toBe("http/aborted");
				await expect.poll(() => gone).toBe(1);
			});

			it("after its answer is no news", async () => {
				let gone = 0;
				const server = await listen((_request, response) => {
					response.onGone(() => gone++);
					response.head(200, {});
					response.end(text("done"));
				});
				await ask(server, get("/"));
				const client = await dial(server);
				client.send(get("/"));
				await client.answer();
				client.socket.destroy();
				await expect.poll(() => server.connections()).toBeLessThanOrEqual(1);
				await new Promise((resolve) => setTimeout(resolve, 20));
				expect(gone).toBe(0);
			});

			unless(
				"pipelining",
				"takes all its pipelined requests with it",
				async () => {
					let gone = 0;
					let arrived = 0;
					const server = await listen((_request, response) => {
						arrived++;
						response.onGone(() => gone++);
					});
					const client = await dial(server);
					client.send(get("/1") + get("/2") + get("/3"));
					await expect.poll(() => arrived).toBe(3);
					client.socket.destroy();
					await expect.poll(() => gone).toBe(3);
				},
			);
		});

		describe("too much", () => {
			it("body is refused by its announced length before it is read", async () => {
				const codes: string[] = [];
				const server = await listen(
					async (request, response) => {
						try {
							await request.body();
							response.head(200, {});
						} catch (error) {
							codes.push((error as Fault).code);
							response.head(413, { "x-shape": "mine" });
						}
						response.end(text("told"));
					},
					{ bodyBytes: 10 },
				);
				const client = await dial(server);
				client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
				const answer = await client.rest();
				expect(answer).toMatch(/^HTTP\/1.1 413 /);
				expect(answer).toMatch(/x-shape: mine/);
				expect(codes).toEqual(["http/body-too-large"]);
				expect(await ask(server, post("1234567890"))).toMatch(/200 OK/);
			});

			it("body in chunks is refused as soon as it passes the limit", async () => {
				const server = await listen(echo, { bodyBytes: 10 });
				const client = await dial(server);
				client.send(
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n",
				);
				expect(await client.rest()).toMatch(/^HTTP\/1.1 413 /);
			});

			unless(
				"lingering",
				"body of a client that sends first and reads later is refused readably",
				async () => {
					const server = await listen(echo, { bodyBytes: 1_000 });
					const client = await dial(server);
					client.socket.pause();
					client.send(
						"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n",
					);
					for (let sent = 0; sent < 8_000_000; sent += 80_000) {
						client.send("x".repeat(80_000));
						await new Promise((resolve) => setImmediate(resolve));
					}
					client.socket.resume();
					const answer = await client.rest();
					expect(answer).toMatch(/^HTTP\/1.1 413 /);
					expect(answer).toContain("http/body-too-large");
				},
			);

			it("body that nobody reads ends the connection when it may be long", async () => {
				const server = await listen((_request, response) => {
					response.head(401, {});
					response.end(text("no"));
				});
				const client = await dial(server);
				client.send(
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
				);
				expect(await client.rest()).toMatch(/^HTTP\/1.1 401 /);
			});

			it("compressed bodies are refused", async () => {
				const server = await listen(echo);
				const answer = await ask(
					server,
					post("x", "Content-Encoding: gzip\r\n"),
				);
				expect(answer).toMatch(/^HTTP\/1.1 415 /);
				expect(answer).toContain("http/unsupported-encoding");
				expect(
					await ask(server, post("x", "Content-Encoding: identity\r\n")),
				).toMatch(/200 OK/);
			});

			unless(
				"headerLimit",
				"in headers or in the target is refused",
				async () => {
					const server = await listen(echo);
					for (const request of [
						get("/", `X-Long: ${"x".repeat(9_000)}\r\n`),
						get(`/${"x".repeat(9_000)}`),
						get("/", "X-Many: 12345678\r\n".repeat(700)),
					]) {
						expect(await ask(server, request)).toMatch(/^HTTP\/1.1 431 /);
					}
					expect(
						await ask(server, get("/", `X-Long: ${"x".repeat(7_000)}\r\n`)),
					).toMatch(/200 OK/);
				},
			);

			unless(
				"connectionLimit",
				"connections are closed at once, and places are given back",
				async () => {
					const server = await listen(echo, { connections: 2 });
					const first = await dial(server);
					const second = await dial(server);
					for (const client of [first, second]) {
						client.send(post("in"));
						await client.answer();
					}
					const third = await dial(server);
					third.send(post("out"));
					expect(await third.rest()).toBe("");
					first.socket.destroy();
					await expect.poll(() => server.connections()).toBe(1);
					expect(await ask(server, post("again"))).toMatch(/again$/);
				},
			);
		});

		describe("too slow", () => {
			unless(
				"slowHeaders",
				"a client that says nothing is closed",
				async () => {
					const server = await listen(echo, { headersTimeout: 100 });
					const client = await dial(server);
					expect(await client.rest()).toMatch(/^(HTTP\/1.1 408 |$)/);
				},
			);

			unless("slowHeaders", "headers that drip are answered 408", async () => {
				let handled = 0;
				const server = await listen(
					(_request, response) => {
						handled++;
						response.head(200, {});
						response.end();
					},
					{ headersTimeout: 100 },
				);
				const client = await dial(server);
				client.send("GET / HTTP/1.1\r\nHost: a\r\n");
				const drip = setInterval(() => client.send("X-A: b\r\n"), 20);
				expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1.1 408 /);
				clearInterval(drip);
				// What comes after the refusal is no request any more.
				client.send("\r\n");
				await client.rest();
				expect(handled).toBe(0);
			});

			it("a body that drips rejects with http/timeout", async () => {
				const codes: string[] = [];
				const server = await listen(
					async (request) => {
						await request.body().catch((error: Fault) => {
							codes.push(error.code);
							throw error;
						});
					},
					{ headersTimeout: 100, requestTimeout: 150 },
				);
				const client = await dial(server);
				client.send(
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
				);
				const drip = setInterval(() => client.send("x"), 20);
				const answer = await client.rest();
				clearInterval(drip);
				expect(answer).toMatch(/^HTTP\/1.1 408 /);
				expect(answer).toContain("http/timeout");
				expect(codes).toEqual(["http/timeout"]);
			});

			unless(
				"idleTimeout",
				"an idle connection is closed after its time",
				async () => {
					const server = await listen(echo, { keepAliveTimeout: 50 });
					const client = await dial(server);
					client.send(post("x"));
					await client.answer();
					expect(await client.rest()).toBe("");
				},
			);

			it("an answer that takes long is left alone", async () => {
				const server = await listen(
					async (request, response) => {
						await request.body();
						await new Promise((resolve) => setTimeout(resolve, 400));
						response.head(200, {});
						response.end(text("late"));
					},
					{ headersTimeout: 100, requestTimeout: 100, keepAliveTimeout: 100 },
				);
				expect(await ask(server, post("x"))).toMatch(/late$/);
			});
		});

		describe("hostile input", () => {
			const hostile: Record<string, string> = {
				"no HTTP at all": "\u0016\u0003\u0001\u0002 hello\r\n\r\n",
				"an unknown version": "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
				"two different lengths":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
				"two equal lengths":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
				"a length list":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
				"a negative length":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
				"a length with a sign":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
				"a length beyond numbers":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\na",
				"length and chunks":
					"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
				"chunks and length":
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
				"an encoding that does not end in chunks":
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
				"an unknown transfer encoding":
					"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
				"a space before the colon": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
				"a folded header": "GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
				"a bare line feed": "GET / HTTP/1.1\r\nHost: a\nX-B: c\r\n\r\n",
				"a bare carriage return": "GET / HTTP/1.1\r\nHost: a\rX-B: c\r\n\r\n",
				"a zero byte in a value":
					"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\u0000c\r\n\r\n",
				"a header without a name": "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
				"a name with a space": "GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
				"no host": "GET / HTTP/1.1\r\n\r\n",
				"two hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
				"a target with a space": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
				"a target with a fragment": "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
			};
			for (const [kind, bytes] of Object.entries(hostile)) {
				unless(
					kind === "two equal lengths" ? "equalLengths" : "strictParsing",
					`${kind} is refused with 400, and the server lives`,
					async () => {
						let handled = 0;
						const server = await listen((_request, response) => {
							handled++;
							response.head(200, {});
							response.end(text("fine"));
						});
						const client = await dial(server);
						client.send(bytes);
						client.socket.end();
						const answer = await client.rest();
						expect(answer).toMatch(/^HTTP\/1.1 (400|505) /);
						expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
						expect(handled).toBe(0);
						expect(await ask(server, get("/"))).toMatch(/fine$/);
					},
				);
			}

			unless("strictParsing", "broken chunks end the request", async () => {
				for (const chunks of [
					"zz\r\nab\r\n",
					"1\r\nabc\r\n",
					"-1\r\n",
					"1\nx\n0\n\n",
				]) {
					const server = await listen(echo);
					const client = await dial(server);
					client.send(
						`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
					);
					expect(await client.rest()).toMatch(/^(HTTP\/1.1 400 |$)/);
				}
				expect(faults).toEqual([]);
			});

			unless(
				"pipelining",
				"behind a good request is not answered in its place",
				async () => {
					const server = await listen(async (_request, response) => {
						await new Promise((resolve) => setTimeout(resolve, 30));
						response.head(200, {});
						response.end(text("fine"));
					});
					const client = await dial(server);
					client.send(`${get("/")}garbage\r\n\r\n`);
					expect(await client.rest()).toBe("");
				},
			);

			it("of random bytes never harms the server", async () => {
				const server = await listen(echo);
				let state = 7;
				for (let round = 0; round < 60; round++) {
					const client = await dial(server);
					const noise = Buffer.alloc(200);
					for (let index = 0; index < noise.length; index++) {
						state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
						noise[index] = state >> 16;
					}
					const base = Buffer.from(post("hello world", "X-A: b\r\n"), "latin1");
					// Half pure noise, half a good request with a few bytes changed.
					if (round % 2)
						for (let hit = 0; hit < 3; hit++)
							base[(noise[hit] ?? 0) % base.length] = noise[hit + 9] ?? 0;
					client.socket.end(round % 2 ? base : noise);
					await client.rest();
				}
				expect(await ask(server, post("alive"))).toMatch(/alive$/);
			});
		});

		describe("its life", () => {
			it("refuses an address in use, one of another machine, and a bad certificate", async () => {
				const server = await listen(echo);
				const options = { host: "127.0.0.1", port: server.port, limits };
				await expect(make().listen(options, echo)).rejects.toMatchObject({
					code: "http/address-in-use",
				});
				await expect(
					make().listen({ ...options, host: "192.0.2.1", port: 0 }, echo),
				).rejects.toMatchObject({ code: "http/address-refused" });
				await expect(
					make().listen(
						{ ...options, port: 0, tls: { key: "no", certificate: "none" } },
						echo,
					),
				).rejects.toMatchObject({ code: "http/bad-certificate" });
			});

			it("drains: takes no more, closes the idle, and waits for what is under way", async () => {
				let finish: (() => void) | undefined;
				const server = await listen((request, response) => {
					if (request.path === "/idle") {
						response.head(200, {});
						response.end(text("idle"));
						return;
					}
					finish = () => {
						if (request.path === "/begun") response.end(text("end"));
						else {
							response.head(200, {});
							response.end(text("end"));
						}
					};
					if (request.path === "/begun") {
						response.head(200, {});
						response.write(text("begin"));
					}
				});
				const idle = await dial(server);
				idle.send(get("/idle"));
				await idle.answer();
				const waiting = await dial(server);
				waiting.send(get("/waiting"));
				await expect.poll(() => finish).toBeDefined();
				const finishWaiting = finish;
				finish = undefined;
				const begun = await dial(server);
				begun.send(get("/begun"));
				await begun.until("begin");
				const finishBegun = finish as unknown as () => void;

				let drained = false;
				const drain = server.drain().then(() => {
					drained = true;
				});
				expect(await idle.rest()).toBe("");
				await expect(rawClient(server.port)).rejects.toThrow();
				expect(drained).toBe(false);
				finishWaiting?.();
				expect(await waiting.rest()).toMatch(/connection: close.*end$/is);
				expect(drained).toBe(false);
				finishBegun();
				expect(await begun.rest()).toMatch(/end\r\n0\r\n\r\n$/);
				await drain;
				expect(server.connections()).toBe(0);
			});

			it("stops at once, also while it drains, and tells those who answer", async () => {
				let gone = 0;
				let arrived = false;
				const server = await listen((_request, response) => {
					arrived = true;
					response.onGone(() => gone++);
				});
				const client = await dial(server);
				client.send(get("/"));
				await expect.poll(() => arrived).toBe(true);
				const drain = server.drain();
				await server.stop();
				await drain;
				expect(await client.rest()).toBe("");
				await expect.poll(() => gone).toBe(1);
				await server.stop();
			});

			it("speaks TLS, and survives those who do not", async () => {
				const server = await listen(
					echo,
					{},
					{ key: testKey, certificate: testCertificate },
				);
				const plain = await dial(server);
				plain.send(get("/"));
				await plain.rest();
				const socket = connectSecurely({
					port: server.port,
					host: "127.0.0.1",
					ca: testCertificate,
					servername: "localhost",
				});
				const answer = await new Promise<string>((resolve, reject) => {
					let all = "";
					socket.on("error", reject);
					socket.on("data", (chunk) => {
						all += chunk.toString("latin1");
					});
					socket.on("close", () => resolve(all));
					socket.write(post("secret", "Connection: close\r\n"));
				});
				expect(answer).toMatch(/secret$/);
			});

			it("gives its port back when it has stopped", async () => {
				const server = await listen(echo);
				await server.stop();
				await new Promise<void>((resolve, reject) => {
					const other = createServer((socket: Socket) => socket.destroy());
					other.on("error", reject);
					other.listen(server.port, "127.0.0.1", () =>
						other.close(() => resolve()),
					);
				});
			});
		});
	});
}
