import { generateKeyPairSync, verify } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Fetch, Outside, Unauthorized } from "./authorization.ts";
import { openAuthorizer } from "./authorizer.ts";
import type { Credentials } from "./registry.ts";
import { findVendors, type VendorSettings } from "./registry.ts";

const key = "sk-very-secret-123";

function request(of: Partial<Unauthorized> = {}): Unauthorized {
	return {
		protocol: "openai-chat",
		method: "POST",
		url: "https://example.com/v1/chat/completions",
		headers: { "content-type": "application/json" },
		body: Buffer.from("{}"),
		...of,
	};
}

describe("a key", () => {
	function headers(id: string, protocol: string, settings: VendorSettings) {
		const found = findVendors({
			environment: {},
			configured: { [id]: settings },
		}).find(({ vendor }) => vendor.id === id);
		if (!found) throw new Error(`${id} is not listed`);
		const { keys } = openAuthorizer(found);
		expect(keys).toHaveLength(1);
		return keys[0].authorize(request({ protocol }));
	}

	it.each([
		["openai", "openai-responses", { authorization: `Bearer ${key}` }],
		["anthropic", "anthropic-messages", { "x-api-key": key }],
		["google", "google-generate", { "x-goog-api-key": key }],
		["azure", "openai-chat", { "api-key": key }],
		["azure", "anthropic-messages", { "x-api-key": key }],
		["bedrock", "bedrock-converse", { authorization: `Bearer ${key}` }],
		["vertex", "google-generate", { authorization: `Bearer ${key}` }],
	])("of %s goes in the header of %s", (id, protocol, expected) => {
		const parameters = {
			azure: { resource: "mine" },
			bedrock: { region: "eu-central-1" },
			vertex: { project: "mine", location: "eu" },
		}[id];
		expect(
			headers(id, protocol, { key, ...(parameters && { parameters }) }),
		).toEqual(expected);
	});

	it("is sent in no protocol that the vendor does not speak, and to none that wants none", () => {
		expect(headers("anthropic", "openai-chat", { key })).toEqual({});
		expect(headers("ollama", "openai-chat", {})).toEqual({});
	});

	it("of several each go by their own, under the owner's names", () => {
		const [openai] = findVendors({
			environment: {},
			configured: {
				openai: {
					keys: [
						{ key, name: "team", weight: 3, tokensPerMinute: 9 },
						{ key: "sk-second-456", name: "2", weight: 1 },
					],
				},
			},
		});
		if (!openai) throw new Error("openai is not listed");
		const { keys, secrets } = openAuthorizer(openai);
		expect(
			keys.map(({ authorize, ...rest }) => [rest, authorize(request())]),
		).toEqual([
			[
				{ id: "team", weight: 3, tokensPerMinute: 9 },
				{ authorization: `Bearer ${key}` },
			],
			[{ id: "2", weight: 1 }, { authorization: "Bearer sk-second-456" }],
		]);
		expect(secrets()).toEqual([key, "sk-second-456"]);
		expect(inspect(keys, { depth: 9 })).not.toMatch(/sk-/);
	});

	it("is a secret", () => {
		const [openai] = findVendors({ environment: { OPENAI_API_KEY: key } });
		if (!openai) throw new Error("openai is not listed");
		expect(openAuthorizer(openai).secrets()).toEqual([key]);
	});
});

function authorizer(credentials: Credentials, outside: Partial<Outside> = {}) {
	const [found] = findVendors({ environment: {} });
	if (!found) throw new Error("there are no vendors");
	const { keys, secrets } = openAuthorizer(
		{ ...found, keys: () => [], credentials: () => credentials },
		{
			now: () => 0,
			fetch: () => Promise.reject(new Error("no network")),
			readFile: () => Promise.reject(new Error("no files")),
			...outside,
		},
	);
	expect(keys).toHaveLength(1);
	return { authorize: keys[0].authorize, secrets };
}

/**
 * Cases of AWS's own test suite for Signature Version 4, published under
 * docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html.
 */
describe("a signature of AWS", () => {
	const credentials: Credentials = {
		of: "signing-keys",
		service: "service",
		region: "us-east-1",
		accessKeyId: "AKIDEXAMPLE",
		secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	};
	const sessionToken =
		"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
	const scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
	const now = () => Date.UTC(2015, 7, 30, 12, 36, 0);

	it.each([
		[
			"get-vanilla",
			"GET",
			"https://example.amazonaws.com/",
			{},
			"",
			"host;x-amz-date",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		],
		[
			"get-vanilla-query-order-key-case",
			"GET",
			"https://example.amazonaws.com/?Param2=value2&Param1=value1",
			{},
			"",
			"host;x-amz-date",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		],
		[
			"get-unreserved",
			"GET",
			"https://example.amazonaws.com/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
			{},
			"",
			"host;x-amz-date",
			"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
		],
		[
			"post-vanilla",
			"POST",
			"https://example.amazonaws.com/",
			{},
			"",
			"host;x-amz-date",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		],
		[
			"post-x-www-form-urlencoded",
			"POST",
			"https://example.amazonaws.com/",
			{ "content-type": "application/x-www-form-urlencoded" },
			"Param1=value1",
			"content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
		],
	])("%s", async (_, method, url, headers, body, names, signature) => {
		const { authorize } = authorizer(credentials, { now });
		expect(
			await authorize(
				request({ method, url, headers, body: Buffer.from(body) }),
			),
		).toEqual({
			"x-amz-date": "20150830T123600Z",
			authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names}, Signature=${signature}`,
		});
	});

	it("post-sts-header-before", async () => {
		const { authorize, secrets } = authorizer(
			{ ...credentials, sessionToken },
			{ now },
		);
		const sent = await authorize(
			request({
				url: "https://example.amazonaws.com/",
				headers: {},
				body: Buffer.alloc(0),
			}),
		);
		expect(sent).toMatchObject({
			"x-amz-security-token": sessionToken,
			authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead`,
		});
		expect(secrets()).toEqual([
			credentials.secretAccessKey,
			sessionToken,
			credentials.accessKeyId,
		]);
	});

	it("covers method, path, query, body and date, and nothing that may change on the way", async () => {
		const { authorize } = authorizer(credentials, { now });
		const base = request({
			url: "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude%3A0/converse",
		});
		const sign = async (change: Partial<Unauthorized>) =>
			(await authorize({ ...base, ...change })).authorization;
		const signature = await sign({});
		expect(
			await sign({
				headers: { ...base.headers, accept: "*/*", "user-agent": "x" },
			}),
		).toBe(signature);
		for (const change of [
			{ method: "PUT" },
			{ url: base.url.replace("%3A", ":") },
			{ url: `${base.url}?x=1` },
			{ body: Buffer.from("{ }") },
			{ headers: { "content-type": "text/plain" } },
		])
			expect(await sign(change)).not.toBe(signature);
		const later = authorizer(credentials, { now: () => now() + 1000 });
		expect((await later.authorize(base)).authorization).not.toBe(signature);
	});
});

describe("a login of Google", () => {
	const { privateKey, publicKey } = generateKeyPairSync("rsa", {
		modulusLength: 2048,
	});
	const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
	const serviceAccount = {
		type: "service_account",
		client_email: "bot@my-project.iam.gserviceaccount.com",
		private_key_id: "key-1",
		private_key: pem,
		token_uri: "https://oauth2.googleapis.com/token",
	};
	const user = {
		type: "authorized_user",
		client_id: "client.apps.googleusercontent.com",
		client_secret: "a-client-secret",
		refresh_token: "a-refresh-token",
	};
	const scope = "https://www.googleapis.com/auth/cloud-platform";

	interface Asked {
		readonly to: string;
		readonly form: URLSearchParams;
		readonly headers: IncomingMessage["headers"];
	}
	let server: Server;
	let fetchHere: Fetch;
	let asked: Asked[] = [];
	let answer: (number: number) => { status?: number; body: unknown } = () => ({
		body: {},
	});

	beforeAll(async () => {
		server = createServer((incoming, outgoing) => {
			const chunks: Buffer[] = [];
			incoming.on("data", (chunk) => chunks.push(chunk));
			incoming.on("end", () => {
				asked.push({
					to: String(incoming.headers["x-was"]),
					form: new URLSearchParams(Buffer.concat(chunks).toString()),
					headers: incoming.headers,
				});
				const { status = 200, body } = answer(asked.length);
				outgoing.writeHead(status, { "content-type": "application/json" });
				outgoing.end(typeof body === "string" ? body : JSON.stringify(body));
			});
		});
		await new Promise<void>((listening) =>
			server.listen(0, "127.0.0.1", listening),
		);
		const { port } = server.address() as AddressInfo;
		fetchHere = (url, init) =>
			fetch(`http://127.0.0.1:${port}/`, {
				...init,
				headers: { ...init.headers, "x-was": url },
			});
	});
	afterAll(() => {
		server.close();
	});

	function login(
		file: unknown,
		{
			now = () => 1_000_000,
			usual = false,
			...outside
		}: Partial<Outside> & {
			usual?: boolean;
		} = {},
	) {
		asked = [];
		answer = (number) => ({
			body: { access_token: `token-${number}`, expires_in: 3600 },
		});
		return authorizer(
			{
				of: "login",
				scope,
				...(usual
					? { usualFile: "/home/ada/adc.json" }
					: { file: "/etc/key.json" }),
				metadataHost: "metadata.google.internal",
			},
			{
				now,
				fetch: fetchHere,
				readFile: async () =>
					typeof file === "string" ? file : JSON.stringify(file),
				...outside,
			},
		);
	}
	const missing = async () => {
		throw Object.assign(new Error("gone"), { code: "ENOENT" });
	};

	it("of a service account signs what it asks, for one hour", async () => {
		const { authorize } = login(serviceAccount);
		expect(await authorize(request())).toEqual({
			authorization: "Bearer token-1",
		});
		const [{ to, form } = { to: "", form: new URLSearchParams() }] = asked;
		expect(to).toBe("https://oauth2.googleapis.com/token");
		expect(form.get("grant_type")).toBe(
			"urn:ietf:params:oauth:grant-type:jwt-bearer",
		);
		const [header = "", claim = "", signature = ""] = (
			form.get("assertion") ?? ""
		).split(".");
		const decoded = (part: string) =>
			JSON.parse(Buffer.from(part, "base64url").toString());
		expect(decoded(header)).toEqual({ alg: "RS256", typ: "JWT", kid: "key-1" });
		expect(decoded(claim)).toEqual({
			iss: serviceAccount.client_email,
			scope,
			aud: serviceAccount.token_uri,
			iat: 1000,
			exp: 4600,
		});
		expect(
			verify(
				"RSA-SHA256",
				Buffer.from(`${header}.${claim}`),
				publicKey,
				Buffer.from(signature, "base64url"),
			),
		).toBe(true);
	});

	it("of a user exchanges the refresh token, which stays a secret", async () => {
		const { authorize, secrets } = login(user, { usual: true });
		await authorize(request());
		expect(Object.fromEntries(asked[0]?.form ?? [])).toEqual({
			grant_type: "refresh_token",
			client_id: user.client_id,
			client_secret: user.client_secret,
			refresh_token: user.refresh_token,
		});
		expect(secrets()).toEqual([
			user.client_secret,
			user.refresh_token,
			"token-1",
		]);
	});

	it("without a file asks the metadata server", async () => {
		const { authorize } = login({}, { usual: true, readFile: missing });
		await authorize(request());
		expect(asked[0]?.to).toBe(
			`http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token?scopes=${encodeURIComponent(scope)}`,
		);
		expect(asked[0]?.headers["metadata-flavor"]).toBe("Google");
	});

	it("is asked for a token once by all who wait, and again shortly before it expires", async () => {
		let time = 0;
		const { authorize } = login(serviceAccount, { now: () => time });
		const all = await Promise.all(
			Array.from({ length: 20 }, () => authorize(request())),
		);
		expect(asked).toHaveLength(1);
		expect(new Set(all.map(({ authorization }) => authorization)).size).toBe(1);
		// From here on it is at hand: no promise.
		expect(authorize(request())).toEqual({ authorization: "Bearer token-1" });
		time = 3600_000 - 4 * 60_000;
		expect(await authorize(request())).toEqual({
			authorization: "Bearer token-2",
		});
		expect(asked).toHaveLength(2);
	});

	it("that gives none serves on with what still holds, and says what failed when nothing does", async () => {
		let time = 0;
		const { authorize } = login(serviceAccount, { now: () => time });
		await authorize(request());
		answer = () => ({
			status: 503,
			body: { error: "temporarily_unavailable" },
		});
		time = 3600_000 - 60_000;
		expect(await authorize(request())).toEqual({
			authorization: "Bearer token-1",
		});
		time = 3600_000;
		await expect(authorize(request())).rejects.toMatchObject({
			code: "vendor/no-token",
			retryable: true,
			message:
				"Google gave no access token: it answered 503 (temporarily_unavailable).",
		});
		answer = () => ({ body: { access_token: "back", expires_in: 3600 } });
		expect(await authorize(request())).toEqual({
			authorization: "Bearer back",
		});
	});

	it.each([
		[
			{ status: 400, body: { error: "invalid_grant" } },
			"it answered 400 (invalid_grant)",
		],
		[
			{ status: 400, body: { error: "a-refresh-token <b>" } },
			"it answered 400.",
		],
		[{ body: "no json" }, "its answer holds none"],
		[
			{ body: { access_token: "a\r\nb", expires_in: 9 } },
			"its answer holds none",
		],
		[{ body: { access_token: "token" } }, "does not say how long it holds"],
	])("that answers %j is no token", async (said, message) => {
		const { authorize } = login(user);
		answer = () => said;
		const fault = await Promise.resolve(authorize(request())).catch(
			(error) => error,
		);
		expect(fault).toMatchObject({
			code: "vendor/no-token",
			retryable: false,
			message: expect.stringContaining(message),
		});
		expect(inspect(fault)).not.toContain("a-refresh-token");
	});

	it("that cannot be reached may be tried again", async () => {
		const { authorize } = login(user, {
			fetch: () => Promise.reject(new Error("reset")),
		});
		await expect(authorize(request())).rejects.toMatchObject({
			code: "vendor/no-token",
			retryable: true,
		});
	});

	it.each([
		["no JSON {", "is no JSON object"],
		["null", "is no JSON object"],
		[
			{ type: "external_account" },
			'"external_account", which is not supported',
		],
		[{ type: "impersonated_service_account" }, "is not supported"],
		[{}, "is not supported"],
		[{ ...serviceAccount, private_key: "s3cret" }, "is no RSA key"],
		[{ ...serviceAccount, client_email: "" }, "has no client_email"],
		[{ ...serviceAccount, universe_domain: "evil.com" }, "another cloud"],
		[
			{ ...serviceAccount, token_uri: "https://evil.com/token" },
			"not of Google",
		],
		[
			{ ...serviceAccount, token_uri: "http://oauth2.googleapis.com/" },
			"not of Google",
		],
		[
			{ ...serviceAccount, token_uri: "https://x-googleapis.com/" },
			"not of Google",
		],
		[{ ...user, refresh_token: 1 }, "has no refresh_token"],
	])(
		"whose file is unusable is refused and not quoted: %j",
		async (file, message) => {
			const { authorize } = login(file);
			const fault = await Promise.resolve(authorize(request())).catch(
				(error) => error,
			);
			expect(fault).toMatchObject({
				code: "vendor/no-credentials",
				message: expect.stringContaining(message),
			});
			expect(asked).toHaveLength(0);
			expect(inspect(fault)).not.toMatch(/s3cret|BEGIN|a-client-secret/);
		},
	);

	it("whose named file is not there is refused: the next in order is not the one that was meant", async () => {
		const { authorize } = login({}, { readFile: missing });
		await expect(authorize(request())).rejects.toMatchObject({
			code: "vendor/no-credentials",
			message: "/etc/key.json cannot be read (ENOENT).",
		});
	});
});
