// SPDX-License-Identifier: Apache-2.0

// Package secret reads the providers' signing secrets.
package secret

import "github.com/hookstream/hookstream/schemas/setting"

// Secret is text that never prints.
type Secret = setting.Secret
