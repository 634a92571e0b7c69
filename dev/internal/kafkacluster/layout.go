// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/hookstream/hookstream/dev/internal/ports"
)

// layout is what a data folder remembers of its cluster, in cluster.json.
type layout struct {
	ClusterID string   `json:"cluster_id"`
	Brokers   []broker `json:"brokers"`
}

// broker is one broker's identity and its ports on the loopback interface.
type broker struct {
	ID         int `json:"id"`         // node.id, from 1
	Client     int `json:"client"`     // of direct clients and the other brokers
	Controller int `json:"controller"` // of the KRaft quorum
	Proxied    int `json:"proxied"`    // what a proxy forwards to
	Proxy      int `json:"proxy"`      // where such a proxy listens; else unused
}

func (b broker) address() string { return ports.Address(b.Client) }

func (b broker) dir(dataDir string) string {
	return filepath.Join(dataDir, "broker-"+strconv.Itoa(b.ID))
}

func (b broker) output(dataDir string) string {
	return filepath.Join(dataDir, "log", "broker-"+strconv.Itoa(b.ID)+".log")
}

func (l layout) addresses() []string {
	var all []string
	for _, b := range l.Brokers {
		all = append(all, b.address())
	}
	return all
}

func layoutFile(dataDir string) string { return filepath.Join(dataDir, "cluster.json") }

// loadLayout returns fs.ErrNotExist if the folder has no cluster yet.
func loadLayout(dataDir string) (layout, error) {
	var l layout
	content, err := os.ReadFile(layoutFile(dataDir))
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(content, &l); err != nil {
		return l, fmt.Errorf("%s: %w", layoutFile(dataDir), err)
	}
	return l, nil
}

func (l layout) save(dataDir string) error {
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	temporary := layoutFile(dataDir) + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, layoutFile(dataDir))
}

// layOut returns the folder's layout with ports that can be used now, and
// remembers it. Nothing of the cluster runs.
func layOut(o Options) (layout, error) {
	l, err := loadLayout(o.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		l, err = layout{ClusterID: newClusterID(), Brokers: make([]broker, o.Brokers)}, nil
	}
	if err != nil {
		return l, err
	}
	if err := l.fits(o); err != nil {
		return l, err
	}
	var picker ports.Picker
	defer picker.Release()
	for i := range l.Brokers {
		if err := l.Brokers[i].place(i, o.Port, &picker); err != nil {
			return l, err
		}
	}
	return l, l.save(o.DataDir)
}

// place gives the broker at index i its number and its ports. The first broker's
// clients get firstPort, unless that is 0.
func (b *broker) place(i, firstPort int, picker *ports.Picker) error {
	b.ID = i + 1
	free := []*int{&b.Controller, &b.Proxied, &b.Proxy}
	if firstPort == 0 {
		free = append(free, &b.Client)
	} else {
		b.Client = firstPort + i
		if err := picker.Take(b.Client); err != nil {
			return err
		}
	}
	for _, port := range free {
		var err error
		if *port, err = picker.Pick(*port); err != nil {
			return err
		}
	}
	return nil
}

// fits fails if the folder's cluster has another number of brokers: they are
// its quorum's voters, which formatted storage does not change.
func (l layout) fits(o Options) error {
	if len(l.Brokers) != o.Brokers {
		return fmt.Errorf("data folder %s has a cluster of %d, not %d: ask for that number, or remove the folder",
			o.DataDir, len(l.Brokers), o.Brokers)
	}
	return nil
}

// newClusterID is a random UUID the way Kafka writes it: base64, and not
// beginning with a dash, which would look like a flag.
func newClusterID() string {
	var id [16]byte
	for {
		_, _ = rand.Read(id[:]) // never fails
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}

// alive are the brokers of the layout that run, whoever started them.
func (l layout) alive(dataDir string) ([]broker, error) {
	var alive []broker
	for _, b := range l.Brokers {
		running, err := runs(b.dir(dataDir))
		if err != nil {
			return nil, err
		}
		if running {
			alive = append(alive, b)
		}
	}
	return slices.Clip(alive), nil
}
