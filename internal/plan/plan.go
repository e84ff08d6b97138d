package plan

import (
	"reflect"
	"strconv"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Mesh is one side of a comparison.
type Mesh struct {
	Catalog *catalog.Catalog
	// Entries are all that the catalog was made of.
	Entries map[catalog.Ref]catalog.Entry
}

// Subject is what goes into the configuration of sidecars beside the mesh itself, and is the same on both sides.
type Subject struct {
	TrustDomain string
	// Root is the root certificate (PEM); an empty one only makes the bytes fewer.
	Root []byte
	// Workloads are what each pod of either side belongs to, as "<kind> <namespace>/<name>".
	Workloads map[catalog.Name]string
}

// Action is what becomes of a thing.
type Action string

// What becomes of things.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Changes are what differs between two meshes.
type Changes struct {
	// Proxies are the sidecars that would be told something, by workload.
	Proxies []Proxies `json:"proxies"`
	// Sidecars is how many sidecars would be told something, of all that the mesh would have, and Bytes what they would be sent.
	Sidecars    int `json:"sidecars"`
	AllSidecars int `json:"allSidecars"`
	Bytes       int `json:"bytes"`
	// Flows are those that would be newly denied or newly allowed.
	Flows []Flow `json:"flows"`
	// Unknown are parts of the answer that are not computed, each a sentence.
	Unknown []string `json:"notComputed,omitempty"`
}

// Empty says whether nothing differs that a sidecar or an application notices.
func (c *Changes) Empty() bool { return len(c.Proxies) == 0 && len(c.Flows) == 0 }

// Compare works out what differs between two meshes. touched are the dependencies that lead from one to the other; without any,
// nothing differs.
func Compare(s Subject, before, after Mesh, touched []catalog.Dep) (*Changes, error) {
	found := &Changes{Proxies: []Proxies{}, Flows: []Flow{}}
	if len(touched) == 0 {
		return found, nil
	}
	c := &comparison{before: newSide(before.Catalog, s), after: newSide(after.Catalog, s), touched: map[catalog.Dep]bool{}, results: map[move]difference{}}
	for _, dep := range touched {
		c.touched[dep] = true
	}
	c.commonDiffers = !reflect.DeepEqual(c.before.common, c.after.common)
	// Both halves only read the catalogs.
	var flows *flows
	var group sync.WaitGroup
	group.Go(func() {
		flows = newFlows(before, after)
		found.Flows = append(found.Flows, flows.compare()...)
	})
	proxies, all, err := c.proxies(before, after, s.Workloads)
	group.Wait()
	if err != nil {
		return nil, err
	}
	found.count(proxies, all)
	found.Unknown = flows.unknown()
	return found, nil
}

func (c *Changes) count(proxies []Proxies, all int) {
	c.Proxies = append(c.Proxies, proxies...)
	c.AllSidecars = all
	for _, one := range proxies {
		if one.State != Removed {
			c.Sidecars += one.Sidecars
			c.Bytes += one.Sidecars * one.Bytes
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
