import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Setting, TextFormat } from "../../ports/harness-config.ts";
import { applySettings, readSetting, undoSettings } from "./index.ts";

function apply(format: TextFormat, text: string, settings: readonly Setting[]) {
	const applied = applySettings(format, text, settings);
	if (!applied.ok) throw new Error(applied.error.message);
	return applied.value;
}

function undo(
	format: TextFormat,
	text: string,
	changes: Parameters<typeof undoSettings>[2],
) {
	const undone = undoSettings(format, text, changes);
	if (!undone.ok) throw new Error(undone.error.message);
	return undone.value;
}

const at = (path: string, value: string): Setting => ({
	path: path.split("."),
	value,
});

describe("json", () => {
	it.each([
		["nothing", "", '{\n  "env": {\n    "URL": "u",\n    "KEY": "k"\n  }\n}\n'],
		["{}", "{}", '{\n  "env": {\n    "URL": "u",\n    "KEY": "k"\n  }\n}'],
		["one line", '{"a":1}', '{"a":1,"env":{"URL":"u","KEY":"k"}}'],
		[
			"one line with spaces",
			'{ "a": 1 }\n',
			'{ "a": 1, "env": {"URL": "u", "KEY": "k"} }\n',
		],
		[
			"tabs, and a remark behind the last member",
			'{\n\t"a": 1 // one\n}\n',
			'{\n\t"a": 1, // one\n\t"env": {\n\t\t"URL": "u",\n\t\t"KEY": "k"\n\t}\n}\n',
		],
		[
			"a trailing comma",
			'{\n    "env": {\n        "X": "y",\n    },\n}\n',
			'{\n    "env": {\n        "X": "y",\n        "URL": "u",\n        "KEY": "k",\n    },\n}\n',
		],
		[
			"CRLF",
			'{\r\n  "env": {}\r\n}\r\n',
			'{\r\n  "env": {\r\n    "URL": "u",\r\n    "KEY": "k"\r\n  }\r\n}\r\n',
		],
		[
			"remarks in an empty object",
			'{\n  // "env" goes here\n}\n',
			'{\n  // "env" goes here\n  "env": {\n    "URL": "u",\n    "KEY": "k"\n  }\n}\n',
		],
		[
			"the last of two with one name",
			'{"env":{"URL":"1"},"env":{"KEY":"2"}}',
			'{"env":{"URL":"1"},"env":{"KEY":"k","URL":"u"}}',
		],
		[
			"values that are there",
			'{"env": {"KEY": "old", "URL" : "older"}}',
			'{"env": {"KEY": "k", "URL" : "u"}}',
		],
	])("is edited as a person would: %s", (_, before, after) => {
		const edited = apply("json", before, [
			at("env.URL", "u"),
			at("env.KEY", "k"),
		]);
		expect(edited.text).toBe(after);
	});

	it.each([
		['{"env": "text"}', "env is no object"],
		['{"env": null}', "env is no object"],
		["[]", "the whole is no object"],
		['{"a": 1', 'line 1: a "," or "}" is missing'],
		['{\n"a": tru\n}', "line 2: no value stands where one should"],
		["{} {}", "more follows"],
	])("refuses to guess: %s", (text, message) => {
		const refused = applySettings("json", text, [at("env.URL", "u")]);
		expect(refused).toMatchObject({
			ok: false,
			error: {
				code: "connection/file-unclear",
				message: expect.stringContaining(message),
			},
		});
	});

	it("leaves a value that is there, where it should", () => {
		const schema = { path: ["$schema"], value: "new", ifAbsent: true };
		expect(apply("json", '{"$schema":"old"}', [schema])).toEqual({
			text: '{"$schema":"old"}',
			changes: [],
		});
		expect(apply("json", '{"a":1}', [schema]).text).toBe(
			'{"a":1,"$schema":"new"}',
		);
	});
});

describe("toml", () => {
	const settings = [
		at("model_provider", "ours"),
		at("model_providers.ours.name", "Ours"),
		at("model_providers.ours.base_url", "u"),
	];
	const table = '[model_providers.ours]\nname = "Ours"\nbase_url = "u"\n';
	it.each([
		["nothing", "", `model_provider = "ours"\n\n${table}`],
		[
			"root values, then tables",
			'# mine\nmodel = "m" # why\n\n[tools]\nweb = true',
			`# mine\nmodel = "m" # why\nmodel_provider = "ours"\n\n[tools]\nweb = true\n\n${table}`,
		],
		[
			"tables only",
			"[tools]\nweb = true\n",
			`model_provider = "ours"\n\n[tools]\nweb = true\n\n${table}`,
		],
		[
			"values that are there, of every kind",
			`model_provider = 'old'\nlist = [\n  "]", # ]\n  { a = "}" },\n]\ntext = """\n[model_providers.ours]\nname = "no"\n"""\n[model_providers.ours]\nname = "Mine"\nretries = 3\n`,
			`model_provider = "ours"\nlist = [\n  "]", # ]\n  { a = "}" },\n]\ntext = """\n[model_providers.ours]\nname = "no"\n"""\n[model_providers.ours]\nname = "Ours"\nretries = 3\nbase_url = "u"\n`,
		],
		[
			"dotted keys",
			'[model_providers]\nours.name = "Mine"\n',
			'model_provider = "ours"\n\n[model_providers]\nours.name = "Ours"\nours.base_url = "u"\n',
		],
	])("is edited as a person would: %s", (_, before, after) => {
		expect(apply("toml", before, settings).text).toBe(after);
		const windows = apply("toml", before.replaceAll("\n", "\r\n"), settings);
		if (before.includes("\n"))
			expect(windows.text).toBe(after.replaceAll("\n", "\r\n"));
	});

	it.each([
		['model_providers = { other = { name = "x" } }\n', "model_providers is"],
		["[[model_providers]]\nname = 1\n", "model_providers is"],
		['[model_providers]\nours = { name = "x" }\n', "model_providers.ours is"],
		["[model_provider]\nname = 1\n", "model_provider is"],
		["a = \n", "line 1: no value"],
		["a = 1 2\n", "line 1: more follows"],
		['a = "x\n', "line 1: no value"],
		["[a\n", 'line 1: "]" is missing'],
	])("refuses to guess: %j", (text, message) => {
		expect(applySettings("toml", text, settings)).toMatchObject({
			ok: false,
			error: { message: expect.stringContaining(message) },
		});
	});
});

describe("dotenv", () => {
	it.each([
		["nothing", "", "URL=u\nKEY=k\n"],
		["no line end", "A=1", "A=1\nURL=u\nKEY=k\n"],
		["CRLF", "A=1\r\n", "A=1\r\nURL=u\r\nKEY=k\r\n"],
		[
			"values that are there",
			"# KEY=no\nexport KEY = 'old' # mine\nTEXT=\"\nKEY=no\n\"\nURL=older # why\n",
			'# KEY=no\nexport KEY = k # mine\nTEXT="\nKEY=no\n"\nURL=u # why\n',
		],
		["the last of two", "KEY=1\nKEY=2\n", "KEY=1\nKEY=k\nURL=u\n"],
		["an empty value", "KEY=\nB=2\n", "KEY=k\nB=2\nURL=u\n"],
	])("is edited as a person would: %s", (_, before, after) => {
		const edited = apply("dotenv", before, [at("URL", "u"), at("KEY", "k")]);
		expect(edited.text).toBe(after);
	});
});

describe("undoing", () => {
	it("keeps what somebody changed since, and names it", () => {
		const edited = apply("json", '{\n  "a": 1\n}\n', [
			at("env.URL", "u"),
			at("env.KEY", "k"),
		]);
		const since = edited.text
			.replace('"u"', '"theirs"')
			.replace('"a": 1', '"a": 2, "b": 3');
		const undone = undo("json", since, edited.changes);
		expect(JSON.parse(undone.text)).toEqual({
			a: 2,
			b: 3,
			env: { URL: "theirs" },
		});
		expect(undone.kept).toEqual([["env", "URL"]]);
	});

	it("leaves a table that somebody wrote into", () => {
		const edited = apply("toml", "a = 1\n", [at("p.ours.name", "x")]);
		const undone = undo("toml", `${edited.text}more = 2\n`, edited.changes);
		expect(undone.text).toBe("a = 1\n\n[p.ours]\nmore = 2\n");
		expect(undo("toml", edited.text, edited.changes).text).toBe("a = 1\n");
	});

	it("refuses a file that cannot be read any more", () => {
		const edited = apply("json", "{}", [at("a", "b")]);
		expect(undoSettings("json", "{", edited.changes).ok).toBe(false);
	});
});

/** White space and remarks as they may stand between two tokens. */
const gap = (lineEnd: string): fc.Arbitrary<string> =>
	fc
		.array(
			fc.constantFrom(
				" ",
				"\t",
				lineEnd,
				`// "x": {,} ]${lineEnd}`,
				'/* "y" } */',
				`/*${lineEnd}*/`,
			),
			{ maxLength: 3 },
		)
		.map((parts) => parts.join(""));

interface Document {
	readonly text: string;
	readonly value: unknown;
}

const name = fc.constantFrom("env", "URL", "KEY", "model", "a b", 'q"', "π");
const scalar: fc.Arbitrary<unknown> = fc.oneof(
	fc.string(),
	fc.integer(),
	fc.boolean(),
	fc.constant(null),
);

/** An object's text, written freely, beside what it stands for. */
function jsonObject(
	depth: number,
	lineEnd: string,
	remarks: boolean,
): fc.Arbitrary<Document> {
	const space = remarks
		? gap(lineEnd)
		: fc.constantFrom("", " ", lineEnd, `${lineEnd}  `);
	const value: fc.Arbitrary<Document> = fc.oneof(
		{
			weight: 3,
			arbitrary: scalar.map((value) => ({
				text: JSON.stringify(value),
				value,
			})),
		},
		...(depth > 0
			? [
					{ weight: 2, arbitrary: jsonObject(depth - 1, lineEnd, remarks) },
					{
						weight: 1,
						arbitrary: fc.tuple(fc.array(scalar), space).map(([value, s]) => ({
							text: `[${s}${value.map((one) => JSON.stringify(one)).join(`,${s}`)}${s}]`,
							value,
						})),
					},
				]
			: []),
	);
	return fc
		.record({
			members: fc.uniqueArray(
				fc.tuple(name, value, space, space, space, space),
				{
					selector: ([key]) => key,
					maxLength: 4,
				},
			),
			inside: space,
			trailing: fc.boolean(),
		})
		.map(({ members, inside, trailing }) => ({
			text: `{${inside}${members
				.map(
					([key, { text }, a, b, c, d]) =>
						`${a}${JSON.stringify(key)}${b}:${c}${text}${d}`,
				)
				.join(
					",",
				)}${remarks && trailing && members.length > 0 ? `,${inside}` : ""}}`,
			value: Object.fromEntries(members.map(([key, one]) => [key, one.value])),
		}));
}

const document = fc
	.record({
		lineEnd: fc.constantFrom("\n", "\r\n"),
		remarks: fc.boolean(),
		mark: fc.constantFrom("", "\ufeff"),
	})
	.chain(({ lineEnd, remarks, mark }) =>
		fc
			.tuple(
				jsonObject(2, lineEnd, remarks),
				remarks ? gap(lineEnd) : fc.constant(""),
			)
			.map(([{ text, value }, around]) => ({
				text: `${mark}${around}${text}${around}`,
				value,
			})),
	);

/** What a text with remarks and trailing commas says, read by other means than the editor's. */
function parsed(text: string): unknown {
	const tokens = text.match(
		/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[^"/]+|./g,
	);
	return JSON.parse(
		(tokens ?? [])
			.filter((token) => !/^(?:\/\/|\/\*)/.test(token))
			.map((token) =>
				token.startsWith('"') ? token : token.replace(/[\s\ufeff]+/g, ""),
			)
			.join("")
			.replace(
				/("(?:[^"\\]|\\.)*")|,(?=[}\]])/g,
				(_, quoted?: string) => quoted ?? "",
			),
	);
}

/** The same settings made on the value. Undefined where something on the way is no object. */
function setOn(value: unknown, settings: readonly Setting[]): unknown {
	const root = structuredClone(value) as Record<string, unknown>;
	for (const { path, value: text } of settings) {
		let object = root;
		for (const part of path.slice(0, -1)) {
			if (!Object.hasOwn(object, part)) object[part] = {};
			const next = object[part];
			if (typeof next !== "object" || next === null || Array.isArray(next))
				return undefined;
			object = next as Record<string, unknown>;
		}
		object[path.at(-1) as string] = text;
	}
	return root;
}

const jsonSettings = fc.uniqueArray(
	fc.record({
		path: fc.constantFrom(
			["env", "URL"],
			["env", "KEY"],
			["model"],
			["a b", "env", "KEY"],
			["new", "deep", "er"],
		),
		value: fc.string(),
	}),
	{ selector: ({ path }) => path.join("."), minLength: 1 },
);

describe("any file", () => {
	it("json: says what it said and what was set; undone, it says what it said", () => {
		let edited = 0;
		fc.assert(
			fc.property(document, jsonSettings, ({ text, value }, settings) => {
				expect(parsed(text)).toEqual(value);
				const wanted = setOn(value, settings);
				const applied = applySettings("json", text, settings);
				expect(applied.ok).toBe(wanted !== undefined);
				if (!applied.ok) return;
				edited += 1;
				expect(parsed(applied.value.text)).toEqual(wanted);
				for (const { path, value: one } of settings)
					expect(readSetting("json", applied.value.text, path)).toBe(one);
				// Only a value that was replaced takes its remarks with it.
				if (applied.value.changes.every(({ before }) => !before?.includes("/")))
					expect(remarksOf(applied.value.text)).toEqual(remarksOf(text));
				const undone = undo("json", applied.value.text, applied.value.changes);
				expect(undone.kept).toEqual([]);
				expect(parsed(undone.text)).toEqual(value);
				expect(remarksOf(undone.text)).toEqual(remarksOf(text));
			}),
			{ numRuns: 500 },
		);
		expect(edited).toBeGreaterThan(100);
	});

	it("toml: every line stays, in order, and its own values are read back", () => {
		const value = fc.oneof(
			fc.constantFrom(
				'"text # no"',
				"'lit'",
				"42",
				"1979-05-27 07:32:00Z",
				'[ "a",\n  # ] remark\n  "b" ]',
				'{ x = 1, y = "}" }',
				'"""\n[p.ours]\nname = "q"\n"""',
				"'''\n# no'''",
			),
			fc.string({ unit: "grapheme-ascii" }).map((text) => JSON.stringify(text)),
		);
		const lines = fc.array(
			fc
				.tuple(
					fc.constantFrom("", "  "),
					value,
					fc.constantFrom("", " # remark", "\n", "\n# remark\n"),
				)
				.map(([indent, written, end]) => ({ indent, written, end })),
			{ maxLength: 4 },
		);
		const file = fc
			.record({
				root: lines,
				tables: fc.uniqueArray(
					fc.tuple(
						fc.constantFrom(
							"[p]",
							"[p.other]",
							"[t]",
							'["q.r"]',
							"[p.ours.sub]",
						),
						lines,
					),
					{ selector: ([header]) => header, maxLength: 4 },
				),
				ours: fc.boolean(),
				end: fc.boolean(),
				crlf: fc.boolean(),
			})
			.map(({ root, tables, ours, end, crlf }) => {
				let count = 0;
				const written = (
					list: typeof root extends readonly (infer T)[] ? readonly T[] : never,
				) =>
					list.map(
						(line) => `${line.indent}k${count++} = ${line.written}${line.end}`,
					);
				const all = [
					...written(root),
					...tables.flatMap(([header, list]) => [header, ...written(list)]),
					...(ours ? ["[p.ours]", 'name = "before"', "z = 1"] : []),
				].join("\n");
				const text = all + (end && all !== "" ? "\n" : "");
				return { text: crlf ? text.replaceAll("\n", "\r\n") : text, ours };
			});
		fc.assert(
			fc.property(
				file,
				fc.string({ unit: "grapheme-ascii" }),
				({ text, ours }, key) => {
					const settings = [
						at("provider", "ours"),
						at("p.ours.name", "Ours"),
						at("p.ours.key", key),
					];
					const { text: edited, changes } = apply("toml", text, settings);
					for (const { path, value: one } of settings)
						expect(readSetting("toml", edited, path)).toBe(one);
					const added = [
						'provider = "ours"',
						"[p.ours]",
						'name = "Ours"',
						`key = ${JSON.stringify(key)}`,
					];
					const rest = (all: string) =>
						all
							.split(/\r?\n/)
							.filter(
								(line) =>
									line.trim() !== "" &&
									!added.includes(line) &&
									line !== 'name = "before"',
							);
					expect(rest(edited)).toEqual(rest(text));
					const undone = undo("toml", edited, changes);
					expect(undone.kept).toEqual([]);
					expect(undone.text.trim().split(/\r?\n/).filter(Boolean)).toEqual(
						text.trim().split(/\r?\n/).filter(Boolean),
					);
					expect(readSetting("toml", undone.text, ["p", "ours", "name"])).toBe(
						ours ? "before" : undefined,
					);
				},
			),
			{ numRuns: 500 },
		);
	});

	it("dotenv: every other line stays, and undone all do", () => {
		const line = fc.constantFrom(
			"# remark",
			"",
			"A=1",
			"export B='x y' # why",
			'C="a\nKEY=no\nb"',
			"KEY=old",
			"  URL = 'older'",
			"no assignment",
			"D=`k`",
		);
		fc.assert(
			fc.property(
				fc.array(line),
				fc.boolean(),
				fc.stringMatching(/^[\w.:/-]{1,30}$/),
				(lines, crlf, key) => {
					const text = lines.join(crlf ? "\r\n" : "\n");
					const settings = [at("URL", "http://x"), at("KEY", key)];
					const { text: edited, changes } = apply("dotenv", text, settings);
					expect(readSetting("dotenv", edited, ["KEY"])).toBe(key);
					expect(readSetting("dotenv", edited, ["URL"])).toBe("http://x");
					const undone = undo("dotenv", edited, changes);
					expect(undone.kept).toEqual([]);
					expect(undone.text.replace(/\r?\n$/, "")).toBe(
						text.replace(/\r?\n$/, ""),
					);
				},
			),
			{ numRuns: 500 },
		);
	});
});

function remarksOf(text: string): readonly string[] {
	return [...text.matchAll(/"(?:[^"\\]|\\.)*"|\/\/[^\r\n]*|\/\*[\s\S]*?\*\//g)]
		.map(([token]) => token)
		.filter((token) => token.startsWith("/"));
}
