/**
 * The key a client sent: `Authorization: Bearer …` or `x-api-key: …`, whichever protocol it speaks,
 * since people put either into either SDK. None when both are there and differ: which of two
 * accounts pays is not ours to guess. None also when it is no run of up to 512 visible characters.
 */
export function clientKey(
	header: (name: string) => string | undefined,
): string | undefined {
	const bearer = /^bearer +(.*)$/i
		.exec(header("authorization")?.trim() ?? "")?.[1]
		?.trim();
	const apiKey = header("x-api-key")?.trim();
	if (bearer && apiKey && bearer !== apiKey) return undefined;
	const key = bearer || apiKey;
	return key && /^[\x21-\x7e]{1,512}$/.test(key) ? key : undefined;
}
