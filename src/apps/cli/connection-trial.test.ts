import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { harnesses } from "../../adapters/harness/all.ts";
import { spoken } from "../../adapters/wire/all.ts";
import { tryConnection } from "./connection-trial.ts";

let answer: { status: number; headers?: Record<string, string>; body: string };
let asked: { path: string; headers: IncomingMessage["headers"]; body: unknown };
const server = createServer((request, response) => {
	let body = "";
	request.on("data", (part) => {
		body += part;
	});
	request.on("end", () => {
		asked = {
			path: request.url ?? "",
			headers: request.headers,
			body: JSON.parse(body),
		};
		response.writeHead(answer.status, answer.headers).end(answer.body);
	});
});
let url: string;
beforeEach(async () => {
	await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
	url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((done) => server.close(done)));

const attempt = (protocol: string, model = "vendor/model") =>
	tryConnection({ url }, { protocol, key: "dos_sk_x", model });

describe("the smallest call of a protocol", () => {
	it.each(
		spoken
			.map(({ wire }) => wire)
			.filter(({ id }) => harnesses.some(({ protocol }) => protocol === id)),
	)("$id is one it serves", async (wire) => {
		answer = {
			status: 200,
			headers: { "x-dos-substrate": "vendor/model" },
			body: 'data: {"delta":"Hi"}\n\ndata: [DONE]\n\n',
		};
		expect(await attempt(wire.id)).toMatchObject({
			works: true,
			substrate: "vendor/model",
		});
		const [path = "", query] = asked.path.split("?");
		const served = wire.operations.find(
			(one) =>
				one.path === path ||
				one.path?.replace("{model}", "vendor/model") === path,
		);
		expect(served).toBeDefined();
		const key = wire.clientKey((name) => {
			const value = asked.headers[name];
			return Array.isArray(value) ? value[0] : value;
		}, query);
		expect(key).toBe("dos_sk_x");
	});
});

it.each([
	["OpenAI's", '{"error":{"message":"No.","type":"x","code":"model/unknown"}}'],
	[
		"Anthropic's",
		'{"type":"error","error":{"type":"not_found_error","message":"No.","code":"model/unknown"}}',
	],
	[
		"Google's",
		'{"error":{"code":404,"message":"No.","status":"NOT_FOUND","details":[{"metadata":{"code":"model/unknown"}}]}}',
	],
	[
		"an event in a stream",
		'data: {"delta":"Hi"}\n\nevent: error\ndata: {"type":"error","error":{"message":"No.","code":"model/unknown"}}\n\n',
	],
	[
		"a response that failed",
		'data: {"type":"response.failed","response":{"error":{"code":"model/unknown","message":"No."}}}\n\n',
	],
])("an error in %s shape is told with its code", async (_, body) => {
	answer = { status: body.startsWith("{") ? 404 : 200, body };
	expect(await attempt("openai-chat")).toEqual({
		works: false,
		code: "model/unknown",
		message: "No.",
	});
});

it("a response that says there is no error works", async () => {
	answer = {
		status: 200,
		headers: { "x-dos-substrate": "vendor/model" },
		body: 'data: {"type":"response.completed","response":{"error":null}}\n\n',
	};
	expect(await attempt("openai-responses")).toMatchObject({ works: true });
});

it("what is no gateway, and what is not there, is told", async () => {
	answer = { status: 404, body: "<html>" };
	expect(await attempt("openai-chat")).toMatchObject({
		works: false,
		code: "server/not-understood",
		message: expect.stringContaining("404"),
	});
	answer = { status: 200, body: "<html>welcome</html>" };
	expect(await attempt("openai-chat")).toMatchObject({ works: false });
	expect(
		await tryConnection(
			{ url: "http://127.0.0.1:9" },
			{ protocol: "openai-chat", key: "k", model: "m" },
		),
	).toMatchObject({ works: false, code: "server/unreachable" });
});
