import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Form, fieldOf, partOf, readForm } from "./form-data.ts";

const known = new Set(["model", "file", "stream"]);
const type = "multipart/form-data; boundary=B0";
const field = (name: string, content: string) =>
	`--B0\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
const file = (content: string) =>
	`--B0\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n${content}\r\n`;
const end = "--B0--\r\n";

function read(text: string | Buffer, contentType: string | undefined = type) {
	return readForm(
		typeof text === "string" ? Buffer.from(text, "latin1") : text,
		contentType,
		known,
	);
}

function formOf(text: string | Buffer, contentType?: string): Form {
	const form = read(text, contentType);
	if (!form.ok) throw new Error(form.error.message);
	return form.value;
}

function refusalOf(text: string, contentType?: string): string {
	const form = read(text, contentType);
	return form.ok ? "accepted" : form.error.message;
}

function textOf(form: Form, name: string): string | undefined {
	const text = fieldOf(form, name);
	if (!text.ok) throw new Error(text.error.message);
	return text.value;
}

describe("a form", () => {
	it("is read part by part, wherever the model stands", () => {
		const form = formOf(file("\r\n\0--B\r\n") + field("model", "m-1") + end);
		expect(textOf(form, "model")).toBe("m-1");
		expect(textOf(form, "stream")).toBeUndefined();
		const { start, end: after } = partOf(form, "file") ?? { start: 0, end: 0 };
		expect(form.bytes.toString("latin1", start, after)).toBe("\r\n\0--B\r\n");
		expect(fieldOf(form, "file")).toMatchObject({
			error: { details: { field: "file" } },
		});
	});

	it("is read as the runtime's own FormData writes it", async () => {
		const data = new FormData();
		data.append("model", "mödel");
		data.append("file", new File(["sound"], 'ä "quoted" name.wav'));
		data.append("include[]", "one");
		data.append("include[]", "two");
		const written = new Response(data);
		const contentType = written.headers.get("content-type") ?? "";
		const form = formOf(Buffer.from(await written.arrayBuffer()), contentType);
		expect(textOf(form, "model")).toBe("mödel");
		expect(form.parts.map(({ name }) => name)).toEqual([
			"model",
			"file",
			"include[]",
			"include[]",
		]);
	});

	it.each([
		['multipart/form-data; boundary="a b"', "Content-Type"],
		["multipart/form-data", "Content-Type"],
		["multipart/form-data; boundary=", "Content-Type"],
		["multipart/form-data; boundary=B0; boundary=B1", "Content-Type"],
		["multipart/form-data; boundary=B0, multipart/form-data", "Content-Type"],
		[`multipart/form-data; boundary=${"b".repeat(71)}`, "Content-Type"],
		["multipart/mixed; boundary=B0", "Content-Type"],
		["application/json", "Content-Type"],
	])("needs a plain boundary: %s", (contentType, name) => {
		expect(read(field("model", "m") + end, contentType)).toMatchObject({
			error: { code: "request/invalid", details: { field: name } },
		});
	});

	it("takes a boundary in quotes, and other parameters", () => {
		const body = field("model", "m") + end;
		for (const good of [
			'multipart/form-data; boundary="B0"',
			"Multipart/Form-Data;Boundary=B0; charset=utf-8",
		])
			expect(textOf(formOf(body, good), "model")).toBe("m");
	});

	it.each([
		["", "is empty"],
		["x", "must begin with the boundary"],
		[`\r\n${field("model", "m")}${end}`, "must begin with the boundary"],
		["--B0", "boundary in the content"],
		["--B0--", "no parts"],
		[field("model", "m"), "no end boundary"],
		[`${field("model", "m")}--B0\r\n`, "no end boundary"],
		[`${field("model", "m")}--B0-`, "boundary in the content"],
		[`${field("model", "m")}${end}x`, "goes on behind its end"],
		[`${field("model", "m")}${end}${field("model", "n")}${end}`, "goes on"],
		[`${file("a --B0 b")}${end}`, "boundary in the content"],
		[`${file("a\n--B0\nb")}${end}`, "boundary in the content"],
		[`${file("a\r\n--B0x\r\nb")}${end}`, "boundary in the content"],
		[`${file("a\r\n--B0 \r\nb")}${end}`, "boundary in the content"],
		[`--B0\r\n\r\ntext\r\n${end}`, "without headers"],
		[`--B0\r\nX: y\r\n\r\nm\r\n${end}`, "without a Content-Disposition"],
		["--B0\r\nContent-Disposition: form-data\r\n--B0--", "without headers"],
		[
			`--B0\r\nContent-Disposition: form-data; name="x"\r\nX: ${"y".repeat(9_000)}\r\n\r\n\r\n${end}`,
			"more than 8 KiB",
		],
		[
			`--B0\r\nContent-Disposition: form-data; name="model"\r\n name="x"\r\n\r\n\r\n${end}`,
			"malformed header",
		],
		[
			`--B0\r\nContent-Disposition : form-data; name="model"\r\n\r\nm\r\n${end}`,
			"malformed header",
		],
		[
			`--B0\r\nContent-Disposition: form-data; name="x"\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n${end}`,
			"malformed header",
		],
		[
			`--B0\r\nContent-Type: multipart/mixed; boundary=C\r\nContent-Disposition: form-data; name="x"\r\n\r\n--C\r\n${end}`,
			"a form within a part",
		],
		[
			`--B0\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nm\r\n${end}`,
			"charset",
		],
		[
			`--B0\r\nContent-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ==\r\n${end}`,
			"transfer encoding",
		],
	])("is refused where readers could differ: %j", (text, problem) => {
		expect(refusalOf(text)).toContain(problem);
	});

	it.each([
		"form-data",
		"form-data; name",
		'form-data ; name="model"',
		'form-data; name="model" ',
		'form-data;  name="model"',
		"form-data; name=",
		"form-data; name=a b",
		'form-data; name="a"; name="model"',
		"form-data; name=\"a\"; name*=utf-8''model",
		'form-data; name="a"; filename="x\\"; name="model"',
		'form-data; name="mo\\del"',
		'attachment; name="model"',
		'form-data; name="a" name="model"',
	])("has one plain name a part: %s", (disposition) => {
		expect(
			refusalOf(
				`--B0\r\nContent-Disposition: ${disposition}\r\n\r\nm\r\n${end}`,
			),
		).toContain("one plain name");
	});

	it("has each known field once, in its very spelling", () => {
		const twice = field("model", "a") + field("model", "b") + end;
		expect(read(twice)).toMatchObject({
			error: { code: "request/duplicate-member", details: { field: "model" } },
		});
		for (const other of [
			"Model",
			" model",
			"model[]",
			"model[0]",
			"\u017ftream",
		])
			expect(
				read(Buffer.from(field(other, "b") + field("model", "a") + end)),
			).toMatchObject({ error: { code: "request/invalid" } });
		expect(read(field("x", "1") + field("x", "2") + end).ok).toBe(true);
	});

	it("has a thousand parts at most", () => {
		expect(refusalOf(field("x", "").repeat(1_001) + end)).toContain("1000");
	});

	it("that is accepted is read alike by the runtime, whatever was done to it", async () => {
		const whole = Buffer.from(
			`${field("model", "m-1")}${file("RIFF\0\xff\r\n")}${field("stream", "true")}${end}`,
			"latin1",
		);
		let accepted = 0;
		await fc.assert(
			fc.asyncProperty(
				fc.array(
					fc.tuple(
						fc.nat({ max: whole.length - 1 }),
						fc.nat({ max: 3 }),
						fc.constantFrom(
							"",
							"\r\n",
							"\n",
							"--B0",
							'"',
							";",
							"\\",
							"-",
							" ",
							"x",
							'; name="model"',
							"\r\n--B0--\r\n",
						),
					),
					{ maxLength: 2 },
				),
				async (edits) => {
					let bytes = whole;
					for (const [at, cut, text] of edits)
						bytes = Buffer.concat([
							bytes.subarray(0, at),
							Buffer.from(text),
							bytes.subarray(at + cut),
						]);
					const form = read(bytes);
					if (!form.ok) {
						expect(form.error.code).toMatch(/^request\//);
						return;
					}
					accepted++;
					const theirs = await new Response(new Uint8Array(bytes), {
						headers: { "content-type": type },
					})
						.formData()
						.catch(() => undefined);
					// What the runtime does not take, no vendor has to.
					if (!theirs) return;
					const model = fieldOf(form.value, "model");
					if (model.ok)
						expect(theirs.getAll("model")).toEqual(
							model.value === undefined ? [] : [model.value],
						);
				},
			),
			{ numRuns: 1_500 },
		);
		expect(accepted).toBeGreaterThan(100);
	});

	it("never throws on bytes of any kind", () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.oneof(
						fc.constantFrom("--B0", "\r\n", "--", field("model", "m"), end),
						fc.string({ unit: "binary", maxLength: 12 }),
					),
					{ maxLength: 12 },
				),
				fc.oneof(fc.constant(type), fc.string()),
				(pieces, contentType) => {
					const form = read(Buffer.from(pieces.join("")), contentType);
					if (!form.ok) expect(form.error.code).toMatch(/^request\//);
				},
			),
		);
	});
});
