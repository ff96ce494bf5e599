import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	parseLine,
	readEvent,
	type StoredEvent,
	sealEvent,
} from "./event.ts";

const hashText = (text: string) =>
	createHash("sha256").update(text, "utf8").digest("hex");

const plainEvent = sealEvent(
	{
		position: 1,
		previous: genesisHash,
		time: 1_767_225_600_000,
		stream: "account/main",
		version: 1,
		type: "credits-granted",
		actor: "operator",
		data: '{"amount":500}',
	},
	hashText,
);

const fullEvent = sealEvent(
	{
		...plainEvent,
		position: 2,
		previous: plainEvent.hash,
		cause: "call/7",
		correlation: 'a "session"',
		key: "grant-1",
		input: "ab",
		data: '{"amount":1,"note":"größer 🙂"}',
	},
	hashText,
);

const text = fc.oneof(
	fc.string(),
	fc.string({ unit: "grapheme" }),
	fc.string({ unit: "binary" }),
	fc.constantFrom(
		'","data":{}',
		"\ud800",
		"\udfff\ud800",
		"\u2028\u2029",
		"\0",
		"\\",
		'\\","type":"x',
		"\u007f",
		"__proto__",
		"}",
	),
);
const optional = fc.option(text, { nil: undefined });
const hex = fc
	.uint8Array({ minLength: 32, maxLength: 32 })
	.map((bytes) => Buffer.from(bytes).toString("hex"));
const events = fc
	.record({
		position: fc.maxSafeNat(),
		previous: hex,
		time: fc.maxSafeInteger().map((time) => (Object.is(time, -0) ? 0 : time)),
		stream: text,
		version: fc.maxSafeNat(),
		type: text,
		actor: text,
		cause: optional,
		correlation: optional,
		key: optional,
		input: optional,
		data: fc
			.dictionary(text, fc.jsonValue())
			.map((data) => JSON.stringify(data)),
	})
	.map((event) => sealEvent(event, hashText));

describe("the canonical line", () => {
	it("is these very bytes", () => {
		expect(canonicalLine(plainEvent)).toBe(
			`{"position":1,"previous":"${genesisHash}","time":1767225600000,"stream":"account/main","version":1,"type":"credits-granted","actor":"operator","data":{"amount":500}}`,
		);
		expect(canonicalLine(fullEvent)).toBe(
			`{"position":2,"previous":"${plainEvent.hash}","time":1767225600000,"stream":"account/main","version":1,"type":"credits-granted","actor":"operator","cause":"call/7","correlation":"a \\"session\\"","key":"grant-1","input":"ab","data":{"amount":1,"note":"größer 🙂"}}`,
		);
	});

	it("is hashed as a leaf of RFC 6962", () => {
		const leaf = Buffer.concat([
			Buffer.of(0),
			Buffer.from(canonicalLine(fullEvent), "utf8"),
		]);
		const expected = createHash("sha256").update(leaf).digest("hex");
		expect(fullEvent.hash).toBe(expected);
		expect(hashLine(canonicalLine(fullEvent), hashText)).toBe(expected);
	});

	it("is JSON in one line that says what the event says, whatever its texts hold", () => {
		fc.assert(
			fc.property(events, (event) => {
				const line = canonicalLine(event);
				expect(line).not.toMatch(/[\n\r]/);
				expect(line.isWellFormed()).toBe(true);
				const { hash, data, ...envelope } = event;
				expect(JSON.parse(line)).toEqual({
					...JSON.parse(JSON.stringify(envelope)),
					data: JSON.parse(data),
				});
				expect(hash).toBe(hashText(`\0${line}`));
			}),
		);
	});

	it("is read back as the event it was", () => {
		fc.assert(
			fc.property(events, (event) => {
				const defined = Object.fromEntries(
					Object.entries(event).filter(([, value]) => value !== undefined),
				);
				expect(parseLine(canonicalLine(event), hashText)).toStrictEqual(
					defined,
				);
			}),
		);
	});

	it("is what was read, or nothing was read: no two lines are the same event", () => {
		fc.assert(
			fc.property(
				events,
				fc.nat(),
				fc.nat(3),
				fc.oneof(fc.string({ maxLength: 2 }), text),
				(event, place, cut, other) => {
					const line = canonicalLine(event);
					const at = place % (line.length + 1);
					const changed = line.slice(0, at) + other + line.slice(at + cut);
					const read = parseLine(changed, hashText);
					if (read) expect(canonicalLine(read)).toBe(changed);
					if (changed !== line && read) expect(read.hash).not.toBe(event.hash);
				},
			),
			{ numRuns: 2_000 },
		);
	});

	const line = canonicalLine(fullEvent);
	it.each([
		["no JSON", "position 1"],
		["nothing", ""],
		["a list", "[1]"],
		["a number", "1"],
		["null", "null"],
		["no data", '{"position":1}'],
		["data that is no object", line.replace(/"data":.*\}$/, '"data":[1]}')],
		["data that is null", line.replace(/"data":.*\}$/, '"data":null}')],
		["data with white space before it", line.replace('"data":{', '"data": {')],
		[
			"data with a line break in it",
			line.replace('"amount":1', '"amount":\n1'),
		],
		[
			"data with a carriage return in it",
			line.replace('"amount":1', '"amount":\r1'),
		],
		["data with white space behind it", `${line.slice(0, -1)} }`],
		["white space behind", `${line} `],
		["a carriage return behind", `${line}\r`],
		["white space before", ` ${line}`],
		["white space between", line.replace(',"time"', ', "time"')],
		[
			"another order",
			line
				.replace('"position":2,', "")
				.replace(',"time"', ',"position":2,"time"'),
		],
		[
			"a member more before the data",
			line.replace('"data"', '"more":1,"data"'),
		],
		["a member more behind the data", `${line.slice(0, -1)},"more":1}`],
		["the data twice", `${line.slice(0, -1)},"data":{}}`],
		["a brace too many", `${line.slice(0, -1)}}}`],
		["a member twice", line.replace('"version":1', '"version":1,"version":1')],
		[
			"a position that is no integer",
			line.replace('"position":2', '"position":2.5'),
		],
		[
			"a position written otherwise",
			line.replace('"position":2', '"position":2e0'),
		],
		[
			"a position beyond what is exact",
			line.replace('"position":2', '"position":9007199254740993'),
		],
		[
			"a time as text",
			line.replace('"time":1767225600000', '"time":"1767225600000"'),
		],
		[
			"a type that is no text",
			line.replace('"type":"credits-granted"', '"type":1'),
		],
		["a cause that is null", line.replace('"cause":"call/7"', '"cause":null')],
		[
			"a text escaped otherwise",
			line.replace("account/main", "account\\/main"),
		],
		["half an event", line.slice(0, 80)],
		[
			"an envelope that is no JSON",
			line.replace('"position":2', '"position":'),
		],
		["an envelope that is a list", '[1,"data":{}}'],
	])("is not read from %s", (_, changed) => {
		expect(changed).not.toBe(line);
		expect(parseLine(changed, hashText)).toBeUndefined();
	});

	it("keeps the data's own text", () => {
		const event: StoredEvent = sealEvent(
			{ ...plainEvent, data: '{ "amount": 5.0 }' },
			hashText,
		);
		expect(parseLine(canonicalLine(event), hashText)).toEqual(event);
	});
});

it("reads an event for deciders", () => {
	expect(readEvent(fullEvent)).toEqual({
		type: "credits-granted",
		data: { amount: 1, note: "größer 🙂" },
		stream: "account/main",
		time: 1_767_225_600_000,
		position: 2,
	});
});
