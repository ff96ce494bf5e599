import { expect, it } from "vitest";
import { errorClassOf } from "./vendor-refusals.ts";

it.each([
	[302, "server"],
	[400, undefined],
	[401, "key"],
	[402, "key"],
	[403, "key"],
	[404, undefined],
	[407, "server"],
	[408, "timeout"],
	[413, undefined],
	[422, undefined],
	[429, "overload"],
	[500, "server"],
	[502, "server"],
	[503, "overload"],
	[504, "timeout"],
	[529, "overload"],
])("a vendor's status %i is of class %s", (status, expected) => {
	expect(errorClassOf(status)).toBe(expected);
});
