import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerFault, AnswerReader } from "./answer-reader.ts";

/** What one answer was heard to be, fed in the given pieces. */
function read(pieces: readonly Buffer[], method = "GET") {
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
	const reader = new AnswerReader(sink, 1_000);
	reader.expect(method);
	let left = 0;
	for (const piece of pieces) left += piece.length - reader.feed(piece);
	const { whole, reusable } = reader;
	return { ...heard, whole, reusable, left };
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
	])("says whether its connection lives on: %j", (text, reusable) => {
		expect(read([bytes(text)])).toMatchObject({ whole: true, reusable });
	});

	it.each([
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
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
});
