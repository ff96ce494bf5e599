import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import { openStore, type Store } from "../../contexts/sync/index.ts";
import type { FileTree } from "../../ports/file-tree.ts";

/** This machine's files and the memory beside a manifest: all that sync-check stands on. */
export interface SyncParts {
	readonly tree: FileTree;
	openStore(options: {
		readonly manifest: string;
		readonly run: string;
		readonly writes?: boolean;
	}): Store;
	/** Git's staging area laid over the same files; loaded when it is asked for. */
	openStaged(root: string): Promise<StagedFiles | undefined>;
}

export interface StagedFiles {
	readonly tree: FileTree;
	/** Absolute paths that the next commit changes. */
	readonly changed: readonly string[];
}

export function composeSync(): SyncParts {
	const tree = nodeFileTree();
	return {
		tree,
		openStore: (options) => openStore({ tree, ...options }),
		async openStaged(root) {
			const { gitIndexTree } = await import(
				"../../adapters/file-tree/git-index.ts"
			);
			return gitIndexTree(tree, root);
		},
	};
}
