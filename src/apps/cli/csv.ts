/**
 * CSV as RFC 4180 has it: comma, CRLF, quotes where needed. A cell that a spreadsheet would run as a
 * formula gets a `'` in front; plain numbers, negative ones too, stay as they are.
 */
export function csv(rows: Iterable<readonly (string | number)[]>): string {
	let text = "";
	for (const row of rows) text += `${row.map(cell).join(",")}\r\n`;
	return text;
}

function cell(value: string | number): string {
	const text = String(value);
	const defused =
		/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) &&
		!/^-?\d+(\.\d+)?$/.test(text)
			? `'${text}`
			: text;
	return /[",\r\n]/.test(defused)
		? `"${defused.replaceAll('"', '""')}"`
		: defused;
}
