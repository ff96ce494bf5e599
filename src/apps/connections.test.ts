import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HarnessFile } from "../ports/harness-config.ts";
import { missingSettings, modelIn, openConnections } from "./connections.ts";
import { findHome } from "./home.ts";

const key = "dos_sk_secret";
let folder: string;
let file: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "dos-connections-"));
	file = join(folder, "tool", "settings.json");
	mkdirSync(dirname(file));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const home = () => findHome({}, join(folder, "home"));
const settings = [
	{ path: ["env", "URL"], value: "http://127.0.0.1:1" },
	{ path: ["env", "KEY"], value: key },
];
const json = (path = file): HarnessFile => ({ path, format: "json", settings });

function connect(files: readonly HarnessFile[] = [json()], secret = key) {
	const connections = openConnections(home());
	const previous = connections.find("tool", undefined);
	return connections.save(
		{
			tool: "tool",
			url: "http://127.0.0.1:1",
			asked: {},
			account: "main",
			key: { id: "k", secret },
			connected: 1,
		},
		connections.prepare(files, secret, previous),
		previous,
	);
}

function disconnect() {
	const connections = openConnections(home());
	const connection = connections.find("tool", undefined);
	if (!connection) throw new Error("Not connected.");
	const restored = connections.restore(connection);
	connections.forget(connection);
	return restored;
}

describe("a file that was there", () => {
	it("is again what it was, byte for byte, whatever its format and bytes", () => {
		const piece = fc.constantFrom(
			"\n",
			"\r\n",
			"\t",
			"  ",
			"# remark\n",
			"A=1\n",
			"KEY='old'\r\n",
			"export URL=x # y",
			"[t]\n",
			'a = "b"\n',
			"π",
		);
		const blank = fc.constantFrom("", "\n", "\r\n  ", "\ufeff");
		const any = fc.oneof(
			fc.tuple(
				fc.constant<"json">("json"),
				fc
					.tuple(
						blank,
						fc.dictionary(
							fc.constantFrom("a", "model", "π"),
							fc.oneof(fc.string(), fc.dictionary(fc.string(), fc.integer())),
						),
						fc.constantFrom(undefined, 2, "\t"),
						blank.filter((text) => text !== "\ufeff"),
					)
					.map(
						([before, value, indent, after]) =>
							before + JSON.stringify(value, undefined, indent) + after,
					),
			),
			fc.tuple(
				fc.constant<"dotenv">("dotenv"),
				fc.array(piece).map((pieces) => pieces.join("")),
			),
			fc.tuple(
				fc.constant<"toml">("toml"),
				fc
					.array(
						fc.constantFrom(
							"\n",
							"# remark\r\n",
							"[t]\n",
							"  [t.u] # x\n",
							"[[l]]\r\n",
						),
					)
					.map((pieces) => `\ufeffmodel = 'm'\n${pieces.join("")}`),
			),
		);
		fc.assert(
			fc.property(
				any,
				fc.constantFrom(0o600, 0o644, 0o664),
				fc.integer({ min: 1, max: 3 }),
				([format, text], mode, times) => {
					writeFileSync(file, text);
					chmodSync(file, mode);
					for (let time = 0; time < times; time++)
						connect([
							{
								path: file,
								format,
								settings:
									format === "dotenv"
										? [{ path: ["KEY"], value: `${key}${time}` }]
										: settings,
							},
						]);
					expect(readFileSync(file, "utf8")).toContain(key);
					expect(statSync(file).mode & 0o077).toBe(0);
					expect(disconnect()).toEqual([
						{ path: file, how: "restored", kept: [] },
					]);
					expect(readFileSync(file, "utf8")).toBe(text);
					expect(statSync(file).mode & 0o777).toBe(mode);
				},
			),
			{ numRuns: 30 },
		);
	});

	it("keeps what somebody wrote since, through a second connecting too", () => {
		writeFileSync(file, '{\n  "a": 1\n}\n');
		connect();
		const since = () =>
			writeFileSync(
				file,
				readFileSync(file, "utf8").replace('"a": 1', '"a": 1,\n  "b": 2'),
			);
		since();
		connect();
		expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
			a: 1,
			b: 2,
			env: { URL: "http://127.0.0.1:1", KEY: key },
		});
		expect(disconnect()).toMatchObject([{ how: "restored" }]);
		expect(readFileSync(file, "utf8")).toBe('{\n  "a": 1,\n  "b": 2\n}\n');

		writeFileSync(file, '{\n  "a": 1\n}\n');
		connect();
		since();
		writeFileSync(file, readFileSync(file, "utf8").replace(':1"', ':9"'));
		expect(disconnect()).toEqual([
			{ path: file, how: "edited", kept: ["env.URL"] },
		]);
		expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
			a: 1,
			b: 2,
			env: { URL: "http://127.0.0.1:9" },
		});
	});

	it("stays a link, and is never half written", () => {
		const target = join(folder, "dotfiles.json");
		writeFileSync(target, "{}");
		symlinkSync(target, file);
		connect();
		expect(readlinkSync(file)).toBe(target);
		expect(readFileSync(target, "utf8")).toContain(key);
		disconnect();
		expect(readFileSync(target, "utf8")).toBe("{}");
		expect(readdirSync(dirname(file))).toEqual(["settings.json"]);
	});

	it("is left alone when it cannot be read", () => {
		for (const bytes of [Buffer.from("{"), Buffer.from([0x7b, 0xff, 0x7d])]) {
			writeFileSync(file, bytes);
			expect(() => connect()).toThrow(/left as it is/);
			expect(readFileSync(file)).toEqual(bytes);
			expect(existsSync(join(folder, "home", "connections"))).toBe(false);
		}
		writeFileSync(file, "{}");
		connect();
		writeFileSync(file, "{ broken");
		expect(() => disconnect()).toThrow(/left as it is: line 1/);
		expect(openConnections(home()).list()).toHaveLength(1);
	});
});

describe("a file that was not there", () => {
	it("is made for its owner alone, and deleted again with its folders", () => {
		const deep = join(folder, "one", "two", ".env");
		connect([json(deep)]);
		expect(statSync(deep).mode & 0o777).toBe(0o600);
		expect(statSync(join(folder, "one")).mode & 0o777).toBe(0o700);
		expect(disconnect()).toEqual([{ path: deep, how: "deleted", kept: [] }]);
		expect(existsSync(join(folder, "one"))).toBe(false);
	});

	it("stays with what somebody wrote into it", () => {
		connect();
		writeFileSync(
			file,
			readFileSync(file, "utf8").replace("{", '{\n  "theirs": 1,'),
		);
		expect(disconnect()).toEqual([{ path: file, how: "edited", kept: [] }]);
		expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ theirs: 1 });
	});

	it("goes when only ours was changed about", () => {
		connect();
		writeFileSync(file, `${readFileSync(file, "utf8")}\n\n`);
		expect(disconnect()).toMatchObject([{ how: "deleted" }]);
		connect();
		rmSync(file);
		expect(disconnect()).toMatchObject([{ how: "gone" }]);
	});
});

it("a connection to another file puts the first one back", () => {
	writeFileSync(file, "{}");
	connect();
	const other = join(folder, "tool", "settings.jsonc");
	writeFileSync(other, "{ }");
	connect([json(other)]);
	expect(readFileSync(file, "utf8")).toBe("{}");
	disconnect();
	expect(readFileSync(other, "utf8")).toBe("{ }");
});

it("ended before the files were written, it can be undone and done again", () => {
	writeFileSync(file, "{}");
	connect();
	writeFileSync(file, "{}"); // as if the last step never came
	connect();
	expect(readFileSync(file, "utf8")).toContain(key);
	writeFileSync(file, "{}");
	expect(disconnect()).toEqual([{ path: file, how: "restored", kept: [] }]);
});

it("says what is not there any more, and which model is set", () => {
	const connection = connect();
	expect(missingSettings(connection)).toEqual([]);
	writeFileSync(
		file,
		'{"env":{"URL":"http:\\/\\/127.0.0.1:1"},"model":"dos/fast"}',
	);
	expect(missingSettings(connection)).toEqual([{ file, path: "env.KEY" }]);
	const place = { file, format: "json", path: ["model"] } as const;
	expect(modelIn({ ...place, prefix: "dos/" })).toBe("fast");
	expect(modelIn({ ...place, prefix: "x/" })).toBeUndefined();
	expect(modelIn({ ...place, file: join(folder, "none") })).toBeUndefined();
});

it("a record that cannot be read is told, with where the copies are", () => {
	connect();
	writeFileSync(
		join(folder, "home", "connections", "tool", "connection.json"),
		"{}",
	);
	expect(() => openConnections(home()).list()).toThrow(/copies of the files/);
});
