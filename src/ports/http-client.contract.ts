import { createServer, type Server, type Socket } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import {
	brotliCompressSync,
	deflateRawSync,
	deflateSync,
	gzipSync,
	zstdCompressSync,
} from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type {
	HttpClient,
	Timeouts,
	UpstreamCall,
	UpstreamFault,
	UpstreamRequest,
} from "./http-client.ts";
import { testCertificate, testKey } from "./http-tls.fixture.ts";

const patient: Timeouts = {
	connect: 5_000,
	firstByte: 10_000,
	idle: 10_000,
	total: 15_000,
};

const text = (value: string) => new TextEncoder().encode(value);
const string = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const pass = (milliseconds: number) =>
	new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a sink heard. */
interface Heard {
	readonly call: UpstreamCall;
	/** One word for each thing heard, repeated `data` once. */
	readonly order: string[];
	status: number;
	header(name: string): string | undefined;
	body: Buffer;
	fault: UpstreamFault | undefined;
	/** When `end` or `fail` was heard. */
	readonly over: Promise<void>;
}

export interface HttpClientOptionsUnderTest {
	readonly socketsPerOrigin?: number;
	readonly idleMilliseconds?: number;
	readonly headerBytes?: number;
	readonly authorities?: readonly string[];
}

export function httpClientContract(
	name: string,
	make: (options?: HttpClientOptionsUnderTest) => HttpClient,
): void {
	describe(`http client: ${name}`, () => {
		const vendors: { server: Server; sockets: Set<Socket> }[] = [];
		const clients: HttpClient[] = [];

		afterEach(() => {
			for (const client of clients.splice(0)) client.close();
			for (const { server, sockets } of vendors.splice(0)) {
				server.close();
				for (const socket of sockets) socket.destroy();
			}
		});

		function client(options?: HttpClientOptionsUnderTest): HttpClient {
			const made = make(options);
			clients.push(made);
			return made;
		}

		/** A vendor on a bare socket: `script` runs for every whole request that arrives. */
		async function vendor(
			script: (socket: Socket, request: string, count: number) => void,
			secure = false,
		) {
			const sockets = new Set<Socket>();
			const state = {
				url: "",
				connections: 0,
				closed: 0,
				requests: [] as string[],
			};
			const serve = (socket: Socket) => {
				state.connections++;
				sockets.add(socket);
				let waiting = "";
				socket.on("error", () => {});
				socket.on("close", () => {
					state.closed++;
					sockets.delete(socket);
				});
				socket.on("data", (chunk) => {
					waiting += chunk.toString("latin1");
					const head = waiting.indexOf("\r\n\r\n");
					if (head < 0) return;
					const length = Number(
						/content-length: (\d+)/i.exec(waiting)?.[1] ?? 0,
					);
					if (waiting.length < head + 4 + length) return;
					const request = waiting.slice(0, head + 4 + length);
					waiting = waiting.slice(request.length);
					state.requests.push(request);
					script(socket, request, state.requests.length);
				});
			};
			const server = secure
				? createSecureServer({ key: testKey, cert: testCertificate }, serve)
				: createServer(serve);
			server.on("tlsClientError", () => {});
			await new Promise<void>((resolve) =>
				server.listen(0, "127.0.0.1", resolve),
			);
			vendors.push({ server, sockets });
			const { port } = server.address() as { port: number };
			state.url = `http${secure ? "s" : ""}://127.0.0.1:${port}`;
			return state;
		}

		function send(
			by: HttpClient,
			url: string,
			changed: Partial<Omit<UpstreamRequest, "timeouts">> & {
				timeouts?: Partial<Timeouts>;
			} = {},
			on: { head?: () => void; data?: (call: UpstreamCall) => void } = {},
		): Heard {
			let settle = () => {};
			const over = new Promise<void>((resolve) => {
				settle = resolve;
			});
			const chunks: Buffer[] = [];
			const order: string[] = [];
			const heard = {
				order,
				over,
				status: 0,
				header: (_name: string): string | undefined => undefined,
				fault: undefined as UpstreamFault | undefined,
				get body() {
					return Buffer.concat(chunks);
				},
			};
			const call = by.send(
				{
					method: "POST",
					url,
					headers: {},
					...changed,
					timeouts: { ...patient, ...changed.timeouts },
				},
				{
					head(status, header) {
						order.push("head");
						heard.status = status;
						heard.header = header;
						on.head?.();
					},
					data(chunk) {
						if (order.at(-1) !== "data") order.push("data");
						chunks.push(Buffer.from(chunk));
						on.data?.(call);
					},
					end() {
						order.push("end");
						settle();
					},
					fail(fault) {
						order.push("fail");
						heard.fault = fault;
						settle();
					},
				},
			);
			return Object.assign(heard, { call });
		}

		const whole = (body: string, headers = "") =>
			`HTTP/1.1 200 OK\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
		const chunk = (body: string) =>
			`${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
		const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

		/** After `end` or `fail`, nothing may follow. */
		async function settled(heard: Heard): Promise<string[]> {
			await heard.over;
			await pass(20);
			return heard.order;
		}

		describe("a call", () => {
			it("sends method, path, headers and body as they are, with its own framing", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				const heard = send(client(), `${there.url}/v1/x?a=b%20c#fragment`, {
					method: "POST",
					headers: {
						"x-Own": "1",
						authorization: "Bearer k",
						"content-length": "999",
						"Transfer-Encoding": "chunked",
						connection: "close",
						host: "evil",
						"accept-encoding": "gzip",
					},
					body: text("grüß"),
				});
				expect(await settled(heard)).toEqual(["head", "data", "end"]);
				const request = there.requests[0] ?? "";
				expect(request).toMatch(/^POST \/v1\/x\?a=b%20c HTTP\/1.1\r\n/);
				expect(request).toMatch(/\r\nx-own: 1\r\n/i);
				expect(request).toMatch(/\r\nauthorization: Bearer k\r\n/i);
				expect(request.match(/\r\nhost: .*/gi)).toEqual([
					expect.stringContaining(there.url.replace("http://", "")),
				]);
				expect(request.match(/\r\ncontent-length: .*/gi)?.[0]).toMatch(/: 6$/);
				expect(request.match(/\r\naccept-encoding: .*/gi)?.[0]).toMatch(
					/: identity$/i,
				);
				expect(request).not.toMatch(
					/transfer-encoding|evil|connection: close/i,
				);
				expect(Buffer.from(request.slice(-6), "latin1").toString()).toBe(
					"grüß",
				);
			});

			it("sends bodies of every size, and none", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				const by = client();
				for (const size of [0, 1, 16_384, 16_385, 2_000_000]) {
					const body = Uint8Array.from(
						{ length: size },
						(_, index) => index * 7,
					);
					await send(by, there.url, { body }).over;
					const sent = Buffer.from(
						there.requests
							.at(-1)
							?.split("\r\n\r\n")
							.slice(1)
							.join("\r\n\r\n") ?? "",
						"latin1",
					);
					expect(Buffer.compare(sent, body)).toBe(0);
				}
				await send(by, there.url, { method: "GET" }).over;
				expect(there.requests.at(-1)).toMatch(/^GET \/ HTTP\/1.1\r\n/);
				expect(there.requests.at(-1)).not.toMatch(
					/content-length|transfer-encoding/i,
				);
			});

			it("sends a body that is given in pieces too as one", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				for (const size of [10, 100_000]) {
					const pieces = [text("a".repeat(size)), text(""), text("grüß")];
					const body = Buffer.concat(pieces);
					const heard = send(client(), there.url, { body, pieces });
					expect(await settled(heard)).toEqual(["head", "data", "end"]);
					const sent = there.requests.at(-1)?.split("\r\n\r\n")[1] ?? "";
					expect(Buffer.from(sent, "latin1").equals(body)).toBe(true);
				}
			});

			it("hears status, headers by lower-case name, and the body", async () => {
				const there = await vendor((socket) =>
					socket.write(
						"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nX-Many: 1\r\nX-Many: 2\r\nContent-Length: 2\r\n\r\nno",
					),
				);
				const heard = send(client(), there.url);
				await heard.over;
				expect(heard.status).toBe(429);
				expect(heard.header("retry-after")).toBe("7");
				expect(heard.header("x-many")).toBe("1, 2");
				expect(heard.header("constructor")).toBeUndefined();
				expect(string(heard.body)).toBe("no");
			});

			it("hears a body in chunks, each as it comes, one byte at a time too", async () => {
				const there = await vendor(async (socket) => {
					for (const byte of chunkedHead +
						chunk("hello") +
						chunk(" world") +
						chunk("")) {
						socket.write(byte, "latin1");
						await new Promise((resolve) => setImmediate(resolve));
					}
				});
				const heard = send(client(), there.url);
				expect(await settled(heard)).toEqual(["head", "data", "end"]);
				expect(string(heard.body)).toBe("hello world");
			});

			it("hears the pieces of a stream before it ends", async () => {
				let vendorSocket: Socket | undefined;
				const there = await vendor((socket) => {
					vendorSocket = socket;
					socket.write(chunkedHead + chunk("one"));
				});
				const heard = send(client(), there.url);
				await expect.poll(() => string(heard.body)).toBe("one");
				vendorSocket?.write(chunk("two") + chunk(""));
				await heard.over;
				expect(string(heard.body)).toBe("onetwo");
			});

			it("hears a body that the end of the connection ends", async () => {
				const there = await vendor((socket) =>
					socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"),
				);
				const heard = send(client(), there.url);
				expect(await settled(heard)).toEqual(["head", "data", "end"]);
				expect(string(heard.body)).toBe("all of it");
			});

			it("hears no body with 204, 304 and after HEAD, and the connection goes on", async () => {
				const answers = [
					"HTTP/1.1 204 No Content\r\n\r\n",
					"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
					"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
				];
				const there = await vendor((socket, _request, count) =>
					socket.write(answers[count - 1] ?? ""),
				);
				const by = client();
				for (const method of ["GET", "GET", "HEAD"]) {
					const heard = send(by, there.url, { method });
					expect(await settled(heard)).toEqual(["head", "end"]);
				}
				expect(there.connections).toBe(1);
			});

			it("takes no notice of interim answers", async () => {
				const there = await vendor((socket) =>
					socket.write(
						`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${whole("real")}`,
					),
				);
				const heard = send(client(), there.url);
				expect(await settled(heard)).toEqual(["head", "data", "end"]);
				expect(heard.status).toBe(200);
				expect(string(heard.body)).toBe("real");
			});

			it("follows no redirect", async () => {
				const there = await vendor((socket) =>
					socket.write(
						"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
					),
				);
				const heard = send(client(), there.url);
				await heard.over;
				expect(heard.status).toBe(307);
				expect(heard.header("location")).toBe("/elsewhere");
				expect(there.requests).toHaveLength(1);
			});

			it("goes past no proxy of the environment", async () => {
				const there = await vendor((socket) => socket.write(whole("direct")));
				const before = { ...process.env };
				for (const variable of [
					"HTTP_PROXY",
					"http_proxy",
					"HTTPS_PROXY",
					"https_proxy",
					"ALL_PROXY",
				]) {
					process.env[variable] = "http://127.0.0.1:9";
				}
				for (const variable of ["NO_PROXY", "no_proxy"])
					delete process.env[variable];
				process.env.NODE_USE_ENV_PROXY = "1";
				try {
					const heard = send(client(), there.url);
					await heard.over;
					expect(string(heard.body)).toBe("direct");
				} finally {
					process.env = before;
				}
			});

			it("over TLS reaches a vendor whose authority it trusts", async () => {
				const there = await vendor(
					(socket) => socket.write(whole("secret")),
					true,
				);
				const by = client({ authorities: [testCertificate] });
				const heard = send(by, there.url);
				await heard.over;
				expect(heard.fault).toBeUndefined();
				expect(string(heard.body)).toBe("secret");
			});
		});

		describe("connections", () => {
			it("are used again", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				const by = client();
				for (let index = 0; index < 5; index++)
					await send(by, there.url, { body: text("x") }).over;
				expect(there.requests).toHaveLength(5);
				expect(there.connections).toBe(1);
			});

			it("are as many as calls at once", async () => {
				const waiting: Socket[] = [];
				const there = await vendor((socket) => {
					waiting.push(socket);
					if (waiting.length === 20)
						for (const each of waiting) each.write(whole("ok"));
				});
				const by = client();
				const all = Array.from({ length: 20 }, () => send(by, there.url));
				await Promise.all(all.map((heard) => heard.over));
				expect(there.connections).toBe(20);
				expect(all.every((heard) => heard.status === 200)).toBe(true);
			});

			it("are no more than allowed; further calls wait", async () => {
				let now = 0;
				let most = 0;
				const there = await vendor(async (socket) => {
					most = Math.max(most, ++now);
					await pass(5);
					now--;
					socket.write(whole("ok"));
				});
				const by = client({ socketsPerOrigin: 3 });
				const all = Array.from({ length: 12 }, () => send(by, there.url));
				await Promise.all(all.map((heard) => heard.over));
				expect(most).toBe(3);
				expect(all.every((heard) => heard.status === 200)).toBe(true);
			});

			it("are not used again when the vendor says so", async () => {
				const there = await vendor((socket) =>
					socket.end(whole("ok", "Connection: close\r\n")),
				);
				const by = client();
				await send(by, there.url).over;
				await send(by, there.url).over;
				expect(there.connections).toBe(2);
			});

			it("unused are closed in time, sooner when the vendor says", async () => {
				const there = await vendor((socket, _request, count) =>
					socket.write(
						whole("ok", count === 1 ? "Keep-Alive: timeout=1\r\n" : ""),
					),
				);
				const by = client({ idleMilliseconds: 100 });
				await send(by, there.url).over;
				await expect.poll(() => there.closed).toBe(1);
				await send(by, there.url).over;
				expect(there.closed).toBe(1);
				await expect.poll(() => there.closed, { timeout: 2_000 }).toBe(2);
			});

			it("unused are closed by close, those in use end with their calls", async () => {
				let busy: Socket | undefined;
				const there = await vendor((socket, request) => {
					if (request.includes("/busy")) busy = socket;
					else socket.write(whole("ok"));
				});
				const by = client();
				const first = send(by, `${there.url}/busy`);
				await expect.poll(() => busy).toBeDefined();
				await send(by, there.url).over;
				by.close();
				await expect.poll(() => there.closed).toBe(1);
				busy?.write(whole("late"));
				await first.over;
				expect(string(first.body)).toBe("late");
				await expect.poll(() => there.closed).toBe(2);
			});

			it("that the vendor closed while unused are not used again", async () => {
				const there = await vendor((socket) => {
					socket.write(whole("ok"));
					setTimeout(() => socket.destroy(), 10);
				});
				const by = client();
				for (let index = 0; index < 3; index++) {
					const heard = send(by, there.url);
					expect(await settled(heard)).toEqual(["head", "data", "end"]);
					await pass(40);
				}
				expect(there.connections).toBe(3);
			});

			it("that die in use are never said to be unsent, nor is anything sent twice", async () => {
				const there = await vendor((socket, _request, count) => {
					if (count === 1) socket.write(whole("ok"));
					else socket.resetAndDestroy();
				});
				const by = client();
				await send(by, there.url, { body: text("one") }).over;
				const heard = send(by, there.url, { body: text("two") });
				expect(await settled(heard)).toEqual(["fail"]);
				expect(heard.fault).toMatchObject({
					code: "upstream/reset",
					unsent: false,
				});
				expect(there.requests).toHaveLength(2);
			});
		});

		describe("faults", () => {
			async function fault(
				heard: Heard,
				order = ["fail"],
			): Promise<UpstreamFault | undefined> {
				expect(await settled(heard)).toEqual(order);
				return heard.fault;
			}

			it("nobody listens, no such name, no such address: unsent", async () => {
				const there = createServer();
				await new Promise<void>((resolve) =>
					there.listen(0, "127.0.0.1", resolve),
				);
				const { port } = there.address() as { port: number };
				await new Promise((resolve) => there.close(resolve));
				const by = client();
				for (const url of [
					`http://127.0.0.1:${port}/`,
					"http://no-such-name.invalid/",
					"ftp://127.0.0.1/",
					"http://",
					"nonsense",
					"",
				]) {
					expect(await fault(send(by, url))).toMatchObject({
						code: "upstream/connect",
						unsent: true,
					});
				}
			});

			it("a request that HTTP cannot carry, or an address with a password: unsent", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				const by = client();
				const withPassword = there.url.replace("//", "//user:password@");
				expect(await fault(send(by, withPassword))).toMatchObject({
					code: "upstream/connect",
					unsent: true,
				});
				for (const wrong of [
					{ headers: { "x-a": "1\r\nx-b: 2" } },
					{ headers: { "x a": "1" } },
					{ method: "GE T" },
				]) {
					expect(await fault(send(by, there.url, wrong))).toMatchObject({
						code: "upstream/connect",
						unsent: true,
					});
				}
				expect(there.requests).toHaveLength(0);
			});

			it("TLS that cannot be trusted, or is none: unsent", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")), true);
				expect(await fault(send(client(), there.url))).toMatchObject({
					code: "upstream/connect",
					unsent: true,
				});
				expect(there.requests).toHaveLength(0);
				const plain = createServer((socket) => {
					socket.on("error", () => {});
					socket.resume().end("no TLS here\r\n\r\n");
				});
				await new Promise<void>((resolve) =>
					plain.listen(0, "127.0.0.1", resolve),
				);
				const { port } = plain.address() as { port: number };
				expect(
					await fault(send(client(), `https://127.0.0.1:${port}/`)),
				).toMatchObject({ code: "upstream/connect", unsent: true });
				plain.close();
			});

			it("reset before the answer, without a word, and in the middle", async () => {
				const by = client();
				const reset = await vendor((socket) => socket.resetAndDestroy());
				expect(await fault(send(by, reset.url))).toMatchObject({
					code: "upstream/reset",
					unsent: false,
				});
				const mute = await vendor((socket) => socket.end());
				expect(await fault(send(by, mute.url))).toMatchObject({
					code: "upstream/reset",
					unsent: false,
				});
				const broken = await vendor((socket) => {
					socket.write(chunkedHead + chunk("half"));
					setTimeout(() => socket.resetAndDestroy(), 20);
				});
				const heard = send(by, broken.url);
				expect(await fault(heard, ["head", "data", "fail"])).toMatchObject({
					code: "upstream/reset",
				});
				expect(string(heard.body)).toBe("half");
			});

			it("an answer shorter than announced, in length or in chunks", async () => {
				for (const bytes of [
					"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
					chunkedHead + chunk("half"),
					`${chunkedHead}64\r\nhalf`,
				]) {
					const there = await vendor((socket) => socket.end(bytes));
					const heard = send(client(), there.url);
					const order = await settled(heard);
					// What came of the body may be heard or not: the fault counts.
					expect(order.filter((word) => word !== "data")).toEqual([
						"head",
						"fail",
					]);
					expect(heard.fault).toMatchObject({
						code: "upstream/reset",
						unsent: false,
					});
				}
			});

			it("something else than HTTP", async () => {
				for (const bytes of [
					"SSH-2.0-OpenSSH\r\n\r\n",
					"\u0000\u0001\u0002",
					"HTTP/1.1 OK\r\n\r\n",
				]) {
					const there = await vendor((socket) => socket.end(bytes, "latin1"));
					expect(await fault(send(client(), there.url))).toMatchObject({
						code: "upstream/protocol",
						unsent: false,
					});
				}
			});

			it("HTTP that means two things", async () => {
				for (const bytes of [
					"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
					"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
					"HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
					"HTTP/1.1 200 OK\r\nX-A: b\u0000c\r\n\r\n",
					"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
				]) {
					const there = await vendor((socket) => socket.end(bytes, "latin1"));
					const seen = await fault(send(client(), there.url));
					expect(seen?.code).toMatch(/^upstream\/(protocol|reset)$/);
					expect(seen?.unsent).toBe(false);
				}
				const there = await vendor((socket) =>
					socket.end(`${chunkedHead}zz\r\nab\r\n`),
				);
				expect(
					await fault(send(client(), there.url), ["head", "fail"]),
				).toMatchObject({
					code: "upstream/protocol",
				});
			});

			it("headers without end", async () => {
				const there = await vendor((socket) =>
					socket.write(
						`HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(3_000)}\r\n\r\n`,
					),
				);
				expect(
					await fault(send(client({ headerBytes: 2_000 }), there.url)),
				).toMatchObject({
					code: "upstream/protocol",
				});
			});
		});

		describe("time", () => {
			async function code(
				heard: Heard,
			): Promise<[string | undefined, boolean | undefined]> {
				await settled(heard);
				return [heard.fault?.code, heard.fault?.unsent];
			}

			it("to connect is limited, and then nothing was sent", async () => {
				// A server that takes the connection and never answers the handshake of TLS.
				const there = await vendor(() => {});
				const url = there.url.replace("http:", "https:");
				const heard = send(client(), url, { timeouts: { connect: 80 } });
				expect(await code(heard)).toEqual(["upstream/connect-timeout", true]);
				await expect.poll(() => there.closed).toBe(1);
			});

			it("to the first byte is limited", async () => {
				const there = await vendor(() => {});
				const heard = send(client(), there.url, {
					timeouts: { firstByte: 80 },
				});
				expect(await code(heard)).toEqual([
					"upstream/first-byte-timeout",
					false,
				]);
				await expect.poll(() => there.closed).toBe(1);
			});

			it("between two pieces is limited, but not by a slow and steady stream", async () => {
				let pieces = 0;
				const there = await vendor(async (socket) => {
					socket.write(chunkedHead);
					for (; pieces < 8; pieces++) {
						socket.write(chunk("x"));
						await pass(30);
					}
				});
				const heard = send(client(), there.url, {
					timeouts: { idle: 150, firstByte: 300 },
				});
				expect(await code(heard)).toEqual(["upstream/idle-timeout", false]);
				expect(heard.body.length).toBe(8);
				await expect.poll(() => there.closed).toBe(1);
			});

			it("in all is limited, whatever comes", async () => {
				const there = await vendor((socket) => {
					socket.write(chunkedHead);
					const drip = setInterval(() => socket.write(chunk("x")), 10);
					socket.on("close", () => clearInterval(drip));
				});
				const heard = send(client(), there.url, {
					timeouts: { idle: 1_000, total: 120 },
				});
				expect(await code(heard)).toEqual(["upstream/total-timeout", false]);
				expect(heard.body.length).toBeGreaterThan(2);
				await expect.poll(() => there.closed).toBe(1);
			});

			it("that a slow client takes is not counted as the vendor's silence", async () => {
				const there = await vendor((socket) => {
					socket.write(chunkedHead + chunk("one"));
					setTimeout(() => socket.write(chunk("two") + chunk("")), 20);
				});
				const heard = send(
					client(),
					there.url,
					{ timeouts: { idle: 60 } },
					{ data: (call) => call.pause() },
				);
				await expect.poll(() => heard.order).toContain("data");
				await pass(150);
				expect(heard.order).toEqual(["head", "data"]);
				for (let turn = 0; turn < 10 && !heard.order.includes("end"); turn++) {
					heard.call.resume();
					await pass(20);
				}
				expect(heard.order.at(-1)).toBe("end");
				expect(string(heard.body)).toBe("onetwo");
			});
		});

		describe("abort", () => {
			it("before, while and after connecting, and while it waits", async () => {
				const there = await vendor(() => {});
				const by = client();
				const at = [0, 1, 5, 40].map(async (milliseconds) => {
					const heard = send(by, there.url);
					if (milliseconds) await pass(milliseconds);
					heard.call.abort();
					heard.call.abort();
					await pass(60);
					return heard.order;
				});
				expect(await Promise.all(at)).toEqual([[], [], [], []]);
				// A connection that no request was sent on may be kept.
				await expect
					.poll(() => there.closed)
					.toBeGreaterThanOrEqual(there.requests.length);
				expect(there.requests.length).toBeGreaterThan(0);
			});

			it("knows whether the vendor can have received the request", async () => {
				const there = await vendor(() => {});
				const by = client();
				const early = send(by, there.url);
				expect(early.call.unsent).toBe(true);
				early.call.abort();
				const late = send(by, there.url);
				await expect.poll(() => there.requests.length).toBe(1);
				expect(late.call.unsent).toBe(false);
				late.call.abort();
				await pass(30);
				expect(there.requests).toHaveLength(1);
			});

			it("of 50 streams in the middle is seen by the vendor 50 times, and nothing is heard after", async () => {
				const there = await vendor((socket) => {
					socket.write(chunkedHead);
					const drip = setInterval(() => socket.write(chunk("x")), 5);
					socket.on("close", () => clearInterval(drip));
				});
				const by = client();
				const all = Array.from({ length: 50 }, () => send(by, there.url));
				for (const heard of all)
					await expect.poll(() => heard.body.length).toBeGreaterThan(0);
				const lengths = all.map((heard) => {
					heard.call.abort();
					return heard.body.length;
				});
				await expect.poll(() => there.closed, { timeout: 5_000 }).toBe(50);
				await pass(30);
				expect(all.map((heard) => heard.body.length)).toEqual(lengths);
				expect(all.every((heard) => heard.order.join() === "head,data")).toBe(
					true,
				);
			});

			it("within head and within data", async () => {
				const there = await vendor((socket) => socket.write(whole("body")));
				const by = client();
				const inHead: Heard = send(
					by,
					there.url,
					{},
					{ head: () => inHead.call.abort() },
				);
				const inData = send(
					by,
					there.url,
					{},
					{ data: (call) => call.abort() },
				);
				await pass(80);
				expect(inHead.order).toEqual(["head"]);
				expect(inData.order).toEqual(["head", "data"]);
			});

			it("within data of an answer that arrived in one piece, packed or not", async () => {
				const packed = gzipSync(Buffer.alloc(200_000, 120));
				const there = await vendor((socket, request) => {
					if (!request.includes("/packed")) {
						socket.write(chunkedHead + chunk("one") + chunk("two") + chunk(""));
						return;
					}
					socket.write(
						`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`,
					);
					socket.write(packed);
				});
				const by = client();
				for (const path of ["/plain", "/packed"]) {
					let pieces = 0;
					const heard = send(
						by,
						there.url + path,
						{},
						{
							data: (call) => {
								pieces++;
								call.abort();
							},
						},
					);
					await pass(80);
					expect(heard.order).toEqual(["head", "data"]);
					expect(pieces).toBe(1);
				}
			});

			it("after the end changes nothing, and the connection is used again", async () => {
				const there = await vendor((socket) => socket.write(whole("ok")));
				const by = client();
				const heard = send(by, there.url);
				await heard.over;
				heard.call.abort();
				heard.call.pause();
				heard.call.resume();
				await send(by, there.url).over;
				expect(there.connections).toBe(1);
			});
		});

		it("pause before head or within it holds the body back until resume", async () => {
			const there = await vendor((socket) => socket.write(whole("body")));
			const by = client();
			const within: Heard = send(
				by,
				there.url,
				{},
				{ head: () => within.call.pause() },
			);
			const before = send(by, there.url);
			before.call.pause();
			await pass(80);
			for (const heard of [within, before]) {
				expect(heard.order).toEqual(["head"]);
				heard.call.resume();
				await heard.over;
				expect(string(heard.body)).toBe("body");
			}
		});

		it("pause slows the vendor down, resume goes on, nothing is lost", async () => {
			const total = 40_000_000;
			let written = 0;
			const there = await vendor((socket) => {
				socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
				const block = Buffer.alloc(100_000, 120);
				const pump = () => {
					while (written < total) {
						written += block.length;
						if (!socket.write(block)) break;
					}
				};
				socket.on("drain", pump);
				pump();
			});
			let received = 0;
			let paused = false;
			const by = client();
			const over = new Promise<string>((resolve) => {
				const call = by.send(
					{ method: "GET", url: there.url, headers: {}, timeouts: patient },
					{
						head() {},
						data(bytes) {
							received += bytes.length;
							if (paused) return;
							paused = true;
							call.pause();
							setTimeout(() => {
								expect(written).toBeLessThan(total);
								call.resume();
							}, 200);
						},
						end: () => resolve("end"),
						fail: (fault) => resolve(fault.code),
					},
				);
			});
			expect(await over).toBe("end");
			expect(received).toBe(total);
		});

		describe("a compressed answer that nobody asked for", () => {
			const original = text(JSON.stringify({ answer: "42 ".repeat(5_000) }));
			const packed: Record<string, Buffer> = {
				gzip: gzipSync(original),
				"x-gzip": gzipSync(original),
				GZIP: gzipSync(original),
				deflate: deflateSync(original),
				"deflate ": deflateRawSync(original),
				br: brotliCompressSync(original),
				zstd: zstdCompressSync(original),
			};

			function answering(encoding: string, body: Buffer) {
				return vendor((socket) => {
					socket.write(
						`HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n\r\n`,
					);
					socket.write(body);
				});
			}

			for (const [encoding, body] of Object.entries(packed)) {
				it(`is unpacked: ${encoding}`, async () => {
					const there = await answering(encoding, body);
					const heard = send(client(), there.url);
					expect(await settled(heard)).toEqual(["head", "data", "end"]);
					expect(Buffer.compare(heard.body, original)).toBe(0);
					expect(heard.header("content-encoding")).toBeUndefined();
					expect(heard.header("content-length")).toBeUndefined();
				});
			}

			it("that is empty is empty", async () => {
				const there = await answering("gzip", Buffer.alloc(0));
				expect(await settled(send(client(), there.url))).toEqual([
					"head",
					"end",
				]);
			});

			it("that is broken, cut off or of an unknown kind fails", async () => {
				const good = gzipSync(original);
				for (const [encoding, body] of [
					["gzip", Buffer.from("this is no gzip at all")],
					["gzip", good.subarray(0, good.length - 20)],
					["br", Buffer.from("this is no brotli at all!")],
					["compress", good],
					["gzip, gzip", gzipSync(good)],
				] as const) {
					const there = await answering(encoding, body);
					const heard = send(client(), there.url);
					expect((await settled(heard)).at(-1)).toBe("fail");
					expect(heard.fault).toMatchObject({
						code: "upstream/protocol",
						unsent: false,
					});
				}
			});

			it("that is a bomb fails before it is unpacked whole", async () => {
				const size = 200_000_000;
				const there = await answering("gzip", gzipSync(Buffer.alloc(size)));
				const heard = send(client(), there.url);
				expect((await settled(heard)).at(-1)).toBe("fail");
				expect(heard.fault).toMatchObject({ code: "upstream/protocol" });
				expect(heard.body.length).toBeLessThan(size / 4);
			});
		});
	});
}
