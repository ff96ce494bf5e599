import { request as rawRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mockVendor, startStudio, type TestStudio } from "../support/studio.ts";
import {
	chatAnswer,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

let upstream: Upstream;
let studio: TestStudio;
let key: string;

beforeEach(async () => {
	upstream = await startUpstream((_, response) =>
		sendJson(response, 200, chatAnswer("Hello", { prompt: 10, completion: 5 })),
	);
	studio = await startStudio(
		mockVendor(upstream.url, "openai-chat", "limits: { bodyBytes: 64 KiB }"),
	);
	key = await studio.key();
});
afterEach(async () => {
	await studio.close();
	await upstream.close();
});

const chat = "/v1/chat/completions";
const good = {
	model: "mock/m",
	messages: [{ role: "user", content: "hi" }],
	max_tokens: 5,
};

function post(
	path: string,
	body: string | Uint8Array,
	headers: Record<string, string> = {},
): Promise<Response> {
	return fetch(studio.url + path, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
			...headers,
		},
		body: body as string,
	});
}

function get(
	path: string,
	headers: Record<string, string> = {},
): Promise<Response> {
	return fetch(studio.url + path, {
		headers: { authorization: `Bearer ${key}`, ...headers },
	});
}

/** A request with headers that fetch would not send. */
function raw(
	path: string,
	headers: Record<string, string>,
): Promise<{ status: number; body: string }> {
	const { port } = new URL(studio.url);
	return new Promise((resolve, reject) => {
		rawRequest(
			{ host: "127.0.0.1", port, path, headers, setHost: false },
			(response) => {
				let body = "";
				response.on("data", (chunk) => {
					body += chunk;
				});
				response.on("end", () =>
					resolve({ status: response.statusCode ?? 0, body }),
				);
			},
		)
			.on("error", reject)
			.end();
	});
}

describe("bad input is refused in the client's shape, and the process lives", () => {
	const deep = `{"model":"mock/m","messages":${"[".repeat(100_00)}${"]".repeat(100_00)}}`;
	it.each([
		["malformed JSON", '{"model": ', 400, "request/malformed-json"],
		["no JSON object", "[]", 400, "request/invalid"],
		[
			"a wrong type",
			'{"model":"mock/m","messages":"hi"}',
			400,
			"request/invalid",
		],
		[
			"a negative limit",
			JSON.stringify({ ...good, max_tokens: -1 }),
			400,
			"request/invalid",
		],
		["no model", '{"messages":[]}', 400, "request/invalid"],
		["deep nesting", deep, 400, "request/too-deep"],
		[
			"a second model",
			'{"model":"mock/m","model":"mock/x","messages":[]}',
			400,
			"request/duplicate-member",
		],
		[
			"a model behind no vendor that is on",
			JSON.stringify({ ...good, model: "openai/gpt-4o" }),
			404,
			"model/vendor-off",
		],
		["an empty body", "", 400, "request/malformed-json"],
	])("%s", async (_, body, status, code) => {
		const response = await post(chat, body);
		expect(response.status).toBe(status);
		expect(await response.json()).toMatchObject({
			error: { code, message: expect.any(String) },
		});
		expect(response.headers.get("x-dos-call-id")).toMatch(/^call_/);
		expect((await post(chat, JSON.stringify(good))).status).toBe(200);
		expect(studio.account().held).toBe(0);
	});

	it("broken unicode", async () => {
		const body = Buffer.from(JSON.stringify(good));
		body[body.indexOf("hi")] = 0xff;
		const response = await post(chat, body);
		expect(response.status).toBe(400);
		expect(await response.json()).toMatchObject({
			error: { code: "request/invalid-utf8" },
		});
	});

	it("a body beyond the limit", async () => {
		const response = await post(
			chat,
			JSON.stringify({ ...good, user: "x".repeat(100_000) }),
		);
		expect(response.status).toBe(413);
		expect(await response.json()).toMatchObject({
			error: { code: "http/body-too-large" },
		});
	});

	it("garbage instead of HTTP", async () => {
		const { port } = new URL(studio.url);
		const answer = await new Promise<string>((resolve) => {
			const socket = connect(Number(port), "127.0.0.1", () =>
				socket.write("\x16\x03\x01 hello\r\n\r\n"),
			);
			let text = "";
			socket.on("data", (chunk) => {
				text += chunk;
			});
			socket.on("close", () => resolve(text));
			socket.on("error", () => {});
		});
		expect(answer).toMatch(/^HTTP\/1\.1 400 /);
		expect((await get("/healthz")).status).toBe(200);
	});

	it("paths and methods there are not", async () => {
		expect((await get("/v2/nothing")).status).toBe(404);
		const wrong = await get(chat);
		expect(wrong.status).toBe(405);
		expect(wrong.headers.get("allow")).toBe("POST");
		expect((await get("/v1/receipts/")).status).toBe(404);
		expect((await get("/v1/receipts/../../etc/passwd")).status).toBe(404);
	});

	it("errors speak the client's protocol", async () => {
		const response = await post("/v1/messages", "{", {
			"anthropic-version": "2023-06-01",
		});
		expect(response.status).toBe(400);
		expect(await response.json()).toMatchObject({
			type: "error",
			error: { type: "invalid_request_error", code: "request/malformed-json" },
		});
	});
});

describe("keys", () => {
	it.each([
		["none", {}, "key/missing"],
		["one of nobody", { authorization: "Bearer dos_sk_nope" }, "key/unknown"],
		[
			"an endless one",
			{ authorization: `Bearer ${"x".repeat(8_000)}` },
			"key/unknown",
		],
	])("%s", async (_, headers, code) => {
		const response = await fetch(studio.url + chat, {
			method: "POST",
			headers: { "content-type": "application/json", ...headers },
			body: JSON.stringify(good),
		});
		expect(response.status).toBe(401);
		expect(["key/missing", "key/unknown"]).toContain(
			((await response.json()) as { error: { code: string } }).error.code,
		);
		expect(code).toMatch(/^key\//);
		expect(upstream.received).toHaveLength(0);
	});

	it("a key without the scope to call may read, and no more", async () => {
		key = await studio.key({ scopes: { can: ["read"] } });
		expect((await get("/v1/account")).status).toBe(200);
		const refused = await post(chat, JSON.stringify(good));
		expect(refused.status).toBe(403);
		expect(await refused.json()).toMatchObject({
			error: { code: "key/forbidden" },
		});
	});

	it("a key bound to models may call no other", async () => {
		key = await studio.key({ scopes: { can: ["call"], models: ["mock/a*"] } });
		expect(
			(await post(chat, JSON.stringify({ ...good, model: "mock/allowed" })))
				.status,
		).toBe(200);
		expect((await post(chat, JSON.stringify(good))).status).toBe(403);
	});

	it("sees no other account's receipts", async () => {
		const response = await post(chat, JSON.stringify(good));
		const call = response.headers.get("x-dos-call-id");
		await studio.run({
			type: "open-account",
			account: "other",
			name: "other",
		});
		expect((await get(`/v1/receipts/${call}`)).status).toBe(200);
		key = await studio.key({ account: "other" });
		expect((await get(`/v1/receipts/${call}`)).status).toBe(404);
	});

	it("that are guessed too often are refused for a while", async () => {
		const guess = () =>
			fetch(`${studio.url}/v1/account`, {
				headers: { authorization: "Bearer dos_sk_guess" },
			});
		const statuses = [];
		for (let tries = 0; tries < 70; tries++) {
			const response = await guess();
			statuses.push(response.status);
			await response.text();
		}
		expect(statuses[0]).toBe(401);
		expect(statuses.at(-1)).toBe(429);
	});
});

describe("what the server shows", () => {
	it("answers only to its own names", async () => {
		expect((await raw("/healthz", { host: "attacker.example" })).status).toBe(
			421,
		);
		expect((await raw("/healthz", {})).status).toBe(400);
		expect((await raw("/healthz", { host: "localhost:4141" })).status).toBe(
			200,
		);
	});

	it("a quote without calling anyone", async () => {
		const response = await post("/v1/quote", JSON.stringify(good));
		expect(response.status).toBe(200);
		const quote = (await response.json()) as { hold: number };
		expect(quote).toMatchObject({
			substrate: "mock/m",
			outputTokens: 5,
			limitFrom: "request",
			affordable: true,
		});
		expect(upstream.received).toHaveLength(0);
		await (await post(chat, JSON.stringify(good))).text();
		expect(studio.account().spent).toBeLessThanOrEqual(quote.hold);
	});

	it("the account with its holds in flight and its caps", async () => {
		key = await studio.key({ caps: { day: 5_000_000 } });
		let go = (): void => {};
		upstream.answer = (_, response) => {
			go = () =>
				sendJson(response, 200, chatAnswer("x", { prompt: 1, completion: 1 }));
		};
		const calling = post(chat, JSON.stringify(good));
		while (upstream.received.length === 0)
			await new Promise((resolve) => setTimeout(resolve, 5));
		const account = (await (await get("/v1/account")).json()) as {
			held: number;
			holds: object[];
			caps: object[];
		};
		expect(account.held).toBeGreaterThan(0);
		expect(account.holds).toHaveLength(1);
		expect(account.caps).toMatchObject([
			{ of: "key", window: "day", cap: 5_000_000, spent: 0 },
		]);
		go();
		await calling;
	});

	it("metrics that Prometheus reads", async () => {
		await (await post(chat, JSON.stringify(good))).text();
		const text = await (await get("/metrics")).text();
		expect(text).toContain(
			'dos_calls_total{operation="chat",vendor="mock",ending="finished"} 1',
		);
		expect(text).toContain("dos_holds_open 0");
		for (const line of text.trimEnd().split("\n"))
			expect(line).toMatch(
				/^(# (HELP|TYPE) .+|[a-z_]+(\{[^{}]*\})? -?[\d.e+]+)$/,
			);
	});

	it("models in the shape of the asking client", async () => {
		const openai = (await (await get("/v1/models")).json()) as object;
		expect(openai).toMatchObject({ object: "list" });
		const anthropic = (await (
			await get("/v1/models", { "anthropic-version": "2023-06-01" })
		).json()) as object;
		expect(anthropic).toMatchObject({ has_more: false });
	});
});
