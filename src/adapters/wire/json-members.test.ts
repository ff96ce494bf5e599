import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	member,
	parseValue,
	Spliced,
	scanMembers,
	splice,
} from "./json-members.ts";

function accepts(text: string): boolean {
	const bytes = Buffer.from(text);
	const scan = scanMembers(bytes, 0, 128);
	return (
		scan === "no-object" ||
		(typeof scan === "object" &&
			bytes.subarray(scan.end).toString().trim() === "")
	);
}

function parses(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

describe("the members of an object", () => {
	it("are found where they stand", () => {
		const bytes = Buffer.from(
			' { "a" : [1,{"b":2}] ,\n"caf\\u00e9":"\\"}", "a":-1.5e+3 } tail',
		);
		const scan = scanMembers(bytes, 0, 128);
		if (typeof scan !== "object") throw new Error(scan);
		expect(
			scan.members.map(({ name, valueStart, valueEnd }) => [
				name,
				bytes.toString("utf8", valueStart, valueEnd),
			]),
		).toEqual([
			["a", '[1,{"b":2}]'],
			["café", '"\\"}"'],
			["a", "-1.5e+3"],
		]);
		expect(bytes.subarray(scan.end).toString()).toBe(" tail");
		const last = member(scan, "a");
		expect(last && parseValue(bytes, last)).toBe(-1500);
	});

	it("tell the types in them with their depths and places, and where the objects of a list stand", () => {
		const bytes = Buffer.from(
			'{"x":{"type":"no"},"m":[{"type":"one","c":[{"\\u0074ype":"t\\u0077o","type":3}]}]}',
		);
		const scan = scanMembers(bytes, 0, 128, new Set(["m"]));
		if (typeof scan !== "object") throw new Error(scan);
		expect(scan.members.map(({ types }) => types)).toEqual([
			[],
			[
				{ depth: 2, value: "one", at: 9 },
				{ depth: 4, value: "two", at: 33 },
			],
		]);
		const lists = Buffer.from('{"m": [ {"a":[{}]} , 7,[{}],{} ],"n":{"o":{}}}');
		const found = scanMembers(lists, 0, 128, new Set(["m", "n"]));
		if (typeof found !== "object") throw new Error(found);
		expect(found.members.map(({ elements }) => elements)).toEqual([
			[2, 22],
			[],
		]);
	});

	it("are read exactly where JSON.parse reads, and nowhere else", () => {
		const json = fc
			.json({ maxDepth: 5, stringUnit: "binary" })
			.map((text) => `{"a":${text}}`);
		const pieces = fc.constantFrom(
			...'{}[],:"\\ \n\t0123456789-+.eEtrufalsn/b\u0000\u001f\u007fé'.split(""),
			"true",
			"false",
			"null",
			"\\u00",
			"\\u12aF",
			"\\x",
			'"a":',
			"-0",
			"01",
			"1.",
			".5",
			"1e",
			"1e+5",
		);
		const broken = fc
			.tuple(
				json,
				fc.array(fc.tuple(fc.nat(), fc.nat({ max: 3 }), pieces), {
					minLength: 1,
					maxLength: 4,
				}),
			)
			.map(([text, changes]) =>
				changes.reduce(
					(now, [at, count, piece]) =>
						now.slice(0, at % (now.length + 1)) +
						piece +
						now.slice((at % (now.length + 1)) + count),
					text,
				),
			);
		const random = fc
			.array(pieces, { maxLength: 12 })
			.map((all) => all.join(""));
		fc.assert(
			fc.property(
				fc.oneof(
					json,
					broken,
					random,
					random.map((text) => `{"a":${text}}`),
				),
				(text) => {
					const top = text.trim();
					// Other values than objects are only told apart, not read to their end.
					if (top.startsWith("{"))
						expect([text, accepts(text)]).toEqual([text, parses(text)]);
					else if (parses(text)) expect(accepts(text)).toBe(true);
				},
			),
			{ numRuns: 5_000 },
		);
	});

	it("hold long strings, which are read four bytes at once, to the same rules", () => {
		const odd = fc.constantFrom(
			"",
			'"',
			"\\",
			"\\n",
			"\\u12",
			"\\x",
			"\u0000",
			"\u001f",
			"\n",
			"\u007f",
			"é",
			"\u{1f980}",
			"!",
			"#",
		);
		const run = fc.tuple(fc.nat({ max: 700 }), fc.constantFrom("a", " ", "ÿ"));
		fc.assert(
			fc.property(
				fc.array(fc.tuple(run, odd), { minLength: 1, maxLength: 4 }),
				fc.nat({ max: 7 }),
				(parts, before) => {
					const text = `{"a":"${parts.map(([[count, plain], special]) => plain.repeat(count) + special).join("")}"}`;
					// Bytes start anywhere in memory.
					const memory = Buffer.from("-".repeat(before) + text);
					const scan = scanMembers(memory.subarray(before), 0, 128);
					const whole =
						typeof scan === "object" && scan.end === memory.length - before;
					expect([text, whole]).toEqual([text, parses(text)]);
				},
			),
			{ numRuns: 3_000 },
		);
	});

	it("are changed in place, all at once", () => {
		const bytes = Buffer.from('{"a":1,"b":"é","c":3}');
		expect(
			splice(bytes, [
				{ start: 20, end: 21, text: "4" },
				{ start: 1, end: 1, text: '"é":0,' },
			]).toString(),
		).toBe('{"é":0,"a":1,"b":"é","c":4}');
		expect(splice(bytes, [])).toBe(bytes);
	});

	it("of a large body are changed without copying it", () => {
		const bytes = Buffer.from(`{"a":1,"b":"${"x".repeat(20_000)}","c":3}`);
		const edits = [
			{ start: bytes.length - 2, end: bytes.length - 1, text: "44" },
			{ start: 5, end: 6, text: "2" },
		];
		const { body, pieces = [] } = new Spliced(bytes, edits);
		expect(body).toEqual(splice(bytes, edits));
		expect(Buffer.concat(pieces)).toEqual(body);
		expect(pieces.some(({ buffer }) => buffer === bytes.buffer)).toBe(true);
		const same = new Spliced(bytes, []);
		expect(same.body).toBe(bytes);
		expect(same.pieces).toBeUndefined();
	});
});
