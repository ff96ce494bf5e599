import { readdirSync, readFileSync } from "node:fs";
import { request as rawRequest } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import { baseAddress } from "../../src/adapters/vendors/base-address.ts";
import { Fault } from "../../src/kernel/outcome.ts";
import { rawClient } from "../../src/ports/raw-client.fixture.ts";
import { mockVendor, startStudio, type TestStudio } from "../support/studio.ts";
import {
	chatAnswer,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

/** One test for each concern of docs/security-review.md that no other suite holds. */

const chat = "/v1/chat/completions";
const good = {
	model: "mock/m",
	messages: [{ role: "user", content: "hi" }],
	max_tokens: 5,
};
let upstream: Upstream;
let studio: TestStudio;
let key: string;

beforeEach(async () => {
	upstream = await startUpstream((_, response) =>
		sendJson(response, 200, chatAnswer("Hello", { prompt: 10, completion: 5 })),
	);
	studio = await startStudio(mockVendor(upstream.url));
	key = await studio.key();
});
afterEach(async () => {
	vi.restoreAllMocks();
	await studio.close();
	await upstream.close();
});

function call(
	body: object = good,
	headers: Record<string, string> = {},
	path = chat,
): Promise<Response> {
	return fetch(studio.url + path, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
			...headers,
		},
		body: JSON.stringify(body),
	});
}

function get(path: string, secret = key): Promise<Response> {
	return fetch(studio.url + path, {
		headers: { authorization: `Bearer ${secret}` },
	});
}

async function codeOf(response: Response): Promise<string> {
	const { error } = (await response.json()) as { error: { code: string } };
	return error.code;
}

async function otherAccountsKey(): Promise<string> {
	await studio.run({ type: "open-account", account: "other", name: "other" });
	await studio.run({ type: "grant", account: "other", amount: 1_000_000_000 });
	return studio.key({ account: "other" });
}

describe("object level authorization (API1)", () => {
	it("a stranger's call looks like one that never was", async () => {
		const response = await call();
		const id = response.headers.get("x-dos-call-id") as string;
		await response.text();
		const stranger = await otherAccountsKey();
		const foreign = await get(`/v1/receipts/${id}`, stranger);
		const missing = await get(`/v1/receipts/${id.slice(0, -1)}`, stranger);
		expect(foreign.status).toBe(404);
		expect((await foreign.text()).replaceAll(id, "")).toBe(
			(await missing.text()).replaceAll(id.slice(0, -1), ""),
		);
	});

	it("an idempotency key opens no other account's answer, nor another key's", async () => {
		const again = { "idempotency-key": "same" };
		await (await call(good, again)).text();
		const replayed = await call(good, again);
		expect(replayed.headers.get("x-dos-replayed")).toBe("true");
		expect(upstream.received).toHaveLength(1);
		for (const other of [await otherAccountsKey(), await studio.key()]) {
			key = other;
			const response = await call(good, again);
			expect(response.status).toBe(200);
			expect(response.headers.get("x-dos-replayed")).toBeNull();
		}
		expect(upstream.received).toHaveLength(3);
	});

	it("an account shows itself alone", async () => {
		await (await call()).text();
		const text = await (
			await get("/v1/account", await otherAccountsKey())
		).text();
		expect(JSON.parse(text)).toMatchObject({ spent: 0 });
		expect(text).not.toContain("main");
	});
});

describe("stored answers (API1)", () => {
	const answerOf = (id: string, text: string, previous: unknown = null) =>
		JSON.stringify({
			id,
			object: "response",
			created_at: 1,
			status: "completed",
			model: "m",
			previous_response_id: previous,
			output: [
				{
					id: `msg_${id}`,
					type: "message",
					role: "assistant",
					status: "completed",
					content: [{ type: "output_text", text, annotations: [] }],
				},
			],
			usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15 },
		});

	async function withResponses(text: string, more = ""): Promise<void> {
		await studio.close();
		studio = await startStudio(
			mockVendor(upstream.url, "openai-responses", more),
		);
		key = await studio.key();
		let answers = 0;
		upstream.answer = (_, response) =>
			sendJson(response, 200, answerOf(`resp_${++answers}`, text));
	}

	const ask = (more: object = {}) =>
		call({ model: "mock/m", input: "Mine", ...more }, {}, "/v1/responses");

	it("are no other account's, to read, to go on from or to delete", async () => {
		await withResponses("PLANTED-ANSWER");
		await (await ask()).text();
		const own = key;
		const stranger = await otherAccountsKey();
		for (const [id, of] of [
			["resp_1", stranger],
			["resp_9", own],
		] as const) {
			key = of;
			const told = [
				await get(`/v1/responses/${id}`, of),
				await get(`/v1/responses/${id}/input_items`, of),
				await fetch(`${studio.url}/v1/responses/${id}`, {
					method: "DELETE",
					headers: { authorization: `Bearer ${of}` },
				}),
				await ask({ previous_response_id: id }),
			];
			for (const each of told) {
				expect(each.status).toBe(404);
				expect(await codeOf(each)).toBe("response/unknown");
			}
		}
		for (const path of ["main%2Fresp_1", "..%2Fmain%2Fresp_1", "%2E%2E/resp_1"])
			expect((await get(`/v1/responses/${path}`, stranger)).status).toBe(404);
		expect(upstream.received).toHaveLength(1);
		expect((await get("/v1/responses/resp_1", own)).status).toBe(200);
	});

	it("make no request larger than a body may be, however little goes on from them", async () => {
		await withResponses("x".repeat(20_000), 'limits: { bodyBytes: "64 KiB" }');
		const codes: string[] = [];
		let previous: string | undefined;
		for (let turns = 0; turns < 6; turns++) {
			const response = await ask({ previous_response_id: previous });
			if (response.ok) {
				previous = ((await response.json()) as { id: string }).id;
				codes.push("ok");
			} else codes.push(await codeOf(response));
		}
		expect(codes.slice(0, 2)).toEqual(["ok", "ok"]);
		expect(codes.at(-1)).toBe("response/too-long");
		const input = "y".repeat(40_000);
		const { id } = (await (await ask({ input })).json()) as { id: string };
		const both = await ask({ input, previous_response_id: id });
		expect(await codeOf(both)).toBe("response/too-long");
		for (const { bytes } of upstream.received)
			expect(bytes.length).toBeLessThanOrEqual(65_536);
		expect((await get(`/v1/responses/${previous}`)).status).toBe(200);
	});
});

describe("authentication (API2)", () => {
	it("costs one hash of the whole secret and a look-up, however near a guess is", async () => {
		const hashed = vi.spyOn(nodeDigest, "text");
		const near = `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`;
		const work: unknown[] = [];
		for (const guess of [near, "dos_sk_x", `x${key.slice(1)}`]) {
			hashed.mockClear();
			expect(await codeOf(await get("/v1/account", guess))).toBe("key/unknown");
			work.push(hashed.mock.calls);
		}
		expect(work).toEqual([[[near]], [["dos_sk_x"]], [[`x${key.slice(1)}`]]]);
	});

	it("takes keys from headers alone, never from an address that ends up in histories and logs", async () => {
		for (const name of ["key", "api_key", "access_token", "authorization"]) {
			const response = await fetch(`${studio.url}/v1/account?${name}=${key}`, {
				headers: { cookie: `${name}=${key}` },
			});
			expect(response.status).toBe(401);
		}
	});

	it("keeps no secret, in memory or on disk", async () => {
		await (await call()).text();
		const { secrets, keys } = studio.ledger.head.state("credits");
		const held = JSON.stringify([...secrets, ...keys]);
		expect(held).toContain(nodeDigest.text(key));
		expect(held).not.toContain(key.slice(10, 40));
	});
});

describe("properties (API3)", () => {
	it("nothing a client adds changes who pays, what for, or what it is called", async () => {
		await otherAccountsKey();
		const response = await call(
			{
				...good,
				account: "other",
				key: "other",
				hold: 0,
				amount: 0,
				user: "x",
			},
			{
				"x-dos-account": "other",
				"x-dos-call-id": "call_mine",
				"x-dos-credits": "0",
				"x-forwarded-for": "10.0.0.1",
			},
		);
		expect(response.headers.get("x-dos-call-id")).not.toBe("call_mine");
		expect(Number(response.headers.get("x-dos-credits"))).toBe(2_000);
		expect(studio.account("other").spent).toBe(0);
		expect(studio.account().spent).toBe(2_000);
		const { headers } = upstream.received[0] as Upstream["received"][number];
		for (const name of Object.keys(headers))
			expect(name).not.toMatch(/^x-(dos|forwarded)/);
	});

	it("no answer of ours shows a hash", async () => {
		await (await call()).text();
		for (const path of [
			"/v1/account",
			"/v1/models",
			"/",
			"/healthz",
			"/metrics",
		])
			expect(await (await get(path)).text()).not.toContain(
				nodeDigest.text(key),
			);
	});
});

describe("resource consumption (API4)", () => {
	it("compressed bodies are refused before anything is unpacked", async () => {
		const response = await call(good, { "content-encoding": "gzip" });
		expect(response.status).toBe(415);
		expect(await codeOf(response)).toBe("http/unsupported-encoding");
		expect(upstream.received).toHaveLength(0);
	});

	it("a key's calls in a minute are limited, and the refusal says for how long", async () => {
		await studio.close();
		studio = await startStudio(
			mockVendor(
				upstream.url,
				"openai-chat",
				"limits: { requestsPerMinute: 2 }",
			),
		);
		key = await studio.key();
		const statuses: number[] = [];
		for (let tries = 0; tries < 3; tries++)
			statuses.push((await call()).status);
		expect(statuses).toEqual([200, 200, 429]);
		expect(Number((await call()).headers.get("retry-after"))).toBeGreaterThan(
			0,
		);
		expect(upstream.received).toHaveLength(2);
	});
});

describe("function level authorization (API5)", () => {
	it("each scope opens its own paths and no other", async () => {
		const may = async (scope: "call" | "read"): Promise<object> => {
			key = await studio.key({ scopes: { can: [scope] } });
			return {
				call: (await call()).status,
				quote: (await call(good, {}, "/v1/quote")).status,
				models: (await get("/v1/models")).status,
				account: (await get("/v1/account")).status,
				receipt: (await get("/v1/receipts/call_1")).status,
			};
		};
		expect(await may("call")).toEqual({
			call: 200,
			quote: 403,
			models: 403,
			account: 403,
			receipt: 403,
		});
		expect(await may("read")).toEqual({
			call: 403,
			quote: 200,
			models: 200,
			account: 200,
			receipt: 404,
		});
	});

	it("the operator's deeds are not on the network at all", async () => {
		const before = studio.ledger.head.position();
		for (const path of [
			"/v1/keys",
			"/v1/grants",
			"/v1/accounts",
			"/v1/account",
			"/v1/receipts/call_1",
			"/admin",
			"/v1/refunds",
			"/v1/vendors",
			"/config.yaml",
			"/dos.db",
		])
			for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
				const response = await fetch(studio.url + path, {
					method,
					headers: { authorization: `Bearer ${key}` },
				});
				expect([404, 405]).toContain(response.status);
			}
		expect(studio.ledger.head.position()).toBe(before);
	});
});

describe("requests of ours to elsewhere (API7)", () => {
	it("go to the vendor's base address whatever a client says", async () => {
		for (const model of [
			"mock/../../evil",
			"mock//evil.example/x",
			"mock/http://evil.example",
			"mock/m?x=1#y",
			"mock/m@evil.example",
		])
			await (
				await call({
					...good,
					model,
					base_url: "http://evil.example",
					api_base: "http://evil.example",
				})
			).text();
		expect(upstream.received.length).toBeGreaterThan(0);
		for (const { path, headers } of upstream.received) {
			expect(path).toBe(chat);
			expect(`http://${headers.host}`).toBe(upstream.url);
		}
	});

	const names = [
		"..",
		"../../evil",
		"x/../../../evil",
		"x\\..\\..\\evil",
		"%2e%2e/%2e%2e/evil",
		"m?key=evil#x",
		"m:countTokens",
		"m\r\nx-evil: 1",
		"//evil.example/m",
		"@evil.example",
		"\u202eevil\u0000",
	];
	const inPlace: Record<string, RegExp> = {
		"google-generate":
			/^\/v1\/models\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^?#\\:\s]+:generateContent$/,
		"bedrock-converse": /^\/v1\/model\/(?!\.\.?\/)[^/?#\\\s]+\/converse$/,
	};

	it.each(Object.keys(inPlace))(
		"name a model of %s in its place of the address, whatever it is called",
		async (protocol) => {
			await studio.close();
			studio = await startStudio(mockVendor(upstream.url, protocol));
			key = await studio.key();
			for (const name of names) {
				await (await call({ ...good, model: `mock/${name}` })).text();
				const spelled = encodeURIComponent(`mock/${name}`);
				for (const model of [spelled, spelled.replaceAll("%2F", "/")])
					await (
						await call(
							{ contents: [{ role: "user", parts: [{ text: "hi" }] }] },
							{},
							`/v1beta/models/${model}:generateContent`,
						)
					).text();
			}
			expect(upstream.received.length).toBeGreaterThan(names.length);
			for (const { path, headers } of upstream.received) {
				const expected = inPlace[protocol] as RegExp;
				expect(path).toMatch(expected);
				expect(new URL(path, upstream.url).pathname).toBe(path);
				expect(`http://${headers.host}`).toBe(upstream.url);
				expect(headers["x-evil"]).toBeUndefined();
			}
		},
	);

	it("fetch nothing that a client names: addresses of images and files go on as they are, or not at all", async () => {
		const elsewhere = await startUpstream((_, response) =>
			sendJson(response, 200, "{}"),
		);
		try {
			const url = `${elsewhere.url}/latest/meta-data.png`;
			for (const protocol of [
				"openai-chat",
				"openai-responses",
				"anthropic-messages",
				"google-generate",
				"bedrock-converse",
			]) {
				await studio.close();
				studio = await startStudio(mockVendor(upstream.url, protocol));
				key = await studio.key();
				for (const content of [
					{ type: "image_url", image_url: { url } },
					{ type: "file", file: { file_data: url, filename: "a.pdf" } },
				])
					await (
						await call({
							...good,
							messages: [{ role: "user", content: [content] }],
						})
					).text();
			}
			expect(elsewhere.received).toHaveLength(0);
		} finally {
			await elsewhere.close();
		}
	});

	it("follow no redirect, and take neither key nor prompt there", async () => {
		const elsewhere = await startUpstream((_, response) =>
			sendJson(response, 200, "{}"),
		);
		try {
			for (const status of [301, 302, 303, 307, 308]) {
				upstream.answer = (_, response) =>
					void response
						.writeHead(status, {
							location: `${elsewhere.url}/latest/meta-data`,
						})
						.end();
				const response = await call();
				expect(response.status).toBe(502);
				expect(response.headers.get("location")).toBeNull();
				expect(await codeOf(response)).toBe("vendor/misdirected");
			}
			expect(elsewhere.received).toHaveLength(0);
			expect(studio.account()).toMatchObject({ spent: 0, held: 0 });
		} finally {
			await elsewhere.close();
		}
	});

	it.each([
		"http://169.254.169.254/latest",
		"http://metadata.google.internal.example/",
		"file:///etc/passwd",
		"gopher://127.0.0.1:25/",
		"http://user:password@127.0.0.1/",
		"http://2852039166/",
		"http://0xa9fea9fe/",
		"https://vendor.example/v1?key=x",
	])("the base address %s is refused", (base) =>
		expect(baseAddress(base)).toMatchObject({
			ok: false,
			error: { code: "config/base-invalid" },
		}),
	);
});

describe("translation", () => {
	async function crossing(): Promise<void> {
		await studio.close();
		studio = await startStudio(mockVendor(upstream.url, "google-generate"));
		key = await studio.key();
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				JSON.stringify({
					candidates: [
						{
							content: { role: "model", parts: [{ text: "Hello" }] },
							finishReason: "STOP",
						},
					],
					usageMetadata: {
						promptTokenCount: 10,
						candidatesTokenCount: 5,
						totalTokenCount: 15,
					},
				}),
			);
	}

	it("names what was lost in one header that nothing breaks out of, and records no name of the client's", async () => {
		await crossing();
		const port = Number(new URL(studio.url).port);
		const body = JSON.stringify({
			...good,
			"a\r\nx-evil: 1\r\n\r\nPLANTED": 1,
			"\u0000\u202e\ud83d\ude00\ud800": 1,
			...Object.fromEntries(
				Array.from({ length: 5_000 }, (_, index) => [`PLANTED${index}`, 1]),
			),
		}).replace(/[^ -~]/g, (odd) =>
			Array.from(
				{ length: odd.length },
				(_, at) => `\\u${odd.charCodeAt(at).toString(16).padStart(4, "0")}`,
			).join(""),
		);
		const before = studio.ledger.head.position();
		const client = await rawClient(port);
		client.send(
			`POST ${chat} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
		);
		const [head = ""] = (await client.rest()).split("\r\n\r\n");
		expect(head).toMatch(/^HTTP\/1\.1 200 /);
		expect(head).not.toMatch(/\r\nx-evil/i);
		expect(head).toMatch(/\r\nx-dos-warnings: [ -~]+, and \d+ more/i);
		expect(head.length).toBeLessThan(8_000);
		await studio.settled();
		let log = "";
		for await (const batch of studio.ledger.log.read(before))
			log += JSON.stringify(batch);
		expect(log).toContain("credits-settled");
		expect(log).not.toContain("PLANTED");
		expect(log.length).toBeLessThan(50_000);
	});

	it("an idempotency key is for one model, also where the address names it", async () => {
		await crossing();
		const ask = (model: string) =>
			call(
				{ contents: [{ role: "user", parts: [{ text: "hi" }] }] },
				{ "idempotency-key": "same" },
				`/v1beta/models/mock%2F${model}:generateContent`,
			);
		expect((await ask("a")).status).toBe(200);
		expect((await ask("a")).headers.get("x-dos-replayed")).toBe("true");
		const other = await ask("b");
		expect(other.ok).toBe(false);
		expect(upstream.received).toHaveLength(1);
	});
});

describe("configuration (API8)", () => {
	it("no page may read an answer: nothing is said of origins, and preflights are refused", async () => {
		const preflight = await fetch(studio.url + chat, {
			method: "OPTIONS",
			headers: {
				origin: "https://attacker.example",
				"access-control-request-method": "POST",
				"access-control-request-headers": "authorization",
			},
		});
		expect(preflight.status).toBe(405);
		const answers = [
			preflight,
			await call(good, { origin: "https://attacker.example" }),
			await get("/healthz"),
		];
		for (const { headers } of answers)
			for (const [name] of headers)
				expect(name).not.toMatch(
					/^(access-control-|server$|x-powered-by$|set-cookie$)/,
				);
	});

	it("TRACE and CONNECT are no way in", async () => {
		const port = Number(new URL(studio.url).port);
		for (const line of [
			"TRACE / HTTP/1.1",
			"CONNECT 169.254.169.254:80 HTTP/1.1",
		]) {
			const client = await rawClient(port);
			client.send(
				`${line}\r\nHost: 127.0.0.1\r\nX-Secret: told\r\nConnection: close\r\n\r\n`,
			);
			const answer = await client.rest();
			expect(answer).toMatch(/^HTTP\/1\.1 40[45] /);
			expect(answer).not.toContain("told");
		}
	});

	const outside = Object.values(networkInterfaces())
		.flat()
		.find((one) => one && !one.internal && one.family === "IPv4")?.address;
	it.skipIf(outside === undefined)(
		"from beyond this machine, health and metrics need a key",
		async () => {
			await studio.close();
			studio = await startStudio(
				mockVendor(
					upstream.url,
					"openai-chat",
					`listen: { host: 0.0.0.0, insecure: true, hosts: [studio.test] }`,
				),
			);
			key = await studio.key();
			const port = Number(new URL(studio.url).port);
			const ask = (
				path: string,
				host: string | undefined,
				secret?: string,
			): Promise<number> =>
				new Promise((resolve, reject) => {
					rawRequest(
						{
							host,
							port,
							path,
							headers: {
								host: "studio.test",
								...(secret && { authorization: `Bearer ${secret}` }),
							},
						},
						(response) => {
							response.resume();
							resolve(response.statusCode ?? 0);
						},
					)
						.on("error", reject)
						.end();
				});
			for (const path of ["/healthz", "/metrics"]) {
				// Load balancers elsewhere have no key: they hear that it lives, and nothing more.
				expect(await ask(path, outside)).toBe(path === "/healthz" ? 200 : 401);
				expect(await ask(path, outside, key)).toBe(200);
				expect(await ask(path, "127.0.0.1")).toBe(200);
			}
		},
	);
});

describe("leakage", () => {
	// A model's name is recorded, as a receipt names what was called.
	it("what is planted in any other input is written nowhere, and told to nobody but its sender and the vendor", async () => {
		const secret = "PLANTED-5e77";
		const port = Number(new URL(studio.url).port);
		const fromClient = async (head: string, body = ""): Promise<string> => {
			const client = await rawClient(port);
			client.send(
				`${head}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
			);
			return client.rest();
		};
		const own = "Host: 127.0.0.1";
		const bearer = `Authorization: Bearer ${key}`;
		const text = JSON.stringify(good);
		const said = [
			await fromClient(`GET /${secret} HTTP/1.1\r\n${own}`),
			await fromClient(`GET /healthz?${secret}=${secret} HTTP/1.1\r\n${own}`),
			await fromClient(`GET /healthz HTTP/1.1\r\nHost: ${secret}`),
			await fromClient(`${secret} / HTTP/1.1\r\n${own}`),
			await fromClient(
				`GET / HTTP/1.1\r\n${own}\r\n${secret}: ${secret}\r\nCookie: ${secret}`,
			),
			await fromClient(
				`GET /v1/account HTTP/1.1\r\n${own}\r\nAuthorization: Bearer ${secret}`,
			),
			await fromClient(
				`GET /v1/account HTTP/1.1\r\n${own}\r\nx-api-key: ${secret}`,
			),
			await fromClient(
				`POST ${chat}?${secret} HTTP/1.1\r\n${own}\r\n${bearer}\r\nUser-Agent: ${secret}`,
				text,
			),
			await fromClient(
				`POST ${chat} HTTP/1.1\r\n${own}\r\n${bearer}`,
				text.replace('"hi"', `"${secret}"`),
			),
			await fromClient(
				`POST ${chat} HTTP/1.1\r\n${own}\r\n${bearer}`,
				text.replace("{", `{"${secret}":"${secret}",`),
			),
			await fromClient(
				`POST ${chat} HTTP/1.1\r\n${own}\r\n${bearer}`,
				`{"model":"${secret}`,
			),
			await fromClient(
				`POST ${chat} HTTP/1.1\r\n${own}\r\n${bearer}\r\nContent-Encoding: ${secret}`,
				text,
			),
			await fromClient(
				`POST /v1/quote?for=${secret} HTTP/1.1\r\n${own}\r\n${bearer}`,
				text,
			),
			await fromClient(
				`GET /v1/receipts/${secret} HTTP/1.1\r\n${own}\r\n${bearer}`,
			),
		];
		upstream.answer = (_, response) => {
			response.setHeader("x-planted", secret);
			sendJson(response, 500, `{"error":{"message":"${secret}"}}`);
		};
		await (await call()).text();
		await studio.settled();
		const written = readdirSync(studio.home.folder, {
			recursive: true,
			withFileTypes: true,
		})
			.filter((entry) => entry.isFile())
			.map((entry) =>
				readFileSync(join(entry.parentPath, entry.name), "latin1"),
			)
			.join("\n");
		expect(written.includes("credits-settled")).toBe(true);
		expect(written.includes(secret)).toBe(false);
		expect(studio.reports.join("\n")).not.toContain(secret);
		expect(await (await get("/metrics")).text()).not.toContain(secret);
		for (const answer of said) {
			expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
			// No stack, no file of ours, no key.
			expect(answer).not.toMatch(/\bat .+:\d+:\d+|\.ts\b|node:/);
			expect(answer).not.toContain(studio.home.folder);
			expect(answer).not.toContain(key);
		}
	});

	it("a fault of the storage is told without the place where it is", async () => {
		vi.spyOn(studio.ledger.log, "write").mockRejectedValue(
			new Fault(
				"log/full",
				`The disk that holds ${studio.home.database} is full.`,
			),
		);
		const response = await call();
		expect(response.status).toBe(503);
		expect(response.headers.get("retry-after")).toBe("5");
		const told = await response.text();
		expect(JSON.parse(told)).toMatchObject({ error: { code: "log/full" } });
		expect(told).not.toContain(studio.home.folder);
		expect(studio.reports.join("\n")).toContain(studio.home.folder);
		expect(upstream.received).toHaveLength(0);
	});
});

describe("dependencies", () => {
	const root = new URL("../../", import.meta.url);
	const manifest = JSON.parse(
		readFileSync(new URL("package.json", root), "utf8"),
	) as Record<string, Record<string, string>>;
	const lock = JSON.parse(
		readFileSync(new URL("package-lock.json", root), "utf8"),
	) as {
		packages: Record<
			string,
			{
				version?: string;
				dev?: boolean;
				devOptional?: boolean;
				optional?: boolean;
				integrity?: string;
				hasInstallScript?: boolean;
			}
		>;
	};

	const reasons = readFileSync(
		new URL("docs/decisions/0007-libraries.md", root),
		"utf8",
	);

	it("are pinned, and each has its reason written down", () => {
		for (const name of Object.keys(manifest.dependencies ?? {}))
			expect(reasons).toContain(`\`${name}\``);
		for (const version of Object.values({
			...manifest.dependencies,
			...manifest.devDependencies,
		}))
			expect(version).toMatch(/^\d+\.\d+\.\d+(-beta\.\d+)?$/);
	});

	it("bring only the packages along that are written down, run nothing when installed, and are checked by their hash", () => {
		const shipped = Object.entries(lock.packages).filter(
			([path, one]) =>
				path !== "" && !one.dev && !one.devOptional && !one.optional,
		);
		const brought = shipped
			.map(([path]) => path.replace("node_modules/", ""))
			.filter((name) => !Object.hasOwn(manifest.dependencies ?? {}, name));
		const list = /The last three bring[^\n]*/.exec(reasons)?.[0] ?? "";
		const written = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
		expect(brought.sort()).toEqual(
			written.filter((name) => name !== "pg").sort(),
		);
		for (const [, { integrity, hasInstallScript }] of shipped) {
			expect(integrity).toMatch(/^sha512-/);
			expect(hasInstallScript).toBeUndefined();
		}
	});
});
