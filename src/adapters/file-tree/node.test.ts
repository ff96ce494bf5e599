import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
	type FileTreeStage,
	fileTreeContract,
} from "../../ports/file-tree.contract.ts";
import { openRealFolder } from "../../ports/file-tree.fixture.ts";
import { nodeFileTree } from "./node.ts";

function stage(): FileTreeStage {
	return { tree: nodeFileTree(), ...openRealFolder() };
}

fileTreeContract("node", stage);

describe("names that are no UTF-8", () => {
	it.runIf(process.platform === "linux")(
		"are listed, read, renamed and taken away, byte for byte",
		() => {
			const { tree, folder, end } = stage();
			try {
				const raw = Buffer.from([0x61, 0xff, 0xc3, 0xa4, 0xe2, 0x82]);
				writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), raw]), "one");
				writeFileSync(join(folder, "real \ufffd"), "two");
				const names = tree.list(folder).map(({ name }) => name);
				expect(names).toEqual(["a\udcffä\udce2\udc82", "real \ufffd"].sort());
				expect(
					names
						.map((name) => tree.decode(tree.read(`${folder}/${name}`)))
						.sort(),
				).toEqual(["one", "two"]);
				tree.rename(`${folder}/a\udcffä\udce2\udc82`, `${folder}/b\udcfe`);
				expect(
					readdirSync(folder, { encoding: "buffer" }).map((name) =>
						Buffer.from(name).toString("hex"),
					),
				).toContain("62fe");
			} finally {
				end();
			}
		},
	);
});
