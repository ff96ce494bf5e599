/** Bytes and their texts. The kernel is compiled without any library of a runtime, so these are its own. */

const hexDigits = "0123456789abcdef";
const base64Digits =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const hexValues = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value++)
	hexValues[hexDigits.charCodeAt(value)] = value;
const base64Values = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++)
	base64Values[base64Digits.charCodeAt(value)] = value;

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes)
		text += hexDigits.charAt(byte >> 4) + hexDigits.charAt(byte & 15);
	return text;
}

/** Reads lower-case hex of whole bytes; undefined for any other text. */
export function fromHex(text: string): Uint8Array | undefined {
	if (text.length % 2 !== 0) return undefined;
	const bytes = new Uint8Array(text.length / 2);
	for (let at = 0; at < bytes.length; at++) {
		const high = digitValue(hexValues, text.charCodeAt(2 * at));
		const low = digitValue(hexValues, text.charCodeAt(2 * at + 1));
		if ((high | low) < 0) return undefined;
		bytes[at] = (high << 4) | low;
	}
	return bytes;
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
	let text = "";
	for (let at = 0; at < bytes.length; at += 3) {
		const [first = 0, second, third] = bytes.subarray(at, at + 3);
		const group = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
		text +=
			base64Digits.charAt(group >> 18) +
			base64Digits.charAt((group >> 12) & 63);
		text += second === undefined ? "=" : base64Digits.charAt((group >> 6) & 63);
		text += third === undefined ? "=" : base64Digits.charAt(group & 63);
	}
	return text;
}

/** Reads standard base64. Strict: padding must be there and unused bits zero, so that bytes have one text only. */
export function fromBase64(text: string): Uint8Array | undefined {
	if (text.length % 4 !== 0) return undefined;
	const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
	const digits = text.length - padding;
	const bytes = new Uint8Array((text.length / 4) * 3 - padding);
	let bits = 0;
	let held = 0;
	let written = 0;
	for (let at = 0; at < digits; at++) {
		const value = digitValue(base64Values, text.charCodeAt(at));
		if (value < 0) return undefined;
		bits = ((bits << 6) | value) & 0xfff;
		held += 6;
		if (held < 8) continue;
		held -= 8;
		bytes[written++] = bits >> held;
	}
	return (bits & ((1 << held) - 1)) === 0 ? bytes : undefined;
}

/** UTF-8. A lone surrogate becomes U+FFFD, as in every encoder of the web. */
export function toUtf8(text: string): Uint8Array {
	const bytes: number[] = [];
	for (const character of text) {
		let point = character.codePointAt(0) as number;
		if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
		if (point < 0x80) bytes.push(point);
		else if (point < 0x800)
			bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
		else if (point < 0x10000)
			bytes.push(
				0xe0 | (point >> 12),
				0x80 | ((point >> 6) & 63),
				0x80 | (point & 63),
			);
		else {
			bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63));
			bytes.push(0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
		}
	}
	return Uint8Array.from(bytes);
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
	return (
		left.length === right.length && left.every((byte, at) => byte === right[at])
	);
}

/** Of a digit's character, or -1. */
function digitValue(values: Int8Array, character: number): number {
	return character < 128 ? (values[character] as number) : -1;
}
