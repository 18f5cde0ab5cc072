// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import "io/fs"

// ident does not know: a file is known by its path and its beginning.
func ident(fs.FileInfo) (dev, ino uint64) { return 0, 0 }
