package health

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Rejection is a workload most of whose sidecars reject configuration.
type Rejection struct {
	// Workload is a service account, as "<namespace>/<name>".
	Workload string
	// Sidecars is how many of its sidecars reject configuration.
	Sidecars int
	// Example names one of them, with Envoy's error.
	Example string
}

// group are the sidecars of a service account that one revision injected. They have the same configuration and software, so a
// single one of several that differs proves nothing about the revision: it can be compromised. Pods that were restarted
// for a new revision are a group of their own.
type group struct {
	workload string
	proxies  []report.Proxy
}

// groupProxies returns the groups, sorted by workload and revision.
func groupProxies(proxies []report.Proxy) []group {
	type key struct{ workload, revision string }
	members := map[key][]report.Proxy{}
	for _, p := range proxies {
		k := key{p.Namespace + "/" + p.ServiceAccount, p.Revision}
		members[k] = append(members[k], p)
	}
	groups := make([]group, 0, len(members))
	for _, k := range slices.SortedFunc(maps.Keys(members), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.workload, b.workload), cmp.Compare(a.revision, b.revision))
	}) {
		groups = append(groups, group{k.workload, members[k]})
	}
	return groups
}

// rejections returns the groups of which more than half reject configuration.
func rejections(groups []group) []Rejection {
	var list []Rejection
	for _, g := range groups {
		rejection := Rejection{Workload: g.workload}
		for _, p := range g.proxies {
			if p.Counts().Rejecting == 0 {
				continue
			}
			if rejection.Sidecars++; rejection.Example == "" {
				rejection.Example = formatRejection(p)
			}
		}
		if 2*rejection.Sidecars > len(g.proxies) {
			list = append(list, rejection)
		}
	}
	return list
}

// certificatesUntil returns the first time at which the certificates of more than half of a group have expired; zero without
// certificates.
func certificatesUntil(groups []group) time.Time {
	var first time.Time
	for _, g := range groups {
		var ends []time.Time
		for _, p := range g.proxies {
			if p.CertificateEnd != nil {
				ends = append(ends, *p.CertificateEnd)
			}
		}
		if len(ends) == 0 {
			continue
		}
		slices.SortFunc(ends, time.Time.Compare)
		if end := ends[len(ends)/2]; first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// RejectingWorkloads returns the names of the workloads most of whose sidecars reject configuration, sorted, without duplicates.
func (p Proxies) RejectingWorkloads() []string {
	var list []string
	for _, r := range p.Rejections {
		list = append(list, r.Workload)
	}
	return slices.Compact(list)
}

// RejectingExcept returns how many sidecars of other workloads than the given ones reject configuration, and an example.
func (p Proxies) RejectingExcept(workloads []string) (sidecars int, example string) {
	for _, r := range p.Rejections {
		if slices.Contains(workloads, r.Workload) {
			continue
		}
		if sidecars += r.Sidecars; example == "" {
			example = r.Example
		}
	}
	return sidecars, example
}
