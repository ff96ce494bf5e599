import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Checked, checkArchitecture, type Rule } from "./architecture.ts";

const root = join(import.meta.dirname, "..");

describe("the tree", () => {
	const files = new Map(
		readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
			.filter((path) => path.endsWith(".ts"))
			.map((path) => `src/${path.replaceAll("\\", "/")}`)
			.sort()
			.map((path) => [path, readFileSync(join(root, path), "utf8")]),
	);
	const { dependencies } = JSON.parse(
		readFileSync(join(root, "package.json"), "utf8"),
	) as { dependencies: Record<string, string> };
	const checked = checkArchitecture({
		files,
		packages: Object.keys(dependencies),
	});

	it("keeps its own rules", () => {
		expect(
			checked.violations.map(
				({ rule, file, line, message }) =>
					`${file}:${line} [${rule}] ${message}`,
			),
		).toEqual([]);
	});

	it("was read, all of it", () => {
		expect(checked.modules).toBe(files.size);
		expect(checked.modules).toBeGreaterThan(60);
		expect(checked.imports).toBeGreaterThan(2 * checked.modules);
		for (const layer of ["kernel", "ports", "contexts", "adapters", "apps"]) {
			const modules = [...files.keys()].filter((path) =>
				path.startsWith(`src/${layer}/`),
			);
			expect(modules.length, layer).toBeGreaterThan(2);
		}
		expect(checked.names.length).toBeGreaterThan(25);
		expect(checked.contracts.length).toBeGreaterThan(5);
	});
});

describe("each rule can fail", () => {
	it("accepts a tree that keeps them all", () => {
		const checked = check({});
		expect(checked.violations).toEqual([]);
		expect(checked.modules).toBe(Object.keys(sound).length);
		expect(checked.contracts).toEqual([
			"src/adapters/event-log/memory.ts: eventLogContract",
		]);
	});

	it("layers: the kernel knows nothing above it", () => {
		expectBreach("layers", "src/kernel/a.ts", 'import "../ports/clock.ts";');
	});

	it("layers: a port knows no context", () => {
		expectBreach(
			"layers",
			"src/ports/a.ts",
			'import type { Account } from "../contexts/credits/index.ts";',
		);
	});

	it("layers: a context imports no adapter", () => {
		expectBreach(
			"layers",
			"src/contexts/credits/a.ts",
			'import { memoryLog } from "../../adapters/event-log/memory.ts";',
		);
	});

	it("layers: only the test of a context may stand on an adapter", () => {
		const text =
			'import { memoryLog } from "../../adapters/event-log/memory.ts";';
		expect(rules({ "src/contexts/credits/a.test.ts": text })).toEqual([]);
	});

	it("layers: an adapter imports no context, and neither does its test", () => {
		const text = 'export * from "../../contexts/credits/index.ts";';
		expectBreach("layers", "src/adapters/event-log/a.ts", text);
		expectBreach("layers", "src/adapters/event-log/a.test.ts", text);
	});

	it("layers: nothing below imports an app", () => {
		const text = 'const compose = await import("../../apps/compose.ts");';
		expectBreach("layers", "src/contexts/credits/a.ts", text);
		expectBreach("layers", "src/adapters/event-log/a.ts", text);
	});

	it("layers: a file stands in one of them", () => {
		expectBreach("layers", "src/utils/a.ts", "");
		expectBreach("layers", "src/a.ts", "");
	});

	it("joined-by-compose: no other app joins contexts and adapters", () => {
		const joins =
			'import "../adapters/event-log/memory.ts";\nimport "../contexts/credits/index.ts";';
		expectBreach("joined-by-compose", "src/apps/other.ts", joins);
		expect(rules({ "src/apps/other.test.ts": joins })).toEqual([]);
	});

	it("index-only: a context is entered by its index.ts", () => {
		const text = 'import { credits } from "../credits/credits.ts";';
		expectBreach("index-only", "src/contexts/gateway/a.ts", text);
		expectBreach("index-only", "src/contexts/gateway/a.test.ts", text);
		expectBreach(
			"index-only",
			"src/apps/a.ts",
			'import { credits } from "../contexts/credits/credits.ts";',
		);
		const fixtures = {
			"src/contexts/credits/fixtures/a.ts": "export const one = 1;",
		};
		const fixture = 'import { one } from "../credits/fixtures/a.ts";';
		expect(
			rules({ ...fixtures, "src/contexts/gateway/a.ts": fixture }),
		).toContain("index-only");
		expect(
			rules({ ...fixtures, "src/contexts/gateway/a.test.ts": fixture }),
		).toEqual([]);
		expect(
			rules({
				"src/contexts/credits/a.ts": 'import { credits } from "./credits.ts";',
			}),
		).toEqual([]);
	});

	it.each([
		['import "./credits";'],
		['import "./credits.js";'],
		['import "./missing.ts";'],
		['import "#kernel/money.ts";'],
		['import "/kernel/money.ts";'],
		['import rows from "./rows.json" with { type: "json" };'],
	])("specifier: %s", (text) => {
		expectBreach("specifier", "src/contexts/credits/a.ts", text);
	});

	it("specifier: an adapter may have data beside it, and nowhere else", () => {
		const file = "src/adapters/catalogue/a.ts";
		expect(
			rules({
				[file]: 'import rows from "./rows.json" with { type: "json" };',
			}),
		).toEqual([]);
		expectBreach(
			"specifier",
			file,
			'import rows from "../rows.json" with { type: "json" };',
		);
	});

	it("cycle: two files, and three, types included", () => {
		expectBreach("cycle", "src/kernel/a.ts", 'import "./b.ts";', {
			"src/kernel/b.ts": 'import "./a.ts";',
		});
		expectBreach(
			"cycle",
			"src/kernel/a.ts",
			'import type { B } from "./b.ts";',
			{
				"src/kernel/b.ts": 'export { c } from "./c.ts";',
				"src/kernel/c.ts": 'export const a = () => import("./a.ts");',
			},
		);
	});

	it.each([
		["src/kernel/a.ts", 'import { createHash } from "node:crypto";'],
		["src/ports/a.ts", 'import type { Server } from "node:http";'],
		["src/contexts/credits/a.ts", 'import * as v from "valibot";'],
		["src/contexts/credits/a.ts", 'type Db = import("bun:sqlite").Database;'],
	])("core-imports-nothing: %s %s", (path, text) => {
		expectBreach("core-imports-nothing", path, text);
	});

	it("third-party: what is not a test imports only what is installed with it", () => {
		const text =
			'import fc from "fast-check";\nimport { stringify } from "yaml";';
		expectBreach("third-party", "src/adapters/event-log/a.ts", text);
		expectBreach(
			"third-party",
			"src/apps/a.ts",
			'import "@pydantic/genai-prices/more";',
		);
		expect(rules({ "src/adapters/event-log/a.test.ts": text })).toEqual([]);
	});

	it("test-code: only tests import it", () => {
		const text = 'import { eventLogContract } from "./event-log.contract.ts";';
		expectBreach("test-code", "src/ports/a.ts", text);
		expectBreach("test-code", "src/apps/a.ts", 'import "./a.test.ts";', {
			"src/apps/a.test.ts": "",
		});
		expectBreach("test-code", "src/apps/a.ts", 'import "./fixtures/b.ts";', {
			"src/apps/fixtures/b.ts": "",
		});
	});

	it.each([
		["Date.now()"],
		["new Date()"],
		["new Date"],
		["Date()"],
		["Math.random()"],
		["performance.now()"],
		["process.env.HOME"],
		["setTimeout(f, 1)"],
		["globalThis.fetch"],
		["a ? process : b"],
		[`\`\${Date.now()}\``],
		["a / Math.random() / b"],
	])("clock-and-chance: %s", (expression) => {
		const text = `export const a = () => ${expression};`;
		expectBreach("clock-and-chance", "src/kernel/a.ts", text);
		expectBreach("clock-and-chance", "src/contexts/credits/a.ts", text);
		expect(rules({ "src/adapters/event-log/a.ts": text })).toEqual([]);
	});

	it.each([
		["new Date(time)"],
		["state.process"],
		["({ process: 1, require(name) { return name; } })"],
		["'Date.now()'"],
		["/Math.random()'`/"],
		["1 // Date.now()"],
		[`\`Date.now() \${{ a: "}" }} Math.random()\``],
	])("clock-and-chance: %s is none", (expression) => {
		expect(
			rules({ "src/kernel/a.ts": `export const a = ${expression};` }),
		).toEqual([]);
	});

	it.each([
		["console.error(fault)"],
		["process.stdout.write(text)"],
		["process.stderr"],
		["process.exit(1)"],
		["process.exitCode = 1"],
	])("printing: %s outside apps", (expression) => {
		const text = `export const a = () => ${expression};`;
		expectBreach("printing", "src/adapters/event-log/a.ts", text);
		expectBreach("printing", "src/contexts/credits/a.ts", text);
		expect(rules({ "src/apps/a.ts": text })).toEqual([]);
	});

	it.each([
		["// As Acme does it."],
		['export const vendor = "acme-ai";'],
		["export const acmeQuirk = 1;"],
		['export const key = "ACME_API_KEY";'],
		["/** Claude Code sends this. */"],
		["// cline and others"],
		['export const vendor = "together";'],
	])("names-outside: %s", (text) => {
		expectBreach("names-outside", "src/kernel/a.ts", text);
		expectBreach("names-outside", "src/ports/a.ts", text);
		expectBreach("names-outside", "src/contexts/credits/a.ts", text);
		expect(rules({ "src/adapters/event-log/a.ts": text })).toEqual([]);
	});

	it.each([
		["// taken together, and with a cursor"],
		["export const decline = 1; // acmeism"],
	])("names-outside: %s names nobody", (text) => {
		expect(rules({ "src/kernel/a.ts": text })).toEqual([]);
	});

	it.each([
		[
			"no test",
			{
				"src/adapters/event-log/file.ts":
					"export async function fileLog(): Promise<EventLog> {}",
			},
		],
		[
			"a test that does not call it",
			{
				"src/adapters/event-log/memory.test.ts":
					'import { memoryLog } from "./memory.ts"; import { eventLogContract } from "../../ports/event-log.contract.ts"; // eventLogContract("memory", memoryLog)',
			},
		],
		[
			"a test of another adapter only",
			{
				"src/adapters/event-log/file.ts":
					"export const fileLog: (path: string) => EventLog = () => {};",
				"src/adapters/event-log/file.test.ts": 'import "./file.ts";',
			},
		],
		[
			"a log among other things",
			{
				"src/adapters/sqlite/open.ts":
					"export function open<T>(path: (a: T) => void): { readonly log: EventLog; close(): void } { return x; }",
			},
		],
	])("contract: %s", (_, files) => {
		expect(rules(files)).toEqual(["contract"]);
	});

	it("contract: a suite exports its function", () => {
		expect(
			rules({ "src/ports/clock.contract.ts": "export const nothing = 1;" }),
		).toEqual(["contract"]);
	});

	it("contract: who only uses a port needs no test of it", () => {
		expect(
			rules({
				"src/adapters/event-log/use.ts":
					"export function use(log: EventLog): Promise<number> { return 1; }",
			}),
		).toEqual([]);
	});

	it.each([
		["export const a = import(name);"],
		['export const a = "open'],
		["export const a = `open"],
		[`export const a = \`open \${1`],
	])("readable: %s", (text) => {
		expectBreach("readable", "src/apps/a.ts", text);
	});

	it("reads every form of import", () => {
		const text = [
			'import "./1.ts";',
			'import one from "./2.ts";',
			"import { type a, from }",
			'  from "./3.ts";',
			'import type * as b from "./4.ts";',
			'export * as c from "./5.ts";',
			'export type { d } from "./6.ts";',
			'type E = import("./7.ts").E;',
			"await import(`./8.ts`);",
			"const f = { import(path: string) { return path; } };",
			"f.import(text); // import './9.ts'",
			"export { f };",
			"const text = \"import './10.ts'\";",
		].join("\n");
		const parts = Object.fromEntries(
			[1, 2, 3, 4, 5, 6, 7, 8].map((name) => [`src/apps/${name}.ts`, ""]),
		);
		const checked = check({ ...parts, "src/apps/a.ts": text });
		expect(checked.violations).toEqual([]);
		expect(checked.imports).toBe(check({}).imports + 8);
	});
});

/** A small tree that keeps every rule. */
const sound: Readonly<Record<string, string>> = {
	"src/kernel/money.ts": "export const one = 1;",
	"src/ports/clock.ts": "export interface Clock { now(): number }",
	"src/ports/event-log.ts":
		'import type { one } from "../kernel/money.ts";\nexport interface EventLog {}',
	"src/ports/event-log.contract.ts":
		'import { it } from "vitest";\nexport function eventLogContract(name: string, make: () => EventLog): void {}',
	"src/contexts/credits/credits.ts":
		'import { one } from "../../kernel/money.ts";\nexport const credits = one;',
	"src/contexts/credits/index.ts": 'export { credits } from "./credits.ts";',
	"src/contexts/gateway/index.ts":
		'import { credits } from "../credits/index.ts";',
	"src/adapters/event-log/memory.ts":
		'import type { EventLog } from "../../ports/event-log.ts";\nexport function memoryLog(): EventLog { return {}; }',
	"src/adapters/event-log/memory.test.ts":
		'import { memoryLog } from "./memory.ts";\nimport { eventLogContract } from "../../ports/event-log.contract.ts";\neventLogContract("memory", memoryLog);',
	"src/adapters/vendors/rows.ts":
		'import { parse } from "yaml";\nexport const rows = [{ id: "acme-ai", name: "Acme" }, { id: "together", name: "Together" }];',
	"src/apps/compose.ts":
		'import { memoryLog } from "../adapters/event-log/memory.ts";\nimport { credits } from "../contexts/credits/index.ts";\nconsole.log(credits);',
};

function check(files: Readonly<Record<string, string>>): Checked {
	return checkArchitecture({
		files: new Map(Object.entries({ ...sound, ...files })),
		packages: ["yaml"],
	});
}

/** The rules that the sound tree breaks once these files stand in it. */
function rules(files: Readonly<Record<string, string>>): readonly Rule[] {
	return [...new Set(check(files).violations.map(({ rule }) => rule))];
}

function expectBreach(
	rule: Rule,
	path: string,
	text: string,
	others: Readonly<Record<string, string>> = {},
): void {
	const broken = check({ [path]: text, ...others }).violations;
	expect(broken.map((violation) => violation.rule)).toContain(rule);
	expect(broken.find((violation) => violation.rule === rule)?.file).toBe(path);
}
