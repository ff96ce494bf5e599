import { isUtf8 } from "node:buffer";
import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../../kernel/outcome.ts";
import { dosName, twice } from "../dos-member.ts";
import { asBuffer } from "../json-members.ts";
import { invalid } from "../request-body.ts";

/** A client's `multipart/form-data` body: its bytes, and where its parts stand. */
export interface Form {
	readonly bytes: Buffer;
	/** As it was sent, with the boundary. */
	readonly contentType: string;
	readonly parts: readonly Part[];
	/** What the field `dos` says, which is for us: it is in neither bytes nor parts. */
	readonly dos: unknown;
}

export interface Part {
	readonly name: string;
	/** Has a file name: a file, and no field. */
	readonly isFile: boolean;
	/** Where the content stands. */
	readonly start: number;
	readonly end: number;
}

/** Where the part stands with its delimiter, up to the next one. */
interface Span {
	readonly start: number;
	readonly end: number;
}

const mostParts = 1_000;
const mostHeaderBytes = 8 * 1024;

type Refused = { readonly ok: false; readonly error: Refusal };

/**
 * Finds the parts of a form (RFC 7578) in its bytes, so that one field can be changed and all else
 * stays as it was sent. Readers of forms differ in what they let pass, and a vendor that found
 * another `model` in it than we would answer a request that we did not meter. So only what all read
 * alike is taken: the boundary stands nowhere but in front of a part and at the end, each part has
 * one plain disposition, and each of the `known` names stands there once and in no other spelling.
 */
export function readForm(
	body: Uint8Array,
	contentType: string | undefined,
	known: ReadonlySet<string>,
): Outcome<Form> {
	const boundary = boundaryOf(contentType ?? "");
	if (!boundary.ok) return boundary;
	const bytes = asBuffer(body);
	const delimiter = Buffer.from(`--${boundary.value}`, "latin1");
	if (bytes.length === 0) return malformed("is empty");
	if (bytes.indexOf(delimiter) !== 0)
		return malformed("must begin with the boundary of its Content-Type");
	const parts: Part[] = [];
	const names = new Set<string>();
	let own: { readonly part: Part; readonly span: Span } | undefined;
	let at = delimiter.length;
	for (;;) {
		if (isAt(bytes, at, "--")) {
			const rest = bytes.length - at;
			if (rest === 2 || (rest === 4 && isAt(bytes, at + 2, "\r\n"))) break;
			return malformed("goes on behind its end, or has its boundary in it");
		}
		if (!isAt(bytes, at, "\r\n"))
			return malformed("has its boundary in the content of a part");
		const next = bytes.indexOf(delimiter, at);
		if (next < 0) return malformed("has no end boundary");
		if (!isAt(bytes, next - 2, "\r\n"))
			return malformed("has its boundary in the content of a part");
		const part = readPart(bytes, at + 2, next - 2);
		if (!part.ok) return part;
		const { name } = part.value;
		if (name === dosName) {
			if (own) return twice("form");
			own = {
				part: part.value,
				span: { start: at - delimiter.length, end: next },
			};
		} else if (known.has(name)) {
			if (names.has(name))
				return refuse(
					"request/duplicate-member",
					`The form has "${name}" more than once.`,
					{ field: name },
				);
			names.add(name);
		} else {
			const plain = plainName(name);
			if (known.has(plain) || plain === dosName)
				return invalid(plain, "must be written in this very spelling");
		}
		if (parts.push(part.value) > mostParts)
			return malformed(`has more than ${mostParts} parts`);
		at = next + delimiter.length;
	}
	if (parts.length === 0) return malformed("has no parts");
	const form = { bytes, contentType: contentType ?? "", parts, dos: undefined };
	return own ? withoutOwn(form, own.part, own.span) : accept(form);
}

/** The form without the field that is for us; every other byte stays as it was sent. */
function withoutOwn(
	form: Form,
	own: Part,
	{ start, end }: Span,
): Outcome<Form> {
	const field = fieldOf(form, own.name);
	if (!field.ok) return field;
	let dos: unknown;
	try {
		dos = JSON.parse(field.value ?? "");
	} catch {
		return invalid(dosName, "must be JSON");
	}
	const by = end - start;
	return accept({
		...form,
		bytes: Buffer.concat([
			form.bytes.subarray(0, start),
			form.bytes.subarray(end),
		]),
		parts: form.parts
			.filter((part) => part !== own)
			.map((part) =>
				part.start < end
					? part
					: { ...part, start: part.start - by, end: part.end - by },
			),
		dos: dos ?? undefined,
	});
}

/** The part of that name; known names stand there once. */
export function partOf(form: Form, name: string): Part | undefined {
	return form.parts.find((part) => part.name === name);
}

/** The text of a field; undefined when it is left out. */
export function fieldOf(form: Form, name: string): Outcome<string | undefined> {
	const part = partOf(form, name);
	if (!part) return accept(undefined);
	if (part.isFile) return invalid(name, "must be a field, and no file");
	const content = form.bytes.subarray(part.start, part.end);
	if (!isUtf8(content))
		return refuse(
			"request/invalid-utf8",
			`The field "${name}" is not valid UTF-8.`,
			{ field: name },
		);
	return accept(content.toString("utf8"));
}

function boundaryOf(contentType: string): Outcome<string> {
	const form = /^\s*multipart\/form-data\s*(;.*)$/i.exec(contentType);
	const parameters = form?.[1] ?? "";
	const each = /;[ \t]*([\w-]+)=(?:"([^"\\]*)"|([^\s;,"]+))[ \t]*/y;
	let boundary: string | undefined;
	let end = 0;
	for (
		let found = each.exec(parameters);
		found;
		found = each.exec(parameters)
	) {
		end = each.lastIndex;
		if (found[1]?.toLowerCase() !== "boundary") continue;
		if (boundary !== undefined) {
			boundary = undefined;
			break;
		}
		boundary = found[2] ?? found[3];
	}
	return end === parameters.length &&
		boundary !== undefined &&
		/^[\w'()+,./:=?-]{1,70}$/.test(boundary)
		? accept(boundary)
		: invalid(
				"Content-Type",
				"must be multipart/form-data with one boundary of 1 to 70 characters",
			);
}

/** Reads the headers of the part that lies between two delimiters. */
function readPart(bytes: Buffer, from: number, end: number): Outcome<Part> {
	const near = bytes.subarray(from, Math.min(end, from + mostHeaderBytes));
	const length = near.indexOf("\r\n\r\n");
	if (length < 0)
		return malformed(
			end - from > mostHeaderBytes
				? "has a part whose headers have no end, or more than 8 KiB"
				: "has a part without headers",
		);
	const head = near.subarray(0, length);
	if (!isUtf8(head)) return malformed("has part headers that are no UTF-8");
	let disposition: Disposition | undefined;
	let typed = false;
	for (const line of head.toString("utf8").split("\r\n")) {
		// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a header must not hold.
		const header = /^([\w-]+): ?([^\0-\x08\x0a-\x1f\x7f]*)$/.exec(line);
		const value = header?.[2] ?? "";
		switch (header?.[1]?.toLowerCase()) {
			case undefined:
				return malformed("has a part with a malformed header");
			case "content-disposition": {
				const read = disposition ? undefined : readDisposition(value);
				if (!read)
					return malformed(
						"has a part whose Content-Disposition is not form-data with one plain name",
					);
				disposition = read;
				break;
			}
			case "content-type":
				if (typed || /^multipart\//i.test(value))
					return malformed("has a form within a part, or a part of two types");
				// Text in another alphabet would be read differently.
				if (/charset=/i.test(value) && !/charset="?utf-8"?\s*$/i.test(value))
					return malformed("has a part whose charset is not UTF-8");
				typed = true;
				break;
			case "content-transfer-encoding":
				if (!/^(?:binary|8bit|7bit)$/i.test(value))
					return malformed("has a part in a transfer encoding");
		}
	}
	if (!disposition)
		return malformed("has a part without a Content-Disposition");
	return accept({ ...disposition, start: from + length + 4, end });
}

type Disposition = Pick<Part, "name" | "isFile">;

/** Undefined where readers could differ in what it says. */
function readDisposition(value: string): Disposition | undefined {
	if (!/^form-data;/i.test(value)) return undefined;
	// A quote behind a backslash ends the text for some readers, and not for others; the same is true
	// of white space where clients write none.
	const each = /; ?([\w*-]+)=(?:"((?:[^"\\]|\\(?!"))*)"|([^\s;"\\,]+))/y;
	each.lastIndex = "form-data".length;
	const found = new Map<string, string>();
	let end = each.lastIndex;
	for (let next = each.exec(value); next; next = each.exec(value)) {
		end = each.lastIndex;
		const name = next[1]?.toLowerCase() ?? "";
		if (found.has(name) || !dispositionNames.has(name)) return undefined;
		found.set(name, next[2] ?? next[3] ?? "");
	}
	const name = found.get("name");
	return end === value.length && name && !name.includes("\\")
		? { name, isFile: found.has("filename") || found.has("filename*") }
		: undefined;
}

const dispositionNames: ReadonlySet<string> = new Set([
	"name",
	"filename",
	"filename*",
]);

/** As a reader might take it that minds neither case nor white space, nor brackets of a list. */
function plainName(name: string): string {
	return (name.split("[")[0] ?? "").trim().toUpperCase().toLowerCase();
}

function isAt(bytes: Buffer, at: number, text: string): boolean {
	for (let index = 0; index < text.length; index++)
		if (bytes[at + index] !== text.charCodeAt(index)) return false;
	return true;
}

function malformed(problem: string): Refused {
	return refuse("request/malformed-form", `The form ${problem}.`);
}
