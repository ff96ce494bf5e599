import {
	chmodSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readRouting } from "../contexts/routing/index.ts";
import type { Fault } from "../kernel/outcome.ts";
import {
	assertSafeToListen,
	type ConfigProblem,
	configKeys,
	isLoopback,
	loadConfig,
	parseConfig,
	parseDuration,
	starterConfig,
} from "./config.ts";
import { findHome } from "./home.ts";

const from = {
	environment: { MY_KEY: " sk-from-environment\n" },
	file: "config.yaml",
	folder: "/home/of/dos",
};
const read = (text: string) => parseConfig(text, from);

function problemsOf(text: string): readonly ConfigProblem[] {
	try {
		read(text);
	} catch (fault) {
		expect((fault as Fault).code).toBe("config/invalid");
		return (fault as Fault).details?.problems as readonly ConfigProblem[];
	}
	throw new Error("The text was accepted.");
}

describe("shadows", () => {
	it.each([
		["5%", 0.05],
		["0.5%", 0.005],
		["100%", 1],
		[0.25, 0.25],
		[0, 0],
	])("have a share of %s", (share, read_) => {
		const { shadow } = read(
			`shadow: [{ to: a/b, share: ${share}, account: lab }]`,
		).config;
		expect(shadow).toEqual([{ to: "a/b", share: read_, account: "lab" }]);
	});

	it.each(["101%", "-1", "1.1", "five", "5", "'%'", ".nan"])(
		"have no share of %s",
		(share) => {
			expect(() =>
				read(`shadow: [{ to: a/b, share: ${share}, account: lab }]`),
			).toThrow(/shadow\.0\.share must be a part of the calls/);
		},
	);
});

describe("where other replicas reach this one", () => {
	it.each([
		["off", "off"],
		["10.0.0.7", { host: "10.0.0.7" }],
		["10.0.0.7:4142", { host: "10.0.0.7", port: 4142 }],
		["4142", { port: 4142 }],
		["replica-1", { host: "replica-1" }],
		[
			"pod-0.dos.svc.cluster.local:65535",
			expect.objectContaining({ port: 65_535 }),
		],
		["'fd00::7'", { host: "fd00::7" }],
		["'[fd00::7]'", { host: "fd00::7" }],
		["'[fd00::7]:1'", { host: "fd00::7", port: 1 }],
		// biome-ignore lint/suspicious/noTemplateCurlyInString: that is how it is written.
		["'${PEER}'", { host: "10.1.2.3", port: 4142 }],
	])("may be %s", (text, peer) => {
		const { config } = parseConfig(`replica: {peer: ${text}}`, {
			...from,
			environment: { PEER: " 10.1.2.3:4142\n" },
		});
		expect(config.replica.peer).toEqual(peer);
	});

	it.each([
		"''",
		"true",
		"0",
		"-1",
		"1.5",
		"65536",
		"'host:'",
		"'host:0'",
		"'host:65536'",
		"'host:http'",
		"'host:1:2'",
		"'a b'",
		"'http://host'",
		"'host/path'",
		"'[host]:1'",
		"'[10.0.0.7]:1'",
		"'[fd00::7'",
		"'fd00::7]:1'",
		"'fd00::zz'",
		"'[]:1'",
		"999.0.0.1",
		"10.0.0",
		"0.0.0.0",
		"'0.0.0.0:4142'",
		"'::'",
		"'[::]:4142'",
		"'[0:0::0]:4142'",
		`${"a".repeat(64)}:1`,
	])("is never %s", (text) => {
		expect(problemsOf(`account: main\nreplica: {peer: ${text}}`)).toEqual([
			{
				line: 2,
				column: 11,
				path: "replica.peer",
				message: expect.stringMatching(
					/^must be off, a port, or the one address of this machine/,
				),
			},
		]);
	});

	it.each(["UNSET", "SECRET"])(
		"is not taken from a variable %s that says nothing of it",
		(name) => {
			const wrong = () =>
				parseConfig(`replica: {peer: "\${${name}}"}`, {
					...from,
					environment: { SECRET: "a secret" },
				});
			expect(wrong).toThrow(`variable ${name}, which must be off, a port`);
			expect(wrong).not.toThrow("a secret");
		},
	);
});

describe("an empty configuration", () => {
	it("has every default", () => {
		expect(read("").config).toEqual({
			account: "main",
			listen: { host: "127.0.0.1", port: 4141, insecure: false, hosts: [] },
			replica: { readyWithin: 5_000, drainGrace: 5_000 },
			limits: {
				bodyBytes: 32 * 2 ** 20,
				headerBytes: 16 * 2 ** 10,
				connections: 1024,
				calls: 1024,
				callBytes: 512 * 2 ** 20,
				queue: 1024,
				queueWait: 10_000,
				headersTimeout: 10_000,
				requestTimeout: 300_000,
				keepAliveTimeout: 75_000,
			},
			timeouts: {
				connect: 10_000,
				firstByte: 300_000,
				idle: 120_000,
				total: 1_800_000,
			},
			holds: { wait: 5_000, outputCeiling: undefined },
			retries: { attempts: 2, fallbacks: 3 },
			cache: { price: 0 },
			shadow: [],
			vendors: {},
			models: {},
			prices: [],
			catalogue: { vendors: {}, substrates: {} },
		});
	});

	it.each([
		["a comment", "# nothing\n"],
		["the starter", starterConfig],
		["sections without content", "limits:\nvendors:\n"],
	])("is what %s is", (_, text) =>
		expect(read(text)).toEqual({
			...read(""),
			placeOf: expect.any(Function),
		}),
	);

	it("is still valid with every line of the starter in force", () => {
		const uncommented = starterConfig.replace(/^# ?(?=[a-z]+:| {2})/gm, "");
		const { config } = read(uncommented);
		expect(config.vendors.openai?.key).toBeUndefined();
		expect(config.vendors["my-server"]).toMatchObject({
			protocol: "openai-chat",
			base: "http://127.0.0.1:8000/v1",
			local: true,
		});
		expect(config.models).toEqual({ fast: "openai/gpt-4o-mini" });
		const { policy, table, problems } = readRouting(config.routing, String);
		expect(problems).toEqual([]);
		expect(policy.postures).toMatchObject([{ require: [{ trains: false }] }]);
		expect(table.aliases.house).toBeDefined();
		const { routing: _, ...rest } = config;
		expect({ ...rest, vendors: {}, models: {} }).toEqual(read("").config);
	});
});

describe("a setting", () => {
	it("is read with its unit", () => {
		const { config } = read(
			"limits: {bodyBytes: 1 MiB, headerBytes: 4096, requestsPerMinute: 60, calls: 8, queue: 0, queueWait: 2s}\ntimeouts: {connect: 500ms, idle: 1.5m}\nholds: {wait: 0s}",
		);
		expect(config.limits).toMatchObject({
			bodyBytes: 1_048_576,
			headerBytes: 4096,
			requestsPerMinute: 60,
			calls: 8,
			queue: 0,
			queueWait: 2_000,
		});
		expect(config.timeouts).toMatchObject({
			connect: 500,
			idle: 90_000,
			total: 1_800_000,
		});
		expect(config.holds.wait).toBe(0);
	});

	it("can set the limit of output of calls that name none", () => {
		expect(
			read("holds: {outputCeiling: 4096}").config.holds.outputCeiling,
		).toBe(4096);
		expect(problemsOf("holds: {outputCeiling: 0}")).toHaveLength(1);
	});

	it("that is a path is relative to the home", () => {
		expect(
			read("listen: {tls: {key: tls/key.pem, certificate: /etc/cert.pem}}")
				.config.listen.tls,
		).toEqual({
			key: "/home/of/dos/tls/key.pem",
			certificate: "/etc/cert.pem",
		});
	});

	it.each([
		["an unknown section", "lisen: {}", 1, 1, "lisen", /did you mean "listen"/],
		[
			"an unknown key",
			"listen:\n  prot: 1",
			2,
			3,
			"listen.prot",
			/did you mean "port"/,
		],
		[
			"an unknown key of a vendor",
			"vendors:\n  x:\n    kye: a",
			3,
			5,
			"vendors.x.kye",
			/did you mean "key"/,
		],
		[
			"a word nobody could mean",
			"zzzzzzzz: 1",
			1,
			1,
			"zzzzzzzz",
			/is no setting$/,
		],
		[
			"a port out of range",
			"listen:\n  port: 65536",
			2,
			3,
			"listen.port",
			/at most 65535/,
		],
		[
			"a port that is no number",
			'listen: {port: "4141"}',
			1,
			10,
			"listen.port",
			/a number/,
		],
		[
			"a duration without unit",
			"timeouts: {connect: 10}",
			1,
			12,
			"timeouts.connect",
			/with its unit/,
		],
		[
			"a duration of nothing",
			"timeouts: {connect: 0s}",
			1,
			12,
			"timeouts.connect",
			/between/,
		],
		[
			"a timer longer than timers can be",
			"timeouts: {total: 30d}",
			1,
			12,
			"timeouts.total",
			/24d/,
		],
		[
			"half of TLS",
			"listen: {tls: {key: a}}",
			1,
			10,
			"listen.tls.certificate",
			/is missing/,
		],
		["a section that is a list", "listen: [1]", 1, 1, "listen", /settings/],
		["a file that is a list", "- a", undefined, undefined, "", /settings/],
		[
			"an alias without vendor",
			"models: {fast: gpt}",
			1,
			10,
			"models.fast",
			/vendor\/model/,
		],
		[
			"a vendor with a strange id",
			"vendors: {A B: {}}",
			1,
			11,
			"vendors.A B",
			/no vendor id/,
		],
		[
			"a protocol without address",
			"vendors: {x: {protocol: openai-chat}}",
			1,
			15,
			"vendors.x.protocol",
			/needs a base/,
		],
		["a key twice", "account: a\naccount: b", 2, 1, "", /second time/],
		["a tab", "listen:\n\tport: 1", 2, 1, "", /tab/],
		["broken YAML", "listen: {port: 1", 1, 17, "", /./],
	])(
		"is refused with its place when it is %s",
		(_, text, line, column, path, message) => {
			const [problem] = problemsOf(text);
			expect(problem).toMatchObject({
				path,
				message: expect.stringMatching(message),
			});
			expect([problem?.line, problem?.column]).toEqual([line, column]);
		},
	);

	it("is refused together with all others that are wrong, from the top of the file down", () => {
		const problems = problemsOf(
			"models: {fast: gpt}\nfoo: 1\naccount: ''\nlisten: {port: -1}",
		);
		expect(problems.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
	});

	it.each([
		["a wrong type", "vendors: {x: {key: [sk-secret]}}"],
		["an unknown member", "vendors: {x: {key: {sk-secret: 1}}}"],
		["broken YAML", "vendors: {x: {key: sk-secret: y\n  'sk-secret"],
		["a misplaced one", "vendors: sk-secret"],
		["an address", "vendors: {x: {base: [sk-secret]}}"],
	])("is never repeated in a fault: %s", (_, text) => {
		expect(JSON.stringify(problemsOf(text))).not.toContain("sk-secret");
	});

	it("that a few aliases blow up beyond any memory is a mistake like any other", () => {
		let text = "x0: &x0 [a, a]\n";
		for (let level = 1; level < 20; level++)
			text += `x${level}: &x${level} [*x${level - 1}, *x${level - 1}, *x${level - 1}]\n`;
		expect(problemsOf(`${text}prices: *x19\n`)).toMatchObject([
			{ message: expect.stringContaining("write values out") },
		]);
	});

	it("whose name is no name is refused without repeating what it holds", () => {
		const warned = vi.spyOn(process, "emitWarning");
		const problems = problemsOf("? {account: my-secret}\n: x\n");
		expect(problems).toMatchObject([{ message: "is no setting" }]);
		expect(JSON.stringify(problems)).not.toContain("my-secret");
		expect(warned).not.toHaveBeenCalled();
	});

	it("cannot reach the prototype of anything", () => {
		expect(problemsOf("__proto__: {polluted: 1}")[0]?.path).toBe("__proto__");
		expect(({} as Record<string, unknown>).polluted).toBeUndefined();
	});
});

describe("a vendor's key", () => {
	it("comes from the variable the file refers to", () => {
		const { config, warnings, holdsSecret } = read(
			`vendors: {acme: {key: "\${MY_KEY}"}}`,
		);
		expect(config.vendors.acme?.key).toBe("sk-from-environment");
		expect({ warnings, holdsSecret }).toEqual({
			warnings: [],
			holdsSecret: false,
		});
	});

	it("is missing, with a warning, when that variable is", () => {
		const { config, warnings } = read(`vendors: {acme: {key: "\${NOT_SET}"}}`);
		expect(config.vendors.acme).not.toHaveProperty("key");
		expect(warnings).toEqual([expect.stringContaining("NOT_SET")]);
	});

	it("is taken as written, and known to be a secret", () => {
		const { config, holdsSecret } = read("vendors: {acme: {key: sk-$-file}}");
		expect(config.vendors.acme?.key).toBe("sk-$-file");
		expect(holdsSecret).toBe(true);
	});
});

describe("several keys of a vendor", () => {
	const first = `key: "\${MY_KEY}"`;

	it("are each read like one, named by their places unless the owner names them", () => {
		const { config, warnings, holdsSecret } = read(
			`vendors: {acme: {keys: [{${first}}, {${first}, name: team, weight: 3, requestsPerMinute: 60, tokensPerMinute: 9000}]}}`,
		);
		const key = "sk-from-environment";
		expect(config.vendors.acme?.keys).toEqual([
			{ key, name: "1", weight: 1 },
			{
				key,
				name: "team",
				weight: 3,
				requestsPerMinute: 60,
				tokensPerMinute: 9000,
			},
		]);
		expect({ warnings, holdsSecret }).toEqual({
			warnings: [],
			holdsSecret: false,
		});
		expect(read("vendors: {a: {keys: [{key: sk-1}]}}").holdsSecret).toBe(true);
	});

	it("are left out, with a warning, where their variable is not set; the others keep their names", () => {
		const { config, warnings } = read(
			`vendors: {acme: {keys: [{key: "\${NOT_SET}"}, {${first}}]}}`,
		);
		expect(config.vendors.acme?.keys).toMatchObject([{ name: "2" }]);
		expect(warnings).toEqual([
			"vendors.acme.keys (1) refers to the environment variable NOT_SET, which is not set.",
		]);
	});

	it.each([
		["none", "keys: []", /a key/],
		["beside a key", `key: a, keys: [{${first}}]`, /into the list/],
		["of one name", `keys: [{${first}, name: a}, {key: b, name: a}]`, /alike/],
		[
			"of a name and a place",
			`keys: [{${first}, name: "2"}, {key: b}]`,
			/alike/,
		],
		["of a name that is none", `keys: [{${first}, name: A b}]`, /characters/],
		["of a name that is the key", "keys: [{key: a, name: a}]", /are shown/],
		["of no weight", `keys: [{${first}, weight: 0}]`, /at least 1/],
		["without a key", "keys: [{name: a}]", /missing/],
		["with another setting", `keys: [{${first}, wight: 1}]`, /"weight"/],
	])("are refused: %s", (_, text, message) => {
		expect(problemsOf(`vendors: {acme: {${text}}}`)).toMatchObject([
			{ message: expect.stringMatching(message) },
		]);
	});
});

describe("listening", () => {
	it.each(["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])(
		"on %s is of this machine",
		(host) => {
			expect(isLoopback(host)).toBe(true);
		},
	);

	it.each([
		"0.0.0.0",
		"::",
		"192.168.1.4",
		"127.0.0.1.example",
		"localhost.example",
		"",
	])("on %s needs TLS or an explicit word", (host) => {
		const listen = { host, port: 1, insecure: false, hosts: [] };
		expect(() => assertSafeToListen(listen)).toThrow(
			expect.objectContaining({ code: "listen/insecure" }),
		);
		expect(() =>
			assertSafeToListen({ ...listen, insecure: true }),
		).not.toThrow();
		expect(() =>
			assertSafeToListen({ ...listen, tls: { key: "k", certificate: "c" } }),
		).not.toThrow();
	});
});

describe("the file", () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "dos-config-"));
	});
	afterEach(() => rmSync(folder, { recursive: true }));

	it("may be absent", () => {
		expect(loadConfig(findHome({}, folder), {})).toEqual({
			config: read("").config,
			exists: false,
			warnings: [],
			placeOf: expect.any(Function),
		});
	});

	it("is warned about when it holds a key that others may read", () => {
		const home = findHome({}, folder);
		writeFileSync(home.config, "vendors: {acme: {key: sk-secret}}", {
			mode: 0o644,
		});
		expect(loadConfig(home, {}).warnings).toEqual([
			expect.stringContaining(`chmod 600 ${home.config}`),
		]);
		chmodSync(home.config, 0o600);
		expect(loadConfig(home, {}).warnings).toEqual([]);
	});

	it("that cannot be read is a fault of its own", () => {
		expect(() =>
			loadConfig({ ...findHome({}, folder), config: folder }, {}),
		).toThrow(expect.objectContaining({ code: "config/unreadable" }));
	});
});

it.each([
	["500ms", 500],
	["10s", 10_000],
	["1.5m", 90_000],
	["2 h", 7_200_000],
	["30d", 2_592_000_000],
	["10", undefined],
	["-1s", undefined],
	["1e3s", undefined],
	["s", undefined],
	["36525d", 36_525 * 86_400_000],
	["36526d", undefined],
	["999999999999d", undefined],
])("the duration %s is %s", (text, milliseconds) =>
	expect(parseDuration(text)).toBe(milliseconds),
);

it("knows all of its keys", () => {
	expect(configKeys()).toEqual(
		expect.arrayContaining([
			"account",
			"listen.tls.key",
			"vendors.<id>.quirks.reportsCost",
			"models.<alias>",
			"prices",
		]),
	);
	expect(new Set(configKeys()).size).toBe(configKeys().length);
});

it("explains every key in the guide, and no key that there is not", () => {
	const guide = readFileSync(
		new URL("../../docs/guides/configuration.md", import.meta.url),
		"utf8",
	);
	const explained = [...guide.matchAll(/^\| `([a-z][\w.<>]*)` \|/gm)]
		.map(([, key]) => key)
		.filter(
			(key) =>
				(key !== "config.yaml" && !/\.(db|key|json)$/.test(key ?? "")) ||
				configKeys().includes(key ?? ""),
		);
	expect(explained.sort()).toEqual([...configKeys()].sort());
});
