import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { vendors } from "./all.ts";
import {
	customVendor,
	type FoundVendor,
	findVendors,
	type VendorSettings,
} from "./registry.ts";

const key = "sk-very-secret-123";
function found(
	id: string,
	environment: Readonly<Record<string, string>> = {},
	configured: Readonly<Record<string, VendorSettings>> = {},
): FoundVendor {
	const vendor = findVendors({ environment, configured }).find(
		(each) => each.vendor.id === id,
	);
	if (!vendor) throw new Error(`${id} is not listed`);
	return vendor;
}

describe("a vendor with a key", () => {
	it("is on once the environment has it, which goes before the settings", () => {
		const openai = found(
			"openai",
			{ OPENAI_API_KEY: ` ${key}\n` },
			{ openai: { key: "sk-other" } },
		);
		expect(openai).toMatchObject({
			on: true,
			keySource: "OPENAI_API_KEY in the environment",
		});
		expect(openai.keys()).toEqual([{ key, name: "1", weight: 1 }]);
		expect(openai).not.toHaveProperty("whyNot");
	});

	it("is on once the settings have it", () => {
		const openai = found("openai", { OPENAI_API_KEY: "" }, { openai: { key } });
		expect(openai).toMatchObject({
			on: true,
			keySource: "vendors.openai.key in config.yaml",
		});
		expect(openai.keys()).toEqual([{ key, name: "1", weight: 1 }]);
	});

	it("is off without, and says what to set", () => {
		expect(found("openai")).toMatchObject({
			on: false,
			whyNot: "set OPENAI_API_KEY or vendors.openai.key in config.yaml",
		});
		expect(found("openai").keys()).toEqual([]);
	});

	it("is off where the owner says so, key or not", () => {
		const openai = found(
			"openai",
			{ OPENAI_API_KEY: key },
			{ openai: { enabled: false } },
		);
		expect(openai).toMatchObject({
			on: false,
			whyNot: "vendors.openai.enabled is false in config.yaml",
		});
		expect(openai.keys()).toEqual([]);
	});

	it("takes the keys of a list, and then no other", () => {
		const keys = [
			{ key, name: "team", weight: 2, requestsPerMinute: 60 },
			{ key: "sk-second-456", name: "2", weight: 1 },
		];
		const openai = found(
			"openai",
			{ OPENAI_API_KEY: "sk-other" },
			{ openai: { keys } },
		);
		expect(openai).toMatchObject({
			on: true,
			keySource: "vendors.openai.keys in config.yaml (2)",
		});
		expect(openai.keys()).toEqual(keys);
		expect(inspect(openai, { depth: 9 }) + JSON.stringify(openai)).not.toMatch(
			/sk-/,
		);
	});

	it("is off where a key of a list is none, or none of them is set", () => {
		const listed = (...keys: string[]) =>
			found(
				"openai",
				{ OPENAI_API_KEY: key },
				{
					openai: {
						keys: keys.map((each, index) => ({
							key: each,
							name: `k${index}`,
							weight: 1,
						})),
					},
				},
			);
		expect(listed(key, "dos_sk_abc")).toMatchObject({
			on: false,
			whyNot:
				"vendors.openai.keys in config.yaml (k1) holds a key of DuranteOS, not one of OpenAI",
		});
		expect(listed()).toMatchObject({
			on: false,
			whyNot:
				"vendors.openai.keys in config.yaml refers to environment variables, and none is set",
		});
	});

	it("does not take a key of ours, nor what cannot be one", () => {
		expect(found("openai", { OPENAI_API_KEY: "dos_sk_abc" })).toMatchObject({
			on: false,
			whyNot:
				"OPENAI_API_KEY in the environment holds a key of DuranteOS, not one of OpenAI",
		});
		expect(
			found(
				"openai",
				{ OPENAI_API_KEY: "dos_sk_abc" },
				{ openai: { key } },
			).keys(),
		).toEqual([{ key, name: "1", weight: 1 }]);
		expect(
			found("openai", { OPENAI_API_KEY: "sk-1\r\nx-evil: 1" }),
		).toMatchObject({
			on: false,
			whyNot:
				"OPENAI_API_KEY in the environment holds characters that no key has",
		});
	});

	it("shows its key nowhere but when asked", () => {
		const all = findVendors({
			environment: { OPENAI_API_KEY: key, ANTHROPIC_API_KEY: `${key}\u0001` },
			configured: {
				groq: { key },
				mine: {
					protocol: "openai-chat",
					base: `https://${key}@example.com`,
					key,
				},
			},
		});
		expect(all.filter(({ on }) => on).length).toBe(3);
		expect(JSON.stringify(all)).not.toContain(key);
		expect(
			inspect(
				all.filter(({ vendor }) => vendor.id !== "mine"),
				{ depth: 9, showHidden: true },
			),
		).not.toContain(key);
		expect(all.find(({ vendor }) => vendor.id === "mine")).toMatchObject({
			on: false,
			vendor: { bases: {} },
		});
	});
});

describe("a vendor on the owner's machine", () => {
	it("is on once its address is set, without a key", () => {
		expect(found("ollama")).toMatchObject({
			on: false,
			whyNot:
				"set OLLAMA_HOST, or vendors.ollama in config.yaml (enabled: true)",
		});
		const vllm = found("vllm", { VLLM_BASE_URL: "http://127.0.0.1:9000/v1" });
		expect(vllm).toMatchObject({
			on: true,
			vendor: {
				auth: "none",
				bases: { "openai-chat": "http://127.0.0.1:9000/v1" },
			},
		});
		expect(found("lm-studio", {}, { "lm-studio": {} })).toMatchObject({
			on: true,
			vendor: { bases: { "openai-chat": "http://127.0.0.1:1234/v1" } },
		});
	});

	it("sends its key where there is one", () => {
		const vllm = found("vllm", {
			VLLM_BASE_URL: "http://127.0.0.1:8000",
			VLLM_API_KEY: key,
		});
		expect(vllm).toMatchObject({
			on: true,
			vendor: { auth: "bearer" },
			keySource: "VLLM_API_KEY in the environment",
		});
		expect(found("vllm", { VLLM_API_KEY: key }).on).toBe(false);
	});

	it.each([
		["127.0.0.1", "http://127.0.0.1:11434/v1"],
		["0.0.0.0:5000", "http://127.0.0.1:5000/v1"],
		["[::]:5000", "http://[::1]:5000/v1"],
		["localhost:11434", "http://localhost:11434/v1"],
		["http://shed.local:11434/", "http://shed.local:11434/v1"],
		["https://ollama.example.com", "https://ollama.example.com/v1"],
		["https://example.com/ollama/v1/", "https://example.com/ollama/v1"],
	])("is found at %s", (address, base) => {
		expect(found("ollama", { OLLAMA_HOST: address })).toMatchObject({
			on: true,
			vendor: { bases: { "openai-chat": base, "anthropic-messages": base } },
		});
	});

	it.each([
		"http://example.com:11434",
		"example.com",
		"http://",
		"ftp://127.0.0.1",
		"a b",
		"127.0.0.1?x=1",
	])("is not called at %s", (address) => {
		const ollama = found("ollama", { OLLAMA_HOST: address });
		expect(ollama).toMatchObject({
			on: false,
			vendor: { bases: {} },
			whyNot: expect.stringMatching(
				/^OLLAMA_HOST is not usable\. The base address /,
			),
		});
	});
});

describe("another address for a vendor", () => {
	it("without a path keeps each protocol's own", () => {
		const configured = { deepseek: { key, base: "https://proxy.example.com" } };
		expect(found("deepseek", {}, configured).vendor.bases).toEqual({
			"openai-chat": "https://proxy.example.com",
			"anthropic-messages": "https://proxy.example.com/anthropic/v1",
		});
	});

	it("with a path is the address of the protocols that share one", () => {
		const at = (id: string) =>
			found(id, {}, { [id]: { key, base: "https://proxy.example.com/x/v1" } })
				.vendor.bases;
		expect(at("moonshot")).toEqual({
			"openai-chat": "https://proxy.example.com/x/v1",
		});
		expect(at("openrouter")).toEqual({
			"openai-chat": "https://proxy.example.com/x/v1",
			"openai-responses": "https://proxy.example.com/x/v1",
			"anthropic-messages": "https://proxy.example.com/x/v1",
		});
	});

	it("over plain HTTP needs the owner's word", () => {
		const settings = { key, base: "http://proxy.example.com/v1" };
		expect(found("openai", {}, { openai: settings })).toMatchObject({
			on: false,
			whyNot: expect.stringMatching(
				/^vendors\.openai\.base in config\.yaml is not usable\. .*plain HTTP/,
			),
		});
		expect(
			found("openai", {}, { openai: { ...settings, insecure: true } }).on,
		).toBe(true);
	});
});

describe("a vendor whose address has parameters", () => {
	it("is called where the environment or, before it, the settings say", () => {
		const said = { AZURE_OPENAI_API_KEY: key, AZURE_OPENAI_RESOURCE: "mine" };
		expect(found("azure", said)).toMatchObject({
			on: true,
			vendor: {
				bases: {
					"openai-chat": "https://mine.openai.azure.com/openai/v1",
					"anthropic-messages":
						"https://mine.services.ai.azure.com/anthropic/v1",
				},
			},
		});
		const other = { azure: { parameters: { resource: "other" } } };
		expect(found("azure", said, other).vendor.bases["openai-responses"]).toBe(
			"https://other.openai.azure.com/openai/v1",
		);
	});

	it("is off without, and says what to set", () => {
		const wanted =
			"set AZURE_OPENAI_RESOURCE or AZURE_RESOURCE_NAME or vendors.azure.parameters.resource in config.yaml";
		const off = found("azure", { AZURE_OPENAI_API_KEY: key });
		expect(off).toMatchObject({ on: false, whyNot: wanted });
		expect(off.keys()).toEqual([]);
		expect(found("azure").whyNot).toBe(
			`set AZURE_OPENAI_API_KEY or vendors.azure.key in config.yaml; and ${wanted}`,
		);
	});

	it.each([
		"evil.com/",
		"a.b",
		"x@evil.com",
		"x:8080",
		"..",
		"a/b",
		"a%2eb",
		"UPPER",
		"-a",
		"a-",
		"{region}",
		"a b",
		"a".repeat(64),
		"\u00fc",
	])("takes no value that could lead elsewhere: %s", (value) => {
		const azure = found("azure", {
			AZURE_OPENAI_API_KEY: key,
			AZURE_OPENAI_RESOURCE: value,
		});
		expect(azure).toMatchObject({
			on: false,
			whyNot:
				"AZURE_OPENAI_RESOURCE in the environment must have 1 to 63 lower-case letters, digits and hyphens",
		});
		expect(JSON.stringify(azure.vendor.bases)).not.toContain(`${value}.`);
	});

	it("knows its parameters", () => {
		const settings = { key, parameters: { region: "eu" } };
		expect(found("azure", {}, { azure: settings }).whyNot).toBe(
			"vendors.azure.parameters.region in config.yaml is not one of its parameters (resource)",
		);
		expect(found("openai", {}, { openai: settings }).whyNot).toContain(
			"(it has none)",
		);
	});

	it("needs those of its host no more at an address of the owner's, those of its path and signature still", () => {
		const at = (id: string, settings: VendorSettings) =>
			found(id, {}, { [id]: { key, ...settings } });
		expect(
			at("azure", { base: "https://azure.example.com" }).vendor.bases,
		).toEqual({
			"openai-responses": "https://azure.example.com/openai/v1",
			"openai-chat": "https://azure.example.com/openai/v1",
			"anthropic-messages": "https://azure.example.com/anthropic/v1",
		});
		expect(
			at("cloudflare", { base: "https://cf.example.com" }).whyNot,
		).toContain("vendors.cloudflare.parameters.account");
		expect(at("bedrock", { base: "https://vpc.example.com" }).whyNot).toContain(
			"AWS_REGION",
		);
		const parameters = { region: "eu-central-1" };
		expect(
			at("bedrock", { base: "https://vpc.example.com", parameters }).vendor
				.bases,
		).toEqual({ "bedrock-converse": "https://vpc.example.com" });
	});

	it.each([
		["europe-west4", "europe-west4-aiplatform.googleapis.com"],
		["global", "aiplatform.googleapis.com"],
		["eu", "aiplatform.eu.rep.googleapis.com"],
		["us", "aiplatform.us.rep.googleapis.com"],
	])("a location is called at its own host: %s", (location, host) => {
		const parameters = { project: "my-project", location };
		expect(
			found("vertex", {}, { vertex: { parameters } }).vendor.bases,
		).toEqual({
			"google-generate": `https://${host}/v1/projects/my-project/locations/${location}/publishers/google`,
		});
	});
});

describe("a vendor that takes the machine's own credentials", () => {
	const keys = {
		AWS_REGION: "eu-central-1",
		AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
		AWS_SECRET_ACCESS_KEY: key,
		AWS_SESSION_TOKEN: "session-token",
	};

	it("is off until the owner names it: they are held for other things too", () => {
		expect(found("bedrock", keys)).toMatchObject({
			on: false,
			whyNot:
				"set AWS_BEARER_TOKEN_BEDROCK or vendors.bedrock.key in config.yaml, or vendors.bedrock.enabled: true in config.yaml to use this machine's own credentials",
		});
		expect(found("bedrock", keys).credentials()).toBeUndefined();
		const bedrock = found("bedrock", keys, { bedrock: {} });
		expect(bedrock).toMatchObject({
			on: true,
			keySource: "AWS_ACCESS_KEY_ID in the environment",
		});
		expect(bedrock.credentials()).toEqual({
			of: "signing-keys",
			service: "bedrock",
			region: "eu-central-1",
			accessKeyId: "AKIDEXAMPLE",
			secretAccessKey: key,
			sessionToken: "session-token",
		});
		expect(inspect(bedrock, { depth: 9, showHidden: true })).not.toContain(key);
	});

	it("prefers a key of its own, which is the owner's word already", () => {
		const said = { ...keys, AWS_BEARER_TOKEN_BEDROCK: "bedrock-key" };
		for (const configured of [{}, { bedrock: {} }]) {
			const bedrock = found("bedrock", said, configured);
			expect(bedrock).toMatchObject({ on: true });
			expect(bedrock.keys()).toMatchObject([{ key: "bedrock-key" }]);
			expect(bedrock.credentials()).toBeUndefined();
		}
	});

	it("says what lacks where it is named and there are none", () => {
		expect(found("bedrock", {}, { bedrock: {} }).whyNot).toBe(
			"set AWS_BEARER_TOKEN_BEDROCK or vendors.bedrock.key in config.yaml, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; and set AWS_REGION or AWS_DEFAULT_REGION or vendors.bedrock.parameters.region in config.yaml",
		);
		expect(found("vertex").whyNot).toContain("vendors.vertex.key");
	});

	it("knows where a login of this machine is looked for", () => {
		const parameters = { project: "my-project", location: "eu" };
		const at = (environment: Readonly<Record<string, string>>) =>
			found("vertex", environment, { vertex: { parameters } }).credentials();
		const scope = "https://www.googleapis.com/auth/cloud-platform";
		const usualFile =
			"/home/ada/.config/gcloud/application_default_credentials.json";
		expect(at({ HOME: "/home/ada" })).toEqual({
			of: "login",
			scope,
			usualFile,
			metadataHost: "metadata.google.internal",
		});
		expect(
			at({
				HOME: "/home/ada",
				GOOGLE_APPLICATION_CREDENTIALS: "/etc/key.json",
			}),
		).toMatchObject({ file: "/etc/key.json" });
	});
});

describe("a vendor of the owner's own", () => {
	it("is a row like any other", () => {
		expect(
			customVendor("my-server", {
				protocol: "anthropic-messages",
				base: "https://example.com/v1",
			}),
		).toEqual({
			id: "my-server",
			name: "my-server",
			bases: { "anthropic-messages": "https://example.com/v1" },
			keyNames: ["MY_SERVER_API_KEY"],
			auth: "x-api-key",
			source: "config.yaml",
		});
		const settings = {
			protocol: "openai-chat",
			base: "https://example.com/v1/",
			quirks: { maxTokensOnly: true },
		};
		expect(found("my-server", {}, { "my-server": settings }).whyNot).toBe(
			"set MY_SERVER_API_KEY or vendors.my-server.key in config.yaml",
		);
		expect(
			found("my-server", { MY_SERVER_API_KEY: key }, { "my-server": settings }),
		).toMatchObject({
			on: true,
			vendor: {
				auth: "bearer",
				bases: { "openai-chat": "https://example.com/v1" },
				quirks: { maxTokensOnly: true },
			},
		});
	});

	it("needs no key when it takes none or runs here", () => {
		const base = { protocol: "openai-chat", base: "http://127.0.0.1:8080/v1" };
		expect(found("shed", {}, { shed: { ...base, local: true } })).toMatchObject(
			{ on: true, vendor: { local: true, auth: "none" } },
		);
		expect(
			found("shed", {}, { shed: { ...base, auth: "none" } }),
		).toMatchObject({ on: true, vendor: { keyNames: [] } });
	});

	it("takes the place of a row of the same name", () => {
		const listed = findVendors({
			environment: {},
			configured: {
				groq: { protocol: "openai-chat", base: "https://example.com", key },
			},
		});
		expect(listed.filter(({ vendor }) => vendor.id === "groq")).toMatchObject([
			{ on: true, vendor: { source: "config.yaml" } },
		]);
	});

	it("without a protocol is off, and says what lacks", () => {
		expect(found("opnai", {}, { opnai: { key } })).toMatchObject({
			on: false,
			whyNot:
				"no vendor of this name is known: give vendors.opnai in config.yaml a protocol and a base",
		});
	});
});

it("with nothing set, the loopback substrate alone is on", () => {
	const all = findVendors({ environment: {} });
	expect(all.map(({ vendor }) => vendor.id)).toEqual(
		vendors.map(({ id }) => id),
	);
	expect(all.filter(({ on }) => on).map(({ vendor }) => vendor.id)).toEqual([
		"loopback",
	]);
	expect(found("loopback", {}, { loopback: { enabled: false } }).on).toBe(
		false,
	);
});
