// SPDX-License-Identifier: Apache-2.0

//go:build !chaos

package apply

import (
	"context"

	"github.com/hookstream/hookstream/stage/fenced"
)

const claimSQL = compareAndSet

func (*batch) sabotage(context.Context, []fenced.Batch) error { return nil }
