import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../kernel/outcome.ts";
import { readSuite, type SuiteProblem } from "./suite.ts";

function problems(text: string): readonly SuiteProblem[] {
	try {
		readSuite(text, "suite.yaml");
	} catch (fault) {
		expect((fault as Fault).code).toBe("suite/invalid");
		return (fault as Fault).details?.problems as readonly SuiteProblem[];
	}
	return [];
}

it("reads what the suite and its cases say, and fills in the rest", () => {
	const { name, cases } = readSuite(
		`suite: support
callType: chat
system: Be brief.
temperature: 0.5
cases:
  - id: one
    prompt: Hello
    checks: [contains: hello]
  - id: two
    callType: extract
    difficulty: hard
    maxTokens: 50
    messages:
      - { role: user, content: What is it? }
      - { role: assistant, content: null, tool_calls: [] }
    tools: [{ name: find, description: finds, parameters: { type: object } }]
    schema: { type: object }
    checks:
      - tool-called: find
      - regex: { pattern: "^a", flags: i }
      - judge: Is it kind?
`,
		"suite.yaml",
	);
	expect(name).toBe("support");
	expect(cases).toMatchObject([
		{
			id: "one",
			callType: "chat",
			difficulty: "medium",
			question: "system: Be brief.\nuser: Hello",
			body: {
				messages: [
					{ role: "system", content: "Be brief." },
					{ role: "user", content: "Hello" },
				],
				max_completion_tokens: 1024,
				temperature: 0.5,
			},
			checks: [{ kind: "contains", texts: ["hello"] }],
		},
		{
			callType: "extract",
			difficulty: "hard",
			body: {
				max_completion_tokens: 50,
				tools: [{ type: "function", function: { name: "find" } }],
				response_format: { json_schema: { schema: { type: "object" } } },
			},
			checks: [
				{ kind: "tool-called", name: "find" },
				{ kind: "regex", pattern: "^a", flags: "iu" },
				{ kind: "judge", rubric: "Is it kind?", atLeast: 0.7 },
			],
		},
	]);
});

it("reads JSON as well", () => {
	const suite = {
		suite: "s",
		callType: "chat",
		cases: [{ id: "a", prompt: "p", checks: [{ equals: "" }] }],
	};
	expect(readSuite(JSON.stringify(suite), "s.json").cases).toHaveLength(1);
});

it("reads the example", () => {
	const file = fileURLToPath(
		new URL("../../../examples/bakeoff/loopback.yaml", import.meta.url),
	);
	expect(readSuite(readFileSync(file, "utf8"), file).cases).toHaveLength(18);
});

describe("a mistake is told with its place", () => {
	const one = (line: string) =>
		`suite: s\ncallType: chat\ncases:\n  - id: a\n    prompt: p\n    checks:\n      - ${line}\n`;
	it.each([
		["suite: [", { line: 1 }, /valid YAML/],
		["", { line: 1, path: "suite" }, /is missing/],
		[
			"suite: s\ncases: []\n",
			{ line: 2, column: 1, path: "cases" },
			/must hold a case/,
		],
		[
			one("contain: x"),
			{ line: 7, column: 9, path: "cases.0.checks.0.contain" },
			/did you mean "contains"/,
		],
		[one("regex: ("), { line: 7, column: 9 }, /no regular expression/],
		[
			one("regex: { pattern: a, flags: gg }"),
			{ line: 7, column: 30 },
			/letters i, m and s/,
		],
		[
			one("number-close: { to: x, within: 1 }"),
			{ line: 7, column: 25, path: "cases.0.checks.0.number-close.to" },
			/must be a number/,
		],
		[
			one("json-schema: { contains: {} }"),
			{ line: 7 },
			/"contains" is not understood/,
		],
		[one("{ equals: a, contains: b }"), { line: 7, column: 9 }, /one check/],
		[one("judge: { rubric: r, atLeast: 7 }"), { line: 7 }, /from 0 to 1/],
		[
			"suite: s\ncases:\n  - id: a\n    prompt: p\n    checks: [equals: x]\n",
			{ line: 3, path: "cases.0" },
			/no callType/,
		],
		[
			"suite: s\ncallType: c\ncases:\n  - id: a\n    checks: [equals: x]\n",
			{ line: 4 },
			/a prompt, or messages/,
		],
		[
			"suite: s\ncallType: c\ncases:\n  - { id: a, prompt: p, checks: [equals: x] }\n  - { id: a, prompt: p, checks: [equals: x] }\n",
			{ line: 5, column: 7, path: "cases.1.id" },
			/second "a"/,
		],
		[
			"suite: s\ncallType: c\ncases:\n  - { id: a, prompt: p, promt: q, checks: [equals: x] }\n",
			{ line: 4, column: 25 },
			/did you mean "prompt"/,
		],
	])("%j", (text, place, message) => {
		const [problem] = problems(text);
		expect(problem).toMatchObject({
			...place,
			message: expect.stringMatching(message),
		});
	});
});
