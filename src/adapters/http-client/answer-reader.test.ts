import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerFault, AnswerReader } from "./answer-reader.ts";

/** What one answer was heard to be, fed in the given pieces. */
function read(pieces: readonly Buffer[], method = "GET", headBytes = 1_000) {
	const heard = { status: 0, many: "" as string | undefined, body: "" };
	const sink = {
		held: false,
		head(status: number, header: (name: string) => string | undefined) {
			heard.status = status;
			heard.many = header("x-many");
		},
		data(piece: Buffer) {
			expect(piece.length).toBeGreaterThan(0);
			heard.body += piece.toString("latin1");
		},
	};
	const reader = new AnswerReader(sink, headBytes);
	reader.expect(method);
	let left = 0;
	// What a connection does not feed any more, it throws away with itself.
	for (const piece of pieces)
		left += piece.length - (left > 0 ? 0 : reader.feed(piece));
	const { whole, reusable } = reader;
	return { ...heard, whole, reusable, left };
}

function readOrFault(pieces: readonly Buffer[]) {
	try {
		return read(pieces);
	} catch (fault) {
		expect(fault).toBeInstanceOf(AnswerFault);
		return "fault";
	}
}

const bytes = (text: string) => Buffer.from(text, "latin1");

function cut(all: Buffer, at: readonly number[]): Buffer[] {
	const places = [...new Set(at.map((place) => place % all.length))].sort(
		(one, other) => one - other,
	);
	return [...places, all.length].map((end, index) =>
		all.subarray(index === 0 ? 0 : places[index - 1], end),
	);
}

describe("an answer", () => {
	it.each([
		["with a length", "Content-Length: 9\r\n\r\nsome text", true],
		[
			"in chunks",
			"Transfer-Encoding: Chunked\r\n\r\n4;a=b\r\nsome\r\n05\r\n text\r\n0\r\nX-T: 1\r\n\r\n",
			true,
		],
		["to the end of the connection", "\r\nsome text", false],
	])("%s is the same wherever it is split", (_, rest, whole) => {
		const all = bytes(
			`HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nX-Many: 1\r\nx-many:2 \r\n${rest}`,
		);
		fc.assert(
			fc.property(fc.array(fc.nat()), (at) => {
				expect(read(cut(all, at))).toEqual({
					status: 200,
					many: "1, 2",
					body: "some text",
					whole,
					reusable: whole,
					left: 0,
				});
			}),
		);
	});

	it("leaves what follows it alone", () => {
		const all = bytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1");
		expect(read([all])).toMatchObject({ body: "a", whole: true, left: 8 });
		const none = bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/");
		expect(read([none], "HEAD")).toMatchObject({ whole: true, left: 5 });
	});

	it.each([
		[
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
			false,
		],
		["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false],
		[
			"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
			true,
		],
		["HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true],
		["HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false],
		["HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false],
		["HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true],
		[
			"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			false,
		],
	])("says whether its connection lives on: %j", (text, reusable) => {
		expect(read([bytes(text)])).toMatchObject({ whole: true, reusable });
	});

	it.each([
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\xa0\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 9007199254740993\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length\0: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: b\0\r\n\r\n",
		"HTTP/1.1 200 O\0K\r\n\r\n",
		"HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\na",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
		"HTTP/1.1 103 Early\r\nContent-Length: 4\r\n\r\nsome",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		" HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 0\r\na\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\0b\r\na\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: \0\r\n\r\n",
		`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1${" ".repeat(1_002)}`,
		`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${"a:\r\n".repeat(300)}`,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbroken\r\n\r\n",
		`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(1_001)}`,
		`HTTP/1.1 200 OK\r\nX-A: ${"x".repeat(1_000)}\r\n\r\n`,
	])("that could mean two things is refused: %j", (text) => {
		expect(() => read([bytes(text)])).toThrow(AnswerFault);
	});

	it("of any bytes is read or refused", () => {
		const sound = bytes(
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n",
		);
		const near = fc
			.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 })
			.map((changes) => {
				const changed = Buffer.from(sound);
				for (const [at, byte] of changes) changed[at] = byte;
				return changed;
			});
		const noise = fc.uint8Array().map((all) => Buffer.from(all));
		fc.assert(
			fc.property(fc.oneof(near, noise), (all) => {
				try {
					expect(read([all]).left).toBeGreaterThanOrEqual(0);
				} catch (fault) {
					expect(fault).toBeInstanceOf(AnswerFault);
				}
			}),
		);
	});

	it("with a head as large as is allowed is read, whatever its lines are", () => {
		for (const line of ["a:\r\n", `a:${"b".repeat(997)}\r\n`]) {
			const lines = line.repeat(Math.floor(65_000 / line.length));
			const heard = read(
				[bytes(`HTTP/1.1 200 OK\r\n${lines}content-length: 1\r\n\r\na`)],
				"GET",
				65_536,
			);
			expect(heard).toMatchObject({ whole: true, body: "a" });
		}
	});

	it("put together from what attackers use is the same in any pieces, and one thing only", () => {
		const headers = fc.array(
			fc.constantFrom(
				"Content-Length: 4",
				"Content-Length: 04",
				"Content-Length: 4, 4",
				"content-length:4\t",
				"Content-Length: 4\xa0",
				"Content-Length : 4",
				"Transfer-Encoding: chunked",
				"Transfer-Encoding:\tchunked ",
				"Transfer-Encoding: chunked\xa0",
				"Transfer-Encoding: gzip, chunked",
				"Transfer-Encoding",
				" folded: yes",
				"Connection: close",
				"Connection: keep-alive",
				"X-\0: a",
				"X-A: \0",
				"X-A: a\rX-B: b",
				"X-A: a\nTransfer-Encoding: chunked",
			),
			{ maxLength: 3 },
		);
		const start = fc.constantFrom(
			"HTTP/1.1 200 OK",
			"HTTP/1.1 200",
			"HTTP/1.0 200 OK",
			"HTTP/1.1 204 None",
			"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK",
			"HTTP/1.1 100 Go\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK",
			"HTTP/2 200",
		);
		const body = fc.array(
			fc.constantFrom(
				"some",
				"4\r\nsome\r\n",
				"04;a=b\r\nsome\r\n",
				"4 ;a\r\nsome\r\n",
				"4 4\r\nsome\r\n",
				"-4\r\nsome\r\n",
				"4\nsome\n",
				"0\r\n\r\n",
				"0\r\nX-T: 1\r\n\r\n",
				"0\r\nContent-Length: 4\r\n\r\n",
				"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			),
			{ maxLength: 4 },
		);
		fc.assert(
			fc.property(
				start,
				headers,
				body,
				fc.array(fc.nat(), { maxLength: 6 }),
				(begin, lines, pieces, at) => {
					const head = [begin, ...lines, "", ""].join("\r\n");
					const all = bytes(head + pieces.join(""));
					const heard = readOrFault([all]);
					expect(readOrFault(cut(all, at))).toEqual(heard);
					expect(readOrFault([...all].map((byte) => Buffer.of(byte)))).toEqual(
						heard,
					);
					if (heard === "fault" || !heard.reusable) return;
					// Whatever keeps its connection has said once, and clearly, where it ends.
					const said = lines.filter((line) =>
						/^(content-length|transfer-encoding):/i.test(line),
					);
					expect(said.length).toBeLessThanOrEqual(1);
					expect(said.join()).not.toMatch(/,|\xa0/);
					if (heard.whole && said[0]?.toLowerCase().startsWith("content-l"))
						expect(heard.body.length).toBe(4);
				},
			),
			{ numRuns: 2_000 },
		);
	});
});
