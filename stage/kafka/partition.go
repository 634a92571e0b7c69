// SPDX-License-Identifier: Apache-2.0

package kafka

import "strconv"

// Partition is one partition of a topic.
type Partition struct {
	Topic     string
	Partition int32
}

// String is topic/partition.
func (p Partition) String() string { return p.Topic + "/" + strconv.Itoa(int(p.Partition)) }
