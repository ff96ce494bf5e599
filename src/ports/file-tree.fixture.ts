import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A real folder for a test to work in, with files put there by other means than what is tested. */
export interface RealFolder {
	/** Absolute, without links. */
	readonly folder: string;
	/** Folders on the way are made. */
	put(path: string, text: string, permissions?: number): void;
	putLink(path: string, target: string): void;
	remove(path: string): void;
	read(path: string): string;
	/** Every file, link and folder below a path, with its bytes and bits. */
	snapshot(path: string): Readonly<Record<string, string>>;
	end(): void;
}

export function openRealFolder(): RealFolder {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), "file-tree-")));
	const at = (path: string) => join(folder, path);
	return {
		folder,
		put(path, text, permissions) {
			mkdirSync(dirname(at(path)), { recursive: true });
			writeFileSync(at(path), text);
			if (permissions !== undefined) chmodSync(at(path), permissions);
		},
		putLink(path, target) {
			mkdirSync(dirname(at(path)), { recursive: true });
			symlinkSync(target, at(path));
		},
		remove: (path) => rmSync(at(path), { recursive: true, force: true }),
		read: (path) => readFileSync(at(path), "utf8"),
		snapshot(root) {
			const found: Record<string, string> = {};
			const walk = (path: string) => {
				const stats = lstatSync(at(path));
				if (stats.isSymbolicLink())
					found[path] = `-> ${readlinkSync(at(path))}`;
				else if (stats.isDirectory()) {
					found[`${path}/`] = "";
					for (const name of readdirSync(at(path))) walk(`${path}/${name}`);
				} else
					found[path] =
						`${(stats.mode & 0o777).toString(8)} ${readFileSync(at(path), "latin1")}`;
			};
			if (existsSync(at(root))) walk(root);
			return found;
		},
		end: () => rmSync(folder, { recursive: true, force: true }),
	};
}
