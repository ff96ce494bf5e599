import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import {
	asBuffer,
	type Member,
	parseValue,
	type Scan,
	skipSpace,
} from "./json-members.ts";

/** A body's member that is for us, and for no vendor. */
export const dosName = "dos";

/**
 * Takes the member `dos` out of a body, with its comma; every other byte stays as it was sent. It may
 * stand there once, and in no other spelling.
 */
export function takeDos(
	bytes: Buffer,
	scan: Scan,
): Outcome<{
	readonly bytes: Buffer;
	readonly scan: Scan;
	readonly dos: unknown;
}> {
	const { members } = scan;
	let found = -1;
	for (let index = 0; index < members.length; index++) {
		const { name } = members[index] as Member;
		if (name.length !== dosName.length || !isDos(name)) continue;
		if (name !== dosName)
			return refuse("request/invalid", '"dos" must be written in lower case.', {
				field: dosName,
			});
		if (found >= 0) return twice("request body");
		found = index;
	}
	if (found < 0) return accept({ bytes, scan, dos: undefined });
	const own = members[found] as Member;
	const before = members[found - 1];
	const after = members[found + 1];
	// With the comma behind it; the last goes with the one in front.
	const start = after || !before ? own.nameStart : before.valueEnd;
	const end = after ? after.nameStart : own.valueEnd;
	return accept({
		bytes: Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]),
		scan: {
			members: members
				.filter((each) => each !== own)
				.map((each) =>
					each.nameStart < end ? each : moved(each, end - start),
				),
			end: scan.end - (end - start),
		},
		dos: parseValue(bytes, own) ?? undefined,
	});
}

/** A body with its own member put back: where it is read once more, that is read with it. */
export function withDos(body: Uint8Array, dos: unknown): Uint8Array {
	if (dos === undefined) return body;
	const bytes = asBuffer(body);
	const start = skipSpace(bytes, 0) + 1;
	return Buffer.concat([
		bytes.subarray(0, start),
		Buffer.from(`"${dosName}":${JSON.stringify(dos)},`),
		bytes.subarray(start),
	]);
}

/** The refusal of a second one. */
export function twice(where: string): ReturnType<typeof refuse> {
	return refuse(
		"request/duplicate-member",
		`The ${where} has "${dosName}" more than once.`,
		{ field: dosName },
	);
}

function isDos(name: string): boolean {
	return name.toUpperCase().toLowerCase() === dosName;
}

function moved(member: Member, by: number): Member {
	return {
		...member,
		nameStart: member.nameStart - by,
		nameEnd: member.nameEnd - by,
		valueStart: member.valueStart - by,
		valueEnd: member.valueEnd - by,
	};
}
