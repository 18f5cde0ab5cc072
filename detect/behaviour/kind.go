// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import "citywall/detect"

// Rule returns the kind as findings name it, for lists of what can speak.
func (k *Kind) Rule() detect.Rule { return k.rule() }
