package compare

import (
	"reflect"
	"strconv"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Mesh is one side of a comparison.
type Mesh struct {
	Catalog *catalog.Catalog
	// Entries are the entries of the catalog.
	Entries map[catalog.Ref]catalog.Entry
}

// Subject is input to the configuration of sidecars that is equal on both sides.
type Subject struct {
	TrustDomain string
	// Root is the root certificate (PEM). Without it, only the byte counts are lower.
	Root []byte
	// Workloads maps pods to their workloads, "<kind> <namespace>/<name>".
	Workloads map[catalog.Name]string
}

// Action is the kind of a change.
type Action string

// Actions.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Changes are the differences between two meshes.
type Changes struct {
	// Proxies are the reconfigured sidecars by workload.
	Proxies []Proxies `json:"proxies"`
	// Sidecars counts the reconfigured sidecars, AllSidecars all sidecars after the edit. Bytes is the total size of the updates.
	Sidecars    int `json:"sidecars"`
	AllSidecars int `json:"allSidecars"`
	Bytes       int `json:"bytes"`
	// Flows are the flows that would be newly denied or allowed.
	Flows []Flow `json:"flows"`
	// Unavailable describes effects that could not be computed.
	Unavailable []string `json:"unavailable,omitempty"`
}

// Empty returns true if neither sidecars nor flows change.
func (c *Changes) Empty() bool { return len(c.Proxies) == 0 && len(c.Flows) == 0 }

// Meshes returns the differences between two meshes. touched are the changed dependencies; if there are none, nothing differs.
func Meshes(s Subject, before, after Mesh, touched []catalog.Dep) (*Changes, error) {
	found := &Changes{Proxies: []Proxies{}, Flows: []Flow{}}
	if len(touched) == 0 {
		return found, nil
	}
	c := &comparison{before: newSide(before.Catalog, s), after: newSide(after.Catalog, s), touched: map[catalog.Dep]bool{}, results: map[transition]difference{}}
	for _, dep := range touched {
		c.touched[dep] = true
	}
	c.sharedDiffers = !reflect.DeepEqual(c.before.common, c.after.common)
	// Both parts only read the catalogs.
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
	found.Unavailable = flows.unavailable()
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
