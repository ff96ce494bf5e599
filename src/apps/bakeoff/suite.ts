import * as v from "valibot";
import { isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import {
	type CaseFacts,
	type Check,
	mostCases,
	readSchema,
} from "../../contexts/learning/index.ts";
import { Fault } from "../../kernel/outcome.ts";
import { closest } from "../suggest.ts";

/** One question, and what is asked of its answer. */
export interface Case extends CaseFacts {
	/** The body of a call but for its model, in the shape of OpenAI Chat Completions. */
	readonly body: Readonly<Record<string, unknown>>;
	/** The question as a judge reads it. */
	readonly question: string;
	readonly checks: readonly Check[];
}

export interface Suite {
	readonly name: string;
	readonly cases: readonly Case[];
}

/** One thing wrong in a suite. 1-based. */
export interface SuiteProblem {
	readonly line: number;
	readonly column: number;
	/** `cases.3.checks.0.regex`. */
	readonly path: string;
	readonly message: string;
}

/**
 * Reads a suite, YAML or JSON. Throws `suite/invalid` with every problem, its line and its column.
 */
export function readSuite(source: string, file: string): Suite {
	const lines = new LineCounter();
	const document = parseDocument(source, {
		lineCounter: lines,
		prettyErrors: false,
		logLevel: "error",
	});
	const at = (offset: number) => {
		const { line, col } = lines.linePos(offset);
		return { line, column: col };
	};
	if (document.errors.length > 0)
		throw invalid(
			file,
			document.errors.map(({ pos, message }) => ({
				...at(pos[0]),
				path: "",
				message: `is no valid YAML: ${message}`,
			})),
		);
	const place = (path: Path) => at(offsetOf(document.contents, path));
	let written: unknown;
	try {
		written = document.toJS();
	} catch {
		throw invalid(file, [
			{
				line: 1,
				column: 1,
				path: "",
				message: "uses aliases so that it cannot be read",
			},
		]);
	}
	const parsed = v.safeParse(schema, written ?? {});
	if (!parsed.success)
		throw invalid(
			file,
			parsed.issues.map((issue) => {
				const path = (issue.path ?? []).map(
					({ key }) => key as string | number,
				);
				return {
					...place(path),
					path: path.join("."),
					message: describe(issue, path),
				};
			}),
		);
	const problems: SuiteProblem[] = [];
	const wrong = (path: Path, message: string) => {
		problems.push({ ...place(path), path: path.join("."), message });
	};
	const suite = readCases(parsed.output, wrong);
	if (problems.length > 0) throw invalid(file, problems);
	return suite;
}

type Path = readonly (string | number)[];
type Wrong = (path: Path, message: string) => void;

const text = v.pipe(
	v.string("must be text: put it in quotes"),
	v.nonEmpty("must not be empty"),
);
const texts = v.union(
	[
		v.pipe(
			text,
			v.transform((one) => [one]),
		),
		v.array(text),
	],
	"must be a text or a list of texts",
);
const share = v.pipe(
	v.number("must be a number from 0 to 1"),
	v.minValue(0, "must be a number from 0 to 1"),
	v.maxValue(1, "must be a number from 0 to 1"),
);
const section = <Entries extends v.ObjectEntries>(entries: Entries) =>
	v.strictObject(entries, "must hold settings, each with a name");

const checkSchemas = {
	equals: v.string("must be text: put it in quotes"),
	contains: texts,
	lacks: texts,
	regex: v.union(
		[
			v.pipe(
				text,
				v.transform((pattern) => ({ pattern, flags: "" })),
			),
			section({
				pattern: text,
				flags: v.pipe(
					v.string("must be text"),
					v.regex(/^(?!.*(.).*\1)[ims]*$/, "must be of the letters i, m and s"),
				),
			}),
		],
		"must be a pattern, or hold pattern and flags",
	),
	"json-schema": v.union(
		[v.boolean(), v.record(v.string(), v.unknown())],
		"must be a JSON schema",
	),
	"number-close": section({
		to: v.number("must be a number"),
		within: v.pipe(
			v.number("must be a number"),
			v.minValue(0, "must be at least 0"),
		),
	}),
	"tool-called": v.union(
		[
			v.pipe(
				text,
				v.transform((name) => ({ name })),
			),
			section({ name: text, arguments: v.exactOptional(v.unknown()) }),
		],
		"must be a tool's name, or hold name and arguments",
	),
	judge: v.union(
		[
			v.pipe(
				text,
				v.transform((rubric) => ({ rubric, atLeast: 0.7 })),
			),
			section({ rubric: text, atLeast: v.optional(share, 0.7) }),
		],
		"must be a rubric, or hold rubric and atLeast",
	),
} as const;
const kinds = Object.keys(checkSchemas);

const callType = v.pipe(
	v.string("must be text"),
	v.regex(
		/^[a-z][a-z0-9-]{0,39}$/,
		"must be a word of at most 40 characters: a-z, 0-9 and -",
	),
);
const difficulty = v.picklist(
	["easy", "medium", "hard"],
	"must be easy, medium or hard",
);
const shared = {
	callType: v.exactOptional(callType),
	difficulty: v.exactOptional(difficulty),
	system: v.exactOptional(text),
	maxTokens: v.exactOptional(
		v.pipe(
			v.number("must be a number"),
			v.integer("must be a whole number"),
			v.minValue(1, "must be at least 1"),
			v.maxValue(1_000_000, "must be at most 1,000,000"),
		),
	),
	temperature: v.exactOptional(
		v.pipe(
			v.number("must be a number"),
			v.minValue(0, "must be from 0 to 2"),
			v.maxValue(2, "must be from 0 to 2"),
		),
	),
};
const oneCase = section({
	...shared,
	id: v.pipe(
		v.string("must be text"),
		v.regex(
			/^[a-z0-9][a-z0-9._-]{0,63}$/i,
			"must be 1 to 64 letters, digits, dots, - and _",
		),
	),
	prompt: v.exactOptional(text),
	messages: v.exactOptional(
		v.pipe(
			v.array(
				v.looseObject({ role: text }, "must hold role and content"),
				"must be a list of messages",
			),
			v.minLength(1, "must hold a message"),
		),
	),
	tools: v.exactOptional(
		v.array(
			section({
				name: text,
				description: v.exactOptional(text),
				parameters: v.exactOptional(v.record(v.string(), v.unknown())),
			}),
			"must be a list of tools, each with name, description and parameters",
		),
	),
	schema: v.exactOptional(
		v.record(v.string(), v.unknown(), "must be a JSON schema"),
	),
	checks: v.pipe(
		v.array(
			v.pipe(
				v.record(v.string(), v.unknown(), "must name a check"),
				v.check(
					(one) => Object.keys(one).length === 1,
					"must name one check: give each its own -",
				),
			),
			"must be a list of checks",
		),
		v.minLength(
			1,
			"must hold a check: an answer that nothing is asked of proves nothing",
		),
		v.maxLength(50, "must hold at most 50 checks"),
	),
});
const schema = section({
	...shared,
	suite: v.pipe(
		v.string("must be the suite's name"),
		v.regex(
			/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u,
			"must be 1 to 64 letters, digits, spaces, dots, - and _",
		),
	),
	cases: v.pipe(
		v.array(oneCase, "must be a list of cases"),
		v.minLength(1, "must hold a case"),
		v.maxLength(mostCases, `must hold at most ${mostCases} cases`),
	),
});

type Written = v.InferOutput<typeof schema>;

/** Where nothing is said: enough for most answers, and a hold that a budget can bear. */
const usualTokens = 1_024;

function readCases(written: Written, wrong: Wrong): Suite {
	const seen = new Set<string>();
	const cases = written.cases.map((one, at): Case => {
		const path = ["cases", at];
		if (seen.has(one.id)) wrong([...path, "id"], `is the second "${one.id}"`);
		seen.add(one.id);
		if ((one.prompt === undefined) === (one.messages === undefined))
			wrong(path, "must hold a prompt, or messages, and not both");
		const callType = one.callType ?? written.callType;
		if (callType === undefined)
			wrong(path, "has no callType, and neither has the suite");
		const system = one.system ?? written.system;
		const temperature = one.temperature ?? written.temperature;
		const messages = [
			...(system === undefined ? [] : [{ role: "system", content: system }]),
			...(one.messages ?? [{ role: "user", content: one.prompt }]),
		];
		if (one.schema !== undefined)
			refuseStrange(one.schema, [...path, "schema"], wrong);
		return {
			id: one.id,
			callType: callType ?? "",
			difficulty: one.difficulty ?? written.difficulty ?? "medium",
			question: messages
				.map(({ role, ...rest }) => {
					const { content } = rest as { content?: unknown };
					return `${role}: ${typeof content === "string" ? content : JSON.stringify(rest)}`;
				})
				.join("\n"),
			body: {
				messages,
				max_completion_tokens:
					one.maxTokens ?? written.maxTokens ?? usualTokens,
				...(temperature !== undefined && { temperature }),
				...(one.tools && {
					tools: one.tools.map((tool) => ({
						type: "function",
						function: tool,
					})),
				}),
				...(one.schema && {
					response_format: {
						type: "json_schema",
						json_schema: { name: "answer", schema: one.schema },
					},
				}),
			},
			checks: one.checks.flatMap(
				(check, number) =>
					readCheck(check, [...path, "checks", number], wrong) ?? [],
			),
		};
	});
	return { name: written.suite, cases };
}

function readCheck(
	written: Readonly<Record<string, unknown>>,
	path: Path,
	wrong: Wrong,
): Check | undefined {
	const [kind, value] = Object.entries(written)[0] as [string, unknown];
	if (!isKind(kind)) {
		const meant = closest(kind, kinds);
		wrong(
			[...path, kind],
			meant
				? `is no check; did you mean "${meant}"?`
				: `is no check: there are ${kinds.join(", ")}`,
		);
		return undefined;
	}
	const parsed = v.safeParse(checkSchemas[kind], value);
	if (!parsed.success) {
		for (const issue of parsed.issues)
			wrong(
				[
					...path,
					kind,
					...(issue.path ?? []).map(({ key }) => key as string | number),
				],
				issue.message,
			);
		return undefined;
	}
	const check = asCheck(kind, parsed.output);
	if (check.kind === "regex") {
		try {
			new RegExp(check.pattern, check.flags);
		} catch {
			wrong([...path, kind], "is no regular expression");
		}
	}
	if (check.kind === "json-schema")
		refuseStrange(check.schema, [...path, kind], wrong);
	return check;
}

function isKind(kind: string): kind is keyof typeof checkSchemas {
	return Object.hasOwn(checkSchemas, kind);
}

function asCheck(kind: keyof typeof checkSchemas, value: unknown): Check {
	switch (kind) {
		case "equals":
			return { kind, text: value as string };
		case "contains":
		case "lacks":
			return { kind, texts: value as readonly string[] };
		case "json-schema":
			return { kind, schema: value };
		case "regex": {
			const { pattern, flags } = value as { pattern: string; flags: string };
			return { kind, pattern, flags: `${flags}u` };
		}
		default:
			return { kind, ...(value as object) } as Check;
	}
}

function refuseStrange(schema: unknown, path: Path, wrong: Wrong): void {
	const read = readSchema(schema);
	if (typeof read === "string")
		wrong(path, `is no schema to judge by: ${read}`);
}

function describe(issue: v.BaseIssue<unknown>, path: Path): string {
	if (issue.type !== "strict_object") return issue.message;
	if (issue.expected === "never") {
		const known = [
			...Object.keys(path.length === 1 ? schema.entries : oneCase.entries),
		];
		const meant = closest(String(path.at(-1)), known);
		return meant
			? `is not known here; did you mean "${meant}"?`
			: "is not known here";
	}
	return issue.input === undefined ? "is missing" : issue.message;
}

/** Where a path stands in the file, or the nearest thing above it that does. */
function offsetOf(node: unknown, path: Path): number {
	let offset = (node as Node | null)?.range?.[0] ?? 0;
	let current = node;
	for (const step of path) {
		if (isMap(current)) {
			const pair = current.items.find(
				({ key }) => String(key) === String(step),
			);
			if (!pair) break;
			offset = (pair.key as Node).range?.[0] ?? offset;
			current = pair.value;
		} else if (isSeq(current)) {
			const item = current.items[Number(step)] as Node | undefined;
			if (!item) break;
			offset = item.range?.[0] ?? offset;
			current = item;
		} else break;
	}
	return offset;
}

function invalid(file: string, problems: readonly SuiteProblem[]): Fault {
	const sorted = [...problems].sort(
		(one, other) => one.line - other.line || one.column - other.column,
	);
	const told = sorted.map(
		({ line, column, path, message }) =>
			`  ${line}:${column} ${path === "" ? "it" : path} ${message}`,
	);
	return new Fault(
		"suite/invalid",
		`${file} has ${problems.length === 1 ? "a mistake" : "mistakes"}:\n${told.join("\n")}`,
		{ details: { file, problems: sorted } },
	);
}
